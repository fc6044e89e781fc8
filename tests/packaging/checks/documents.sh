# The configurations, completions, licences and SBOM that are packed can be read.
source lib/checks.sh
need "$TOOLS/bin/python" jq

tree=$(fresh documents)
tar --directory="$tree" --extract --strip-components=1 --file="$(echo "$DIST"/*.tar.gz)"
program=$tree/usr/bin/pagerduty-dora

packed=$("$program" --config "$tree/etc/pagerduty-dora/config.toml" config show)
grep --quiet 'credential = "signing-secret"' <<<"$packed" || fail "the secret is no credential of systemd"
diff <("$program" --config "$REPOSITORY/packaging/kubernetes/config.toml" config show) \
    <("$program" --config <("$REPOSITORY/packaging/configuration.py" container) config show) ||
    fail "Kubernetes and the image have different configurations"

bash -n "$tree/usr/share/bash-completion/completions/pagerduty-dora"
[[ $(head -1 "$tree/usr/share/zsh/site-functions/_pagerduty-dora") == '#compdef pagerduty-dora' ]]
gzip --test "$tree/usr/share/man/man1/pagerduty-dora.1.gz"

"$TOOLS/bin/python" - "$DIST/sbom.cdx.json" <<'PYTHON'
import sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

errors = JsonStrictValidator(SchemaVersion.V1_5).validate_str(open(sys.argv[1]).read())
sys.exit(str(errors) if errors else None)
PYTHON
# Each component that has a licence text is in the list of licences, and the C library is a component.
jq --raw-output '.components[] | select(.purl | startswith("pkg:cargo/")) | "\(.name) \(.version)"' "$DIST/sbom.cdx.json" |
    while read -r crate; do
        grep --quiet --fixed-strings "$crate (" "$DIST/third-party-licences.txt" || fail "no licence of $crate"
    done
jq --exit-status '.components[] | select(.name == "sqlite") | .version' "$DIST/sbom.cdx.json" >/dev/null ||
    fail "the SBOM does not name SQLite"
