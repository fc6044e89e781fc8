# An upgrade keeps an edited configuration and the data, and restarts the service. A removal keeps both, a purge nothing.
source ./boots.sh

# list: each file and folder that a purge must remove.
list() {
    find / -xdev -name '*pagerduty-dora*' -not -path '/test/*' -not -path '/proc/*' -not -path '/sys/*' \
        -not -path '/tmp/*' -not -path '/var/log/*' -not -path '/run/systemd/*'
}

start_service
deliver incident.triggered.json incident.resolved.json
systemctl enable --quiet --now pagerduty-dora-backup.timer
systemctl start pagerduty-dora-backup

# The same package with a higher version and another config.toml.
dpkg-deb --raw-extract pagerduty-dora_*.deb newer
sed -i 's/^Version: .*/&+newer/' newer/DEBIAN/control
sed -i '1i # The newer example.' newer/etc/pagerduty-dora/config.toml
dpkg-deb --root-owner-group -Znone --build newer newer.deb >/dev/null

echo '# Edited by the administrator.' >>$folder/config.toml
process=$(value MainPID)
install_package newer.deb
has ActiveState active || fail "the service is not active after the upgrade"
[[ $(value MainPID) != "$process" ]] || fail "the upgrade does not restart the service"
grep --quiet '^# Edited' $folder/config.toml || fail "the upgrade overwrote the configuration"
grep --quiet '^# The newer' $folder/config.toml.dpkg-dist || fail "the new configuration is not there to compare"
[[ $(events) == 2 ]] || fail "the data is not there after the upgrade"
deliver incident.reopened.json

# A service that the administrator has disabled and stopped stays so.
systemctl disable --quiet --now pagerduty-dora
install_package newer.deb
has ActiveState inactive && [[ $(systemctl is-enabled pagerduty-dora) == disabled ]] ||
    fail "the upgrade starts a disabled service"
systemctl enable --quiet --now pagerduty-dora

dpkg --remove pagerduty-dora >/dev/null 2>&1 || fail "the removal failed"
[[ $(pidof pagerduty-dora) == "" ]] || fail "the daemon still runs"
[[ -e /var/lib/pagerduty-dora/pagerduty-dora.db && -e /var/lib/pagerduty-dora-backup/pagerduty-dora.db ]] ||
    fail "the removal deleted data"
[[ -e $folder/signing-secret && -e $folder/config.toml ]] || fail "the removal deleted the configuration"
install_package
has ActiveState active || fail "the service does not start when the package is installed again"
[[ $(events) == 3 ]] || fail "the data is not there when the package is installed again"

dpkg --purge pagerduty-dora >/dev/null 2>&1 || fail "the purge failed"
[[ -z $(list) ]] || fail "the purge leaves: $(list)"
! systemctl cat pagerduty-dora >/dev/null 2>&1 || fail "systemd still knows the service"
