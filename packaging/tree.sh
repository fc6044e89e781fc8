#!/usr/bin/env bash
# tree.sh BINARY ROOT: puts the program and its files under ROOT, in the places that all packages share.
# The program must run on this machine: it prints its manual page and its completions itself.
set -euo pipefail
binary=$(realpath "$1")
root=$(realpath -m "$2")
cd "$(dirname "$0")/.."

put() { install -D -m "$1" "$2" "$root/$3"; }

put 755 "$binary" usr/bin/pagerduty-dora
strip --remove-section=.comment "$root/usr/bin/pagerduty-dora"
for unit in packaging/systemd/*; do
    put 644 "$unit" "usr/lib/systemd/system/${unit##*/}"
done
packaging/configuration.py systemd | put 644 /dev/stdin etc/pagerduty-dora/config.toml

"$binary" man | gzip -9n | put 644 /dev/stdin usr/share/man/man1/pagerduty-dora.1.gz
"$binary" completions bash | put 644 /dev/stdin usr/share/bash-completion/completions/pagerduty-dora
"$binary" completions fish | put 644 /dev/stdin usr/share/fish/vendor_completions.d/pagerduty-dora.fish
"$binary" completions zsh | put 644 /dev/stdin usr/share/zsh/site-functions/_pagerduty-dora

put 644 packaging/grafana/pagerduty-dora.json usr/share/pagerduty-dora/grafana.json
put 644 packaging/prometheus/alerts.yml usr/share/pagerduty-dora/alerts.yml
doc=usr/share/doc/pagerduty-dora
for text in README.md CHANGELOG.md SECURITY.md LICENSE docs; do
    find "$text" -type f | while read -r file; do put 644 "$file" "$doc/$file"; done
done
packaging/third-party.py "$root/$doc"

# The modes do not depend on the umask, nor the times on the clock.
find "$root" -type d -exec chmod 755 {} +
find "$root" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
