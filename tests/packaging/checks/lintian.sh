# The .deb follows Debian's policy.
source lib/checks.sh
need lintian

lintian --allow-root --fail-on error,warning --tag-display-limit 0 "$DIST"/*.deb
