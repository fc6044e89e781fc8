# Secrets from a folder (LoadCredential=NAME:FOLDER) and encrypted ones (LoadCredentialEncrypted=).
source ./boots.sh
dropin=/etc/systemd/system/pagerduty-dora.service.d

install_package
mkdir -p $dropin $folder/secrets

# Each file of the folder is a credential with the folder's name before its own.
write_secret secrets/signing
write_secret secrets/events
sed -i 's/credential = "signing-secret"/credential = "secrets_signing"/' $folder/config.toml
printf '[events_api]\nkeys = [{ credential = "secrets_events" }]\n' >>$folder/config.toml
cat >$dropin/secrets.conf <<'UNIT'
[Unit]
ConditionPathExists=
[Service]
LoadCredential=
LoadCredential=secrets:/etc/pagerduty-dora/secrets
UNIT
systemctl daemon-reload
systemctl start pagerduty-dora
write_secret # `deliver` reads this file. The service does not.
deliver incident.triggered.json || fail "the secret from the folder is not used"
deployment='{"data": {"attributes": {"service": "checkout", "started_at": "2026-11-01T09:30:00Z"}}}'
curl --silent --fail --header "DD-API-KEY: $secret" --data "$deployment" --output /dev/null \
    http://127.0.0.1:8080/api/v2/dora/deployment || fail "the second secret from the folder is not used"

# An encrypted secret can only be read on this machine.
rm -r $folder/secrets
systemd-creds encrypt --with-key=host --name=secrets_signing $folder/signing-secret $folder/signing.cred
systemd-creds encrypt --with-key=host --name=secrets_events $folder/signing-secret $folder/events.cred
cat >$dropin/secrets.conf <<'UNIT'
[Unit]
ConditionPathExists=
[Service]
LoadCredential=
LoadCredentialEncrypted=secrets_signing:/etc/pagerduty-dora/signing.cred
LoadCredentialEncrypted=secrets_events:/etc/pagerduty-dora/events.cred
UNIT
systemctl daemon-reload
systemctl restart pagerduty-dora
deliver incident.resolved.json || fail "the encrypted secret is not used"
[[ $(events) == 2 ]] || fail "the events are not there"
