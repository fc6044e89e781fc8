//! The Grafana dashboard and the alert rules use only metrics and labels that `/metrics` has.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Value, json};

use crate::deployment_webhooks::both;
use crate::harness::{Backend, Daemon, event_of, eventually};

const DASHBOARD: &str = include_str!("../../packaging/grafana/pagerduty-dora.json");
const ALERTS: &str = include_str!("../../packaging/prometheus/alerts.yml");

/// Metrics that a daemon has only with a database that replicas share.
const OF_REPLICAS: &str = "\
pagerduty_dora_leases{backend=\"metrics\"} 1
pagerduty_dora_replicas 1
pagerduty_dora_stepped_back 0
pagerduty_dora_store_reconnects_total 0
pagerduty_dora_turn_wait_seconds_bucket{le=\"1.0\"} 0
pagerduty_dora_unfolded 0
";

/// Words other than metrics that an expression may have.
const WORDS: [&str; 16] = [
    "absent",
    "and",
    "by",
    "delta",
    "histogram_quantile",
    "increase",
    // Prometheus adds this label.
    "instance",
    "max",
    "min",
    "on",
    "or",
    "rate",
    "sum",
    "time",
    "topk",
    "unless",
];

fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).unwrap()
}

static STRING: LazyLock<Regex> = LazyLock::new(|| regex(r#""[^"]*""#));
static SELECTOR: LazyLock<Regex> = LazyLock::new(|| regex(r"(\w+)?\{([^}]*)\}"));
static MATCHER: LazyLock<Regex> = LazyLock::new(|| regex(r#"(\w+)\s*(?:=~|!~|!=|=)\s*"([^"]*)""#));
static RANGE: LazyLock<Regex> = LazyLock::new(|| regex(r"\[[^\]]*\]"));
static GROUPING: LazyLock<Regex> = LazyLock::new(|| regex(r"\bby \(([^)]*)\)"));
static IDENTIFIER: LazyLock<Regex> = LazyLock::new(|| regex(r"\b[a-zA-Z_]\w*"));
static LEGEND: LazyLock<Regex> = LazyLock::new(|| regex(r"\{\{\s*(?:\$labels\.)?(\w+)\s*\}\}"));
static VARIABLE: LazyLock<Regex> = LazyLock::new(|| regex(r"^label_values\((.*), (\w+)\)$"));

/// The text up to the bracket that closes its first bracket.
fn argument(text: &str) -> &str {
    let mut depth = 0;
    let end = text.find(|letter| {
        depth += match letter {
            '(' => 1,
            ')' => -1,
            _ => 0,
        };
        letter == ')' && depth == 0
    });
    &text[..end.unwrap_or(text.len())]
}

/// The values of each label of each metric.
struct Exported(BTreeMap<String, BTreeMap<String, BTreeSet<String>>>);

impl Exported {
    fn of(text: &str) -> Self {
        let mut exported = BTreeMap::<_, BTreeMap<_, BTreeSet<_>>>::new();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let name = IDENTIFIER.find(line).unwrap().as_str().to_owned();
            let labels = exported.entry(name).or_default();
            for matcher in MATCHER.captures_iter(line) {
                labels.entry(matcher[1].to_owned()).or_default().insert(matcher[2].to_owned());
            }
        }
        Self(exported)
    }

    fn label(&self, metric: &str, label: &str, expression: &str) -> &BTreeSet<String> {
        let metric = self.0.get(metric).unwrap_or_else(|| panic!("there is no {metric}: {expression}"));
        metric.get(label).unwrap_or_else(|| panic!("there is no label {label}: {expression}"))
    }

    /// Checks every name in an expression. Returns its metrics, and the labels of its result.
    fn check(&self, expression: &str) -> (BTreeSet<String>, BTreeSet<String>) {
        let mut metrics = BTreeSet::new();
        for selector in SELECTOR.captures_iter(expression) {
            let matchers: Vec<_> = MATCHER.captures_iter(&selector[2]).collect();
            let named = selector.get(1).map(|name| name.as_str());
            let named = named.or_else(|| {
                let by_label = matchers.iter().find(|matcher| &matcher[1] == "__name__");
                by_label.map(|matcher| matcher.get(2).unwrap().as_str())
            });
            for name in named.unwrap_or_else(|| panic!("no metric: {expression}")).split('|') {
                for matcher in matchers.iter().filter(|matcher| &matcher[1] != "__name__") {
                    let values = self.label(name, &matcher[1], expression);
                    for value in matcher[2].split('|').filter(|value| !value.contains('$')) {
                        assert!(
                            values.contains(value),
                            "no {name} has the {} {value}: {expression}",
                            &matcher[1]
                        );
                    }
                }
                metrics.insert(name.to_owned());
            }
        }
        let bare = SELECTOR.replace_all(expression, "$1");
        let bare = RANGE.replace_all(&bare, "");
        let bare = STRING.replace_all(&bare, "");
        let groupings: Vec<String> =
            GROUPING.captures_iter(&bare).map(|grouping| grouping[1].to_owned()).collect();
        for name in IDENTIFIER.find_iter(&GROUPING.replace_all(&bare, "")).map(|name| name.as_str()) {
            if !WORDS.contains(&name) {
                assert!(self.0.contains_key(name), "{name} is neither known nor a metric: {expression}");
                metrics.insert(name.to_owned());
            }
        }
        assert!(!metrics.is_empty(), "no metric: {expression}");
        for grouping in GROUPING.captures_iter(&bare) {
            let rest = &bare[grouping.get(0).unwrap().end()..];
            for metric in IDENTIFIER.find_iter(argument(rest)).filter(|name| metrics.contains(name.as_str()))
            {
                // Prometheus adds the label `instance`.
                for label in grouping[1].split(", ").filter(|label| *label != "instance") {
                    self.label(metric.as_str(), label, expression);
                }
            }
        }
        // The outermost grouping comes first.
        let outermost = groupings.first().map(|grouping| grouping.split(", ").map(str::to_owned).collect());
        (metrics, outermost.unwrap_or_default())
    }

    /// Checks that the result of the expression has each label that the text inserts.
    fn check_text(&self, expression: &str, text: &str) {
        let (_, labels) = self.check(expression);
        for label in LEGEND.captures_iter(text) {
            assert!(
                labels.contains(&label[1]),
                "the result of {expression} has no label {}: {text}",
                &label[1]
            );
        }
    }
}

/// `/metrics` of a daemon in which every metric has a series.
async fn metrics() -> String {
    let mut backend = Backend::start().await;
    // Nobody listens there. A failed reading has all series, too.
    let api = "[github]\nurl = \"http://127.0.0.1:9/api/v3\"\ntoken = { value = \"canary\" }\n";
    let sources = both().replace("[github]\n", api);
    let daemon = Daemon::start(&(backend.entry("metrics") + &sources)).await;
    let attributes =
        json!({ "service": "Checkout API", "team": "Payments", "started_at": "2026-11-01T09:30:00Z" });
    let deployed =
        daemon.events_api("POST", "/deployment", &json!({ "data": { "attributes": attributes } })).await;
    assert_eq!(deployed.status, 200);
    // A 90th percentile needs ten.
    for number in 0..10 {
        daemon.expect(event_of("incident.resolved", &format!("QMETRICS{number:02}")), "accepted").await;
        backend.next().await;
    }
    eventually("metrics of attempts and of incidents", async || {
        let text = daemon.get("/metrics").await.body;
        let is_whole =
            text.contains("pagerduty_dora_forward_attempts_total{") && text.contains("dora_incidents{");
        is_whole.then_some(text)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_grafana_dashboard_shows_exactly_the_existing_metrics() {
    let exported = Exported::of(&all_metrics().await);
    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    let mut names = BTreeSet::new();
    for variable in dashboard["templating"]["list"].as_array().unwrap() {
        names.insert(variable["name"].as_str().unwrap().to_owned());
        let Some(query) = variable["query"]["query"].as_str() else { continue };
        assert_eq!(variable["definition"], query);
        let parts = VARIABLE.captures(query).unwrap_or_else(|| panic!("{query}"));
        for metric in exported.check(&parts[1]).0 {
            exported.label(&metric, &parts[2], query);
        }
    }
    assert_eq!(names.into_iter().collect::<Vec<_>>(), ["datasource", "env", "service", "team", "window"]);

    let panels = dashboard["panels"].as_array().unwrap();
    let mut shown = BTreeSet::new();
    let (mut ids, mut places) = (BTreeSet::new(), BTreeSet::new());
    for panel in panels {
        assert!(ids.insert(panel["id"].to_string()), "{panel}");
        let place = |side: &str| panel["gridPos"][side].as_u64().unwrap();
        for x in place("x")..place("x") + place("w") {
            for y in place("y")..place("y") + place("h") {
                assert!(x < 24 && places.insert((x, y)), "{} overlaps another panel", panel["title"]);
            }
        }
        for target in panel["targets"].as_array().into_iter().flatten() {
            assert_eq!(target["datasource"], json!({ "type": "prometheus", "uid": "${datasource}" }));
            let expression = target["expr"].as_str().unwrap();
            exported.check_text(expression, target["legendFormat"].as_str().unwrap());
            shown.extend(exported.check(expression).0);
        }
    }
    let bare = |name: &str| regex("_(bucket|sum|count)$").replace(name, "").into_owned();
    let shown: BTreeSet<String> = shown.iter().map(|name| bare(name)).collect();
    let existing: BTreeSet<String> = exported.0.keys().map(|name| bare(name)).collect();
    assert_eq!(shown, existing, "the dashboard shows exactly the existing metrics");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_alert_rules_use_only_existing_metrics_and_labels() {
    let exported = Exported::of(&all_metrics().await);
    let rules: Value = serde_saphyr::from_str(ALERTS).unwrap();
    for rule in rules["groups"][0]["rules"].as_array().unwrap() {
        let expression = rule["expr"].as_str().unwrap();
        assert!(rule["alert"].is_string() && rule["labels"]["severity"].is_string(), "{rule}");
        for text in ["summary", "description"] {
            exported.check_text(expression, rule["annotations"][text].as_str().unwrap());
        }
    }
}

/// `/metrics` of a daemon with a file, and those that only replicas have.
async fn all_metrics() -> String {
    let metrics = metrics().await;
    metrics.lines().chain(OF_REPLICAS.lines()).flat_map(|line| [line, "\n"]).collect()
}

/// Runs promtool with this standard input. Returns whether it succeeded, and its output. `None` if it is not installed.
fn promtool(arguments: &[&str], input: &str) -> Option<(bool, String)> {
    let command = Command::new("promtool")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut running) = command else {
        assert!(std::env::var_os("REQUIRE_ALL").is_none(), "promtool is missing");
        println!("skipped: promtool is not installed");
        return None;
    };
    running.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = running.wait_with_output().unwrap();
    let printed = [output.stdout, output.stderr].concat();
    Some((output.status.success(), String::from_utf8(printed).unwrap()))
}

#[test]
fn promtool_accepts_the_rules() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/packaging/prometheus/alerts.yml");
    if let Some((is_good, printed)) = promtool(&["check", "rules", file], "") {
        assert!(is_good, "{printed}");
    }
}

/// Alerts that fire 30 minutes after the start, by these series. `None` if promtool is not installed.
fn check_alerts(series: &[(&str, &str)], expected: &[&str]) -> Option<()> {
    let alerts = [
        "PagerdutyDoraWebhooksRefused",
        "PagerdutyDoraSomeWebhooksRefused",
        "PagerdutyDoraDeploymentWebhooksRefused",
        "PagerdutyDoraStoreCannotCommit",
        "PagerdutyDoraStoreUnreadable",
    ];
    let folder = tempfile::tempdir().unwrap();
    let rules = concat!(env!("CARGO_MANIFEST_DIR"), "/packaging/prometheus/alerts.yml");
    let series: Vec<Value> =
        series.iter().map(|(series, values)| json!({"series": series, "values": values})).collect();
    // `promql_expr_test` needs no copy of each alert's texts.
    let expressions: Vec<Value> = alerts
        .iter()
        .map(|alert| {
            let is_firing = expected.contains(alert);
            let samples = if is_firing { json!([{"labels": "{}", "value": 1}]) } else { json!([]) };
            let expr = format!("count(ALERTS{{alertname=\"{alert}\",alertstate=\"firing\"}})");
            json!({"expr": expr, "eval_time": "30m", "exp_samples": samples})
        })
        .collect();
    let tests = json!({
        "rule_files": [rules],
        "evaluation_interval": "1m",
        "tests": [{"interval": "1m", "input_series": series, "promql_expr_test": expressions}],
    });
    let file = folder.path().join("tests.yml");
    std::fs::write(&file, tests.to_string()).unwrap();
    let (is_good, printed) = promtool(&["test", "rules", file.to_str().unwrap()], "")?;
    assert!(is_good, "{expected:?}: {printed}");
    Some(())
}

#[test]
fn alerts_tell_a_wrong_secret_a_second_subscription_and_a_stranger_apart() {
    const ACCEPTED: &str = "pagerduty_dora_last_accepted_timestamp_seconds{source=\"pagerduty\"}";
    const REFUSED: &str = "pagerduty_dora_last_refused_timestamp_seconds{source=\"pagerduty\"}";
    let counter =
        |status| format!("pagerduty_dora_webhooks_total{{source=\"pagerduty\",status=\"{status}\"}}");
    let (wrong, unsigned) = (counter("wrong_signature"), counter("no_signature"));
    let (critical, warning) = ("PagerdutyDoraWebhooksRefused", "PagerdutyDoraSomeWebhooksRefused");
    for (counter, accepted, refused, expected) in [
        (&wrong, "100x40", "200x40", &[critical, warning][..]),
        (&wrong, "300x40", "200x40", &[warning]),
        (&unsigned, "100x40", "200x40", &[warning]),
    ] {
        let increase = (counter.as_str(), "0x19 1x20");
        if check_alerts(&[(ACCEPTED, accepted), (REFUSED, refused), increase], expected).is_none() {
            return;
        }
        assert!(check_alerts(&[(ACCEPTED, accepted), (REFUSED, "0x40"), (counter, "0x40")], &[]).is_some());
    }
}

#[test]
fn a_refused_webhook_of_github_has_an_alert_of_its_own() {
    const ACCEPTED: &str = "pagerduty_dora_last_accepted_timestamp_seconds{source=\"github\"}";
    const REFUSED: &str = "pagerduty_dora_last_refused_timestamp_seconds{source=\"github\"}";
    const WRONG: &str = "pagerduty_dora_webhooks_total{source=\"github\",status=\"wrong_signature\"}";
    let alert = "PagerdutyDoraDeploymentWebhooksRefused";
    for (accepted, expected) in [("100x40", &[alert][..]), ("300x40", &[])] {
        if check_alerts(&[(ACCEPTED, accepted), (REFUSED, "200x40"), (WRONG, "0x19 1x20")], expected)
            .is_none()
        {
            return;
        }
    }
}

#[test]
fn a_short_failover_of_the_database_pages_nobody_and_a_long_one_does() {
    const REFUSED: &str = "pagerduty_dora_writes_refused_total";
    const UNREAD: &str = "pagerduty_dora_store_read_failures_total";
    let critical = ["PagerdutyDoraStoreCannotCommit", "PagerdutyDoraStoreUnreadable"];
    // The first failover is four minutes ago at the check: an alert with a shorter `for` would fire.
    for (values, expected) in [("0x25 9x20", &[][..]), ("0x24 1+1x20", &critical)] {
        if check_alerts(&[(REFUSED, values), (UNREAD, values)], expected).is_none() {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn promtool_accepts_the_metrics() {
    if let Some(result) = promtool(&["check", "metrics"], &metrics().await) {
        assert_eq!(result, (true, String::new()));
    }
}
