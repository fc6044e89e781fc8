//! Examples below the help of each command.

pub(super) const SERVE: &str = "\
Example:
  pagerduty-dora --config /etc/pagerduty-dora/config.toml serve";

pub(super) const DEMO: &str = "\
Examples:
  pagerduty-dora demo
  pagerduty-dora demo --once        exits after the story";

pub(super) const CHECK: &str = "\
Examples:
  pagerduty-dora check
  pagerduty-dora check --offline    asks neither PagerDuty, GitHub, GitLab nor the backends

Exit status: 0 no item is wrong, 1 an item has failed (PagerDuty, GitHub, GitLab, a backend, the \
certificate or the database's replication), 2 the configuration is wrong";

pub(super) const SEND: &str = "\
Examples:
  pagerduty-dora send fixtures/pagerduty/pagey.ping.json \\
    --url http://127.0.0.1:8080/webhooks/pagerduty
  pagerduty-dora send --now triggered.json resolved.json --secret-file secret \\
    --url http://127.0.0.1:8080/webhooks/pagerduty";

pub(super) const FAILURES: &str = "\
Examples:
  pagerduty-dora failures --state open
  pagerduty-dora failures --service checkout --since 7d --format json";

pub(super) const DEPLOYMENTS: &str = "\
Examples:
  pagerduty-dora deployments --failed --since 30d
  pagerduty-dora deployments --service checkout --env production --format json";

pub(super) const REPORT: &str = "\
Examples:
  pagerduty-dora report
  pagerduty-dora report --since 90d --by team --interval month
  pagerduty-dora report --since 2026-10-01 --until 2026-11-01 --env all --format csv > october.csv";

pub(super) const EXPLAIN: &str = "\
Examples:
  pagerduty-dora explain Q3YON8WNWTZMRQ
  pagerduty-dora explain pagerduty:Q3YON8WNWTZMRQ --format json
  pagerduty-dora explain 0123456          the deployment of a commit";

pub(super) const OUTBOX: &str = "\
Examples:
  pagerduty-dora outbox --state dead
  pagerduty-dora outbox retry --all
  pagerduty-dora outbox discard 17";

pub(super) const OUTBOX_RETRY: &str = "\
Examples:
  pagerduty-dora outbox retry 17 18
  pagerduty-dora outbox retry --all
  pagerduty-dora outbox retry --all --backend datadog";

pub(super) const OUTBOX_DISCARD: &str = "\
Examples:
  pagerduty-dora outbox discard 17
  pagerduty-dora outbox discard --all --backend datadog";

pub(super) const OUTBOX_TELL: &str = "\
Examples:
  pagerduty-dora outbox tell --since 2h --dry-run
  pagerduty-dora outbox tell --since 2026-11-20T08:00:00Z --backend datadog";

pub(super) const SUBSCRIPTION: &str = "\
Examples:
  pagerduty-dora subscription status
  pagerduty-dora subscription test";

pub(super) const SUBSCRIPTION_ENABLE: &str = "\
Example:
  pagerduty-dora subscription enable";

pub(super) const SUBSCRIPTION_TEST: &str = "\
Example:
  pagerduty-dora subscription test";

pub(super) const SUBSCRIPTION_STATUS: &str = "\
Example:
  pagerduty-dora subscription status";

pub(super) const SUBSCRIPTION_CREATE: &str = "\
Example:
  pagerduty-dora subscription create --url https://dora.example.com/webhooks/pagerduty \\
    --secret-file /etc/pagerduty-dora/signing-secret";

pub(super) const QUARANTINE: &str = "\
Examples:
  pagerduty-dora quarantine
  pagerduty-dora quarantine show 7
  pagerduty-dora quarantine retry --all";

pub(super) const QUARANTINE_SHOW: &str = "\
Example:
  pagerduty-dora quarantine show 7";

pub(super) const QUARANTINE_RETRY: &str = "\
Examples:
  pagerduty-dora quarantine retry 7 8
  pagerduty-dora quarantine retry --all";

pub(super) const REEVALUATE: &str = "\
Examples:
  pagerduty-dora reevaluate --dry-run
  pagerduty-dora reevaluate --since 90d";

pub(super) const BACKFILL: &str = "\
Examples:
  pagerduty-dora backfill --since 365d --dry-run
  pagerduty-dora backfill --since 2024-01-01 --quiet-backends";

pub(super) const IMPORT: &str = "\
Examples:
  pagerduty-dora import datadog --since 730d --dry-run
  pagerduty-dora import datadog --since 2025-01-01 --until 2026-11-01";

pub(super) const IMPORT_DATADOG: &str = "\
Examples:
  pagerduty-dora import datadog --since 730d --dry-run
  pagerduty-dora import datadog --since 730d
  pagerduty-dora import datadog --since 2025-01-01 --until 2026-11-01 --backend datadog";

pub(super) const CONFIG: &str = "\
Examples:
  pagerduty-dora config example > config.toml
  pagerduty-dora config show";

pub(super) const CONFIG_EXAMPLE: &str = "\
Example:
  pagerduty-dora config example > config.toml";

pub(super) const CONFIG_SHOW: &str = "\
Example:
  pagerduty-dora --config config.toml config show";

pub(super) const BACKUP: &str = "\
Examples:
  pagerduty-dora backup /backup/pagerduty-dora.db
  pagerduty-dora backup --keep 7 /backup/pagerduty-dora.db    also keeps the seven before
  pagerduty-dora backup --systemd FILE         of a database, with the password of the packaged unit

To restore one, stop the daemon, copy it to store.path, and start the daemon.";

pub(super) const STORE: &str = "\
Examples:
  pagerduty-dora store copy --to postgres://dora@db1,db2/dora
  pagerduty-dora store copy --to copy.db";

pub(super) const STORE_COPY: &str = "\
Examples:
  pagerduty-dora store copy --to postgres://dora@db1,db2/dora
  pagerduty-dora store copy --to sqlite:/var/lib/pagerduty-dora/pagerduty-dora.db
  pagerduty-dora store copy --systemd --to postgres://…    with the password of the packaged unit

Stop the daemons first. PagerDuty sends again meanwhile. The store of the configuration is the
source, and stays as it is. For a database, the password and the certificates are those of [store]
(password and certificate_authority may stand beside path), or come from PostgreSQL's password file
and from the system. After the copy, set store.url or store.path to the new store, and start the
daemons.";

pub(super) const HEALTH: &str = "\
Example:
  pagerduty-dora health        says why not, if the daemon is not ready";

pub(super) const COMPLETIONS: &str = "\
Examples:
  pagerduty-dora completions bash > /etc/bash_completion.d/pagerduty-dora
  pagerduty-dora completions fish > ~/.config/fish/completions/pagerduty-dora.fish";

pub(super) const MAN: &str = "\
Example:
  pagerduty-dora man > /usr/local/share/man/man1/pagerduty-dora.1";
