# The timer's service copies the store beside the running daemon, and without it. A backup can be restored.
source ./boots.sh
store=/var/lib/private/pagerduty-dora
backup=/var/lib/pagerduty-dora-backup/pagerduty-dora.db

install_package
systemctl start pagerduty-dora-backup
[[ ! -e $backup ]] || fail "there is a backup before there is a store"

write_secret
systemctl start pagerduty-dora
deliver incident.triggered.json incident.resolved.json
systemctl enable --quiet --now pagerduty-dora-backup.timer
[[ -n $(systemctl show --property=NextElapseUSecRealtime --value pagerduty-dora-backup.timer) ]] ||
    fail "the timer has no next time"

owner=$(stat --format=%u $store/*.db)
systemctl start pagerduty-dora-backup || fail "the backup failed beside the daemon"
[[ $(stat --format=%u $store/*.db) == "$owner" ]] || fail "the backup takes the store away from the daemon"
deliver incident.reopened.json || fail "the daemon does not work after a backup"
systemctl stop pagerduty-dora
systemctl start pagerduty-dora-backup || fail "the backup failed without the daemon"
systemctl start pagerduty-dora || fail "the daemon does not start after a backup"
deliver incident.acknowledged.json
# Newer versions of systemd let the folder and the store belong to nobody, and show the daemon its own user.
[[ $(stat --format='%a %u' $store/*.db) == "600 $(stat --format=%u $store)" ]] || fail "not its own: $(ls -l $store)"
[[ $(stat --format=%a /var/lib/private/pagerduty-dora-backup $backup $backup.1) == $'700\n600\n600' ]] ||
    fail "others can read the backups"
# Nine backups in all: the newest, and seven older ones.
for _ in 1 2 3 4 5 6 7; do
    systemctl reset-failed # Otherwise systemd refuses the sixth start within ten seconds.
    systemctl start pagerduty-dora-backup
done
[[ $(ls /var/lib/pagerduty-dora-backup | wc -l) == 8 ]] || fail "not eight: $(ls /var/lib/pagerduty-dora-backup)"

# The oldest backup that is left has the first three events. It opens as a store.
systemctl stop pagerduty-dora
rm $store/*
cp $backup.7 $store/pagerduty-dora.db
chown --reference=$store $store/pagerduty-dora.db
CREDENTIALS_DIRECTORY=$folder pagerduty-dora check --offline || fail "the backup is not a store"
systemctl start pagerduty-dora || fail "the daemon does not start with the backup"
[[ $(events) == 3 ]] || fail "the backup has $(events) events"
deliver incident.acknowledged.json
