# Without its secret the service stays quiet. With the secret it starts, takes webhooks, has no rights, and stops fast.
source ./boots.sh

install_package
[[ $(systemctl is-enabled pagerduty-dora) == enabled ]] || fail "the installation does not enable the service"
[[ $(systemctl is-enabled pagerduty-dora-webhooks.socket) == disabled ]] || fail "the installation enables a socket"
has ConditionResult no || fail "the service was started without its secret"
has ActiveState inactive && has NRestarts 0 || fail "the service is not quiet without its secret"

write_secret
systemctl start pagerduty-dora
has ActiveState active && has StatusErrno 0 || fail "the service is not active"
[[ $(curl --silent http://127.0.0.1:8081/readyz) == '{"status":"ready"}' ]] || fail "active, but not ready"
pagerduty-dora health || fail "health does not find the daemon"
deliver incident.triggered.json incident.resolved.json
pagerduty-dora failures --format json | says '"state": "completed"' || fail "the failure is not listed"
CREDENTIALS_DIRECTORY=$folder pagerduty-dora check --offline || fail "check finds a mistake"

# The process is what the unit says.
process=/proc/$(value MainPID)
[[ $(stat --format=%u "$process") -ge 61184 ]] || fail "the user is not a dynamic one"
grep --quiet '^CapBnd:\s*0000000000000000$' "$process/status" || fail "the process could get capabilities"
grep --quiet '^NoNewPrivs:\s*1$' "$process/status" || fail "the process could get privileges"
grep --quiet '^Seccomp:\s*2$' "$process/status" || fail "system calls are not filtered"
grep --quiet '^Max open files \+8192 ' "$process/limits" || fail "LimitNOFILE has no effect"
[[ $(stat --format=%a /var/lib/private/pagerduty-dora) == 700 ]] || fail "others can read the store"
[[ -z $(journalctl --unit=pagerduty-dora --priority=warning --quiet --output=cat) ]] || fail "a start in order warns"

began=$(date +%s%N)
systemctl stop pagerduty-dora
took=$((($(date +%s%N) - began) / 1000000))
((took < 3000)) || fail "the stop took $took ms"
has Result success && has ExecMainStatus 0 || fail "the stop was not in order"

# A wrong configuration ends the service for good: a restart would not help.
echo 'unknown = 1' >>$folder/config.toml
systemctl start pagerduty-dora && fail "a wrong configuration was accepted"
has ActiveState failed && has ExecMainStatus 2 && has NRestarts 0 || fail "a wrong configuration is tried again"
