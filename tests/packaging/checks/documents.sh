# The configurations, the manual page and the completions that are packed can be read.
source lib/checks.sh

tree=$(fresh documents)
tar --directory="$tree" --extract --strip-components=1 --file="$(echo "$DIST"/*.tar.gz)"
program=$tree/usr/bin/pagerduty-dora

packed=$("$program" --config "$tree/etc/pagerduty-dora/config.toml" config show)
grep --quiet 'credential = "signing-secret"' <<<"$packed" || fail "the secret is no credential of systemd"
diff <("$program" --config "$REPOSITORY/packaging/kubernetes/config.toml" config show) \
    <("$program" --config <("$REPOSITORY/packaging/configuration.py" container) config show) ||
    fail "Kubernetes and the image have different configurations"
"$program" --config "$REPOSITORY/packaging/kubernetes-replicas/config.toml" config show >/dev/null ||
    fail "the configuration of the replicas is wrong"

bash -n "$tree/usr/share/bash-completion/completions/pagerduty-dora"
[[ $(head -1 "$tree/usr/share/zsh/site-functions/_pagerduty-dora") == '#compdef pagerduty-dora' ]] ||
    fail "the completions of zsh do not begin with #compdef"
gzip --test "$tree/usr/share/man/man1/pagerduty-dora.1.gz"
