# hadolint finds nothing in the Containerfile.
source lib/checks.sh
need "$TOOLS/bin/hadolint"

"$TOOLS/bin/hadolint" "$REPOSITORY/packaging/oci/Containerfile"
