# systemd accepts all units, and rates the services as safe.
source lib/checks.sh
need systemd-analyze

units=$(fresh units)
# systemd-analyze looks for the program, which is not installed here.
tar --directory="$units" --extract --strip-components=1 --file="$(echo "$DIST"/*.tar.gz)"
cp "$REPOSITORY"/packaging/systemd/* "$units"
sed -i "s|/usr/bin/pagerduty-dora|$units/usr/bin/pagerduty-dora|" "$units"/*.service
complaints=$(systemd-analyze verify --man=no "$units"/pagerduty-dora* 2>&1) || fail "$complaints"
! grep pagerduty-dora <<<"$complaints" || fail "systemd complains"

for service in "$units"/*.service; do
    # The threshold is ten times the exposure: 13 is 1.3.
    systemd-analyze security --offline=true --threshold=13 --no-pager "$service" >"$units/report" ||
        fail "$(grep -v '^✓' "$units/report")"
done
