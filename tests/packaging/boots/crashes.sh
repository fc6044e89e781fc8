# A killed or hanging daemon is restarted, and has its data.
source ./boots.sh

mkdir -p /etc/systemd/system/pagerduty-dora.service.d
printf '[Service]\nWatchdogSec=2s\n' >/etc/systemd/system/pagerduty-dora.service.d/watchdog.conf
start_service
deliver incident.triggered.json incident.resolved.json

# restarted NUMBER: true if the service is active again, for the NUMBERth time.
restarted() { has NRestarts "$1" && has ActiveState active; }

kill -KILL "$(value MainPID)"
eventually 20 restarted 1
[[ $(events) == 2 ]] || fail "the events are not there after kill -9"
deliver incident.acknowledged.json

kill -STOP "$(value MainPID)"
eventually 30 restarted 2
journalctl --unit=pagerduty-dora --output=cat | says 'Watchdog timeout' || fail "the watchdog did not act"
[[ $(events) == 3 ]] || fail "the events are not there after the watchdog's restart"
deliver incident.reopened.json

# A working daemon feeds the watchdog, for longer than two of the watchdog's times.
fed() { value WatchdogTimestampMonotonic; }
begin=$(fed)
is_fed_for_long() { (($(fed) - begin > 5000000)); }
eventually 20 is_fed_for_long
restarted 2 || fail "the watchdog restarts a daemon that works"
