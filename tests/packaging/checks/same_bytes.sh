# A second build, at another time, in another folder, under another umask, gives the same bytes.
source lib/checks.sh

again=$(fresh again)
umask 077
tar --directory="$again" --extract --file="$(echo "$DIST"/*.tar.gz)"
program=$(echo "$again"/*/usr/bin/pagerduty-dora)
TZ=Asia/Kolkata LC_ALL=C "$REPOSITORY/packaging/dist.sh" "$program" "$again/dist"
(cd "$DIST" && sha256sum --quiet --check SHA256SUMS)
diff "$DIST/SHA256SUMS" "$again/dist/SHA256SUMS"
diff --recursive --brief "$DIST" "$again/dist"
