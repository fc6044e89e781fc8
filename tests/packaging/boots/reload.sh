# A reload takes another secret and refuses no webhook. A wrong configuration is refused, and the daemon goes on.
source ./boots.sh

start_service
process=$(value MainPID)
second=fedcba9876543210fedcba9876543210

# systemd reads LoadCredential= only at a start, so a secret that a reload shall change is a file.
mkdir -m 755 $folder/rotated
echo "$secret" >$folder/rotated/signing-secret
sed -i 's|{ credential = "signing-secret" }|{ file = "/etc/pagerduty-dora/rotated/signing-secret" }|' $folder/config.toml
systemctl reload pagerduty-dora || fail "the reload failed"

printf '[[backend]]\nname = "metrics"\nkind = "http"\nurl = "http://127.0.0.1:9/"\n' >>$folder/config.toml
begin_stream
accepts_more
# PagerDuty signs with both secrets while one replaces the other. Here, both are configured first.
echo "$second" >$folder/rotated/second
sed -i 's|^signing_secrets = \[|&{ file = "/etc/pagerduty-dora/rotated/second" }, |' $folder/config.toml
systemctl reload pagerduty-dora || fail "the reload with two secrets failed"
takes_second() {
    pagerduty-dora send --now --secret-file $folder/rotated/second --url $webhooks incident.resolved.json >/dev/null 2>&1
}
eventually 10 takes_second
accepts_more
for round in {1..1000}; do
    # A changed address replaces the loop of the backend.
    sed -i "s|^url = .*|url = \"http://127.0.0.1:$((9 + round % 2))/\"|" $folder/config.toml
    curl --silent --fail --output /dev/null --request POST http://127.0.0.1:8081/api/v1/reload || fail "a reload is refused"
done
accepts_more
end_stream
[[ ! -s /tmp/refused ]] || fail "refused during a reload: $(cat /tmp/refused)"

# A mistake in the file changes nothing. It is in the journal.
cp $folder/config.toml good.toml
echo 'unknown = 1' >>$folder/config.toml
systemctl reload pagerduty-dora || true
warned() { journalctl --unit=pagerduty-dora --priority=warning --output=cat | says unknown; }
eventually 10 warned
takes_second || fail "a wrong configuration ends the daemon's work"
cp good.toml $folder/config.toml

# The first secret is taken away.
sed -i 's|, { file = "/etc/pagerduty-dora/rotated/signing-secret" }||' $folder/config.toml
systemctl reload pagerduty-dora || fail "the last reload failed"
refuses_first() { ! deliver incident.acknowledged.json >/dev/null 2>&1; }
eventually 10 refuses_first
takes_second || fail "the second secret is not taken"
has MainPID "$process" || fail "a reload started another process"
