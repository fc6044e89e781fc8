# rpmlint finds nothing in the .rpm, beside what rpmlint.toml lists with its reason.
source lib/checks.sh
need rpmlint

rpmlint --strict --config "$REPOSITORY/packaging/rpm/rpmlint.toml" "$DIST"/*.rpm
