# The .rpm installs, an upgrade keeps an edited configuration, and a removal leaves data.
source lib/checks.sh
need mmdebstrap rpm

root=$(fresh rpm)
tar --directory="$root" --extract --file="$TREE"
# Debian's tree has no rpm database, so rpm cannot look for the dependencies.
in_tree() { rpm --root "$root" --nodeps "$@"; }

in_tree --install "$DIST"/*.rpm
chroot "$root" pagerduty-dora config show >/dev/null || fail "the installed configuration is wrong"
[[ -L $root/etc/systemd/system/multi-user.target.wants/pagerduty-dora.service ]] ||
    fail "the installation does not follow the preset, which enables the service here"
in_tree --verify pagerduty-dora || fail "the installed files are not those of the package"

# The next version has another config.toml.
next=$(fresh next)
tar --directory="$next" --extract --file="$(echo "$DIST"/*.tar.gz)"
tree=$(echo "$next"/pagerduty-dora-*)
sed -i '1i # The newer example.' "$tree/etc/pagerduty-dora/config.toml"
SOURCE_DATE_EPOCH=1 "$REPOSITORY/packaging/rpm/build.sh" "$tree" "$next"
echo '# Edited by the administrator.' >>"$root/etc/pagerduty-dora/config.toml"
in_tree --upgrade --force "$next"/*.rpm
grep --quiet '^# Edited' "$root/etc/pagerduty-dora/config.toml" || fail "the upgrade overwrote the configuration"
[[ -e $root/etc/pagerduty-dora/config.toml.rpmnew ]] || fail "the new configuration is not there to compare"

mkdir -p "$root/var/lib/private/pagerduty-dora"
touch "$root/var/lib/private/pagerduty-dora/pagerduty-dora.db"
in_tree --erase pagerduty-dora
[[ ! -e $root/usr/bin/pagerduty-dora ]] || fail "the removal leaves the program"
[[ -z $(find "$root/etc/systemd" -name '*pagerduty*') ]] || fail "the removal leaves the service enabled"
[[ -e $root/var/lib/private/pagerduty-dora/pagerduty-dora.db ]] || fail "the removal deleted the store"
[[ -e $root/etc/pagerduty-dora/config.toml.rpmsave ]] || fail "the removal deleted the edited configuration"
rm -rf "$root" "$next"
