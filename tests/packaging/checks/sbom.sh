# The SBOM is valid, and has a licence text for each crate.
source lib/checks.sh
need jq "$TOOLS/bin/python"
"$TOOLS/bin/python" -c 'import cyclonedx.validation' 2>/dev/null || { echo "cyclonedx-python-lib is missing" && exit 77; }

"$TOOLS/bin/python" - "$DIST/sbom.cdx.json" <<'PYTHON'
import sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

errors = JsonStrictValidator(SchemaVersion.V1_5).validate_str(open(sys.argv[1]).read())
sys.exit(str(errors) if errors else None)
PYTHON
jq --raw-output '.components[] | select(.purl | startswith("pkg:cargo/")) | "\(.name) \(.version)"' "$DIST/sbom.cdx.json" |
    while read -r crate; do
        grep --quiet --fixed-strings "$crate (" "$DIST/third-party-licences.txt" || fail "no licence of $crate"
    done
jq --exit-status '.components[] | select(.name == "sqlite") | .version' "$DIST/sbom.cdx.json" >/dev/null ||
    fail "the SBOM does not name SQLite"
