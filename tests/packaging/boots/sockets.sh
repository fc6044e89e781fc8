# With the socket units, no connection is refused while the service restarts, is upgraded, is killed, or is down.
source ./boots.sh

install_package
write_secret
systemctl enable --quiet --now pagerduty-dora-webhooks.socket pagerduty-dora-admin.socket
has ActiveState inactive || fail "the sockets start the service before a connection comes"
# The first connection starts the service.
deliver incident.triggered.json
has ActiveState active || fail "a connection does not start the service"
curl --silent --fail --output /dev/null http://127.0.0.1:8081/readyz || fail "the admin socket does not answer"

begin_stream
accepts_more
for round in {1..100}; do
    systemctl restart pagerduty-dora
    ((round % 10)) || accepts_more
done
# The package once more: an upgrade to the same version.
process=$(value MainPID)
install_package
[[ $(value MainPID) != "$process" ]] || fail "the upgrade does not restart the service"
accepts_more
end_stream
[[ ! -s /tmp/refused ]] || fail "refused during a restart: $(cat /tmp/refused)"
accepted=$(wc -l </tmp/accepted)
[[ $(events) == $((accepted + 1)) ]] || fail "$accepted were accepted, and $(events) are in the store"

# A connection that comes while the daemon is dead waits for the next process.
kill -KILL "$(value MainPID)"
deliver incident.triggered.json || fail "refused after kill -9"
systemctl stop pagerduty-dora 2>/dev/null
deliver incident.triggered.json || fail "refused after a stop"
[[ $(events) == $((accepted + 3)) ]] || fail "an event is missing"
