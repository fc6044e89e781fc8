//! The admin listener.

use serde_json::json;

use crate::harness::{Answer, Daemon, KEY, SECRET, event_of, fixture, story};
use crate::slow::exchange;

#[tokio::test]
async fn healthz_and_readyz_answer_200() {
    let daemon = Daemon::start("").await;
    assert_eq!(daemon.get("/healthz").await.status, 200);
    let ready = daemon.get("/readyz").await;
    assert_eq!((ready.status, ready.json()), (200, json!({ "status": "ready" })));
    assert_eq!(daemon.get("/webhooks/pagerduty").await.status, 404);
}

#[tokio::test]
async fn a_failure_has_the_fields_of_the_contract() {
    let daemon = Daemon::start(
        "[failure.severity]\nP1 = \"SEV-1\"\n[[service]]\npagerduty = \"PSVC001\"\nservices = [\"checkout\"]\nteam = \"payments\"",
    )
    .await;
    for event_type in ["incident.triggered", "incident.acknowledged", "incident.resolved"] {
        daemon.expect(fixture(event_type), "accepted").await;
    }
    let page = daemon.get("/api/v1/failures").await.body;
    let value: serde_json::Value = serde_json::from_str(&page).unwrap();
    insta::assert_snapshot!(serde_json::to_string_pretty(&value).unwrap());
}

#[tokio::test]
async fn listings_are_filtered_and_paged() {
    let daemon = Daemon::start("").await;
    for n in 0..7 {
        daemon.expect(event_of("incident.triggered", &format!("QOPEN{n}")), "accepted").await;
    }
    daemon.expect(event_of("incident.resolved", "QDONE"), "accepted").await;
    let count = async |query: &str| {
        let answer = daemon.get(&format!("/api/v1/failures{query}")).await;
        answer.json()["failures"].as_array().unwrap().len()
    };
    assert_eq!(count("").await, 8);
    assert_eq!(count("?state=open").await, 7);
    assert_eq!(count("?state=completed").await, 1);
    assert_eq!(count("?service=Checkout%20API").await, 8);
    assert_eq!(count("?service=nobody").await, 0);
    assert_eq!(count("?service=%20Checkout%20API%20").await, 8, "blanks around a name do not count");
    assert_eq!(
        count("?service=%20&since=&cursor=").await,
        count("").await,
        "a blank parameter counts as absent"
    );
    assert_eq!(count("?since=2026-11-01").await, 8);
    assert_eq!(count("?since=2026-11-02").await, 0);
    assert_eq!(count("?since=30d").await, 8);

    let (mut seen, mut query) = (Vec::new(), "?limit=3".to_owned());
    // Three pages are expected. More are allowed, in case the last page wrongly has a successor.
    for _ in 0..5 {
        let page = daemon.get(&format!("/api/v1/failures{query}")).await.json();
        seen.extend(page["failures"].as_array().unwrap().iter().map(|failure| failure["id"].clone()));
        let Some(next) = page["next"].as_str() else { break };
        query = format!("?limit=3&cursor={next}");
    }
    let distinct: std::collections::HashSet<_> = seen.iter().map(ToString::to_string).collect();
    assert_eq!((seen.len(), distinct.len()), (8, 8));
}

#[tokio::test]
async fn bad_queries_say_what_is_wrong() {
    let daemon = Daemon::start("").await;
    for (query, word) in
        [("?state=shut", "state"), ("?since=soon", "since"), ("?cursor=x", "cursor"), ("?stat=open", "stat")]
    {
        let answer = daemon.get(&format!("/api/v1/failures{query}")).await;
        assert_eq!((answer.status, answer.json()["error"].as_str()), (400, Some("bad_query")));
        assert!(answer.json()["detail"].as_str().unwrap().contains(word), "{answer:?}");
    }
    let states = "Allowed: open, completed, ignored, merged";
    let next = "cursor: use the `next` value of a previous page";
    for (path, detail) in [
        ("failures?state=shut", format!("state: \"shut\" is not known. {states}")),
        ("failures?cursor=x", format!("invalid {next}")),
        ("failures?limit=0", "limit: \"0\" is not a number from 1 to 1000".to_owned()),
        ("report?by=foo", "by: \"foo\" is not known. Allowed: service, team, env, severity, none".to_owned()),
        ("report?interval=year", "interval: \"year\" is not known. Allowed: day, week, month".to_owned()),
        ("outbox?cursor=x", format!("invalid {next}")),
        ("outbox?limit=0", "limit: \"0\" is not a number from 1 to 1000".to_owned()),
        ("outbox?backend=nope", "backend: unknown backend \"nope\"; known: none".to_owned()),
        ("quarantine?cursor=x", format!("invalid {next}")),
        ("quarantine?page=2", "\"page\" is not a known parameter. Known: limit, cursor".to_owned()),
    ] {
        let answer = daemon.get(&format!("/api/v1/{path}")).await;
        assert_eq!((answer.status, answer.json()["error"].as_str()), (400, Some("bad_query")), "{path}");
        assert_eq!(answer.json()["detail"], detail, "{path}");
    }
}

#[tokio::test]
async fn metrics_count_and_contain_no_names_or_secrets() {
    let daemon = Daemon::start("[[backend]]\nname = \"m\"\nkind = \"datadog\"\nurl = \"http://127.0.0.1:1\"\napi_key = { value = \"canary-key-of-the-test-suite\" }").await;
    for webhook in story() {
        daemon.deliver(webhook).await;
    }
    let text = daemon.get("/metrics").await.body;
    for line in [
        "pagerduty_dora_webhooks_total{source=\"pagerduty\",status=\"accepted\"} 35",
        "pagerduty_dora_webhooks_total{source=\"pagerduty\",status=\"duplicate\"} 1",
        "pagerduty_dora_webhooks_total{source=\"pagerduty\",status=\"ignored\"} 1",
        "pagerduty_dora_open_failures 1",
        "pagerduty_dora_quarantined 0",
        "pagerduty_dora_outbox_dead{backend=\"m\"} 0",
        "# TYPE pagerduty_dora_webhooks_total counter",
        "# TYPE pagerduty_dora_commit_seconds histogram",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
    let pending = text.lines().find(|line| line.starts_with("pagerduty_dora_outbox_pending{backend=\"m\"}"));
    assert_ne!(pending.unwrap().split(' ').nth(1), Some("0"));
    for secret in ["Q0PLAIN0STORY1", "error rate", "http://", SECRET, KEY, "# EOF"] {
        assert!(!text.contains(secret), "{secret} is in\n{text}");
    }
}

#[tokio::test]
async fn process_metrics_have_the_names_of_prometheus() {
    let daemon = Daemon::start("").await;
    let text = daemon.get("/metrics").await.body;
    for (name, kind) in [
        ("process_cpu_seconds_total", "counter"),
        ("process_resident_memory_bytes", "gauge"),
        ("process_virtual_memory_bytes", "gauge"),
        ("process_open_fds", "gauge"),
        ("process_max_fds", "gauge"),
        ("process_threads", "gauge"),
        ("process_start_time_seconds", "gauge"),
    ] {
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        let value: f64 = value.unwrap_or_else(|| panic!("no {name} in\n{text}")).parse().unwrap();
        assert!(value > 0.0, "{name} {value}");
        assert!(text.contains(&format!("# TYPE {name} {kind}\n")), "{name} is no {kind}");
    }
    let dropped = "pagerduty_dora_log_lines_dropped_total ";
    assert!(text.lines().any(|line| line.starts_with(dropped)), "{text}");
}

#[tokio::test]
async fn only_known_hosts_are_answered() {
    let daemon = Daemon::start("[admin]\nhosts = [\"dora.internal\"]").await;
    let ask = async |method: &str, path: &str, host: &str| {
        let url = format!("http://{}{path}", daemon.admin);
        let request = daemon.client.request(method.parse().unwrap(), url).header("host", host);
        Answer::of(request.send().await.unwrap()).await
    };
    let paths =
        ["/", "/metrics", "/style.css", "/openapi.json", "/api/v1/failures", "/api/v1/report", "/nothing"];
    for path in paths {
        let refused = ask("GET", path, "evil.example:8081").await;
        assert_eq!((refused.status, &refused.json()["error"]), (421, &json!("unknown_host")), "{path}");
        assert!(refused.body.contains("[admin] hosts"), "{refused:?}");
        assert_eq!(refused.headers["cache-control"], "no-store", "{path}");
        for host in ["localhost:8081", "127.0.0.1", "[::1]:1", "dora.internal", "DORA.INTERNAL:443"] {
            let answer = ask("GET", path, host).await;
            assert_eq!(answer.status, if path == "/nothing" { 404 } else { 200 }, "{path} of {host}");
            assert_eq!(answer.headers["cache-control"], "no-store", "{path}");
        }
    }
    for path in ["/api/v1/outbox/1/retry", "/outbox/1/retry", "/api/v1/reevaluate"] {
        assert_eq!(ask("POST", path, "evil.example").await.status, 421, "{path}");
    }
    for path in ["/healthz", "/readyz"] {
        assert_eq!(ask("GET", path, "whoever.asks").await.status, 200, "{path}");
    }
    let whole_url = "GET http://evil.example/api/v1/failures HTTP/1.1\r\nhost: localhost\r\n\r\n";
    assert!(exchange(daemon.admin, whole_url.as_bytes()).await.starts_with("HTTP/1.1 421"));
    for hosts in ["", "host: localhost\r\nhost: evil.example\r\n"] {
        let request = format!("GET /healthz HTTP/1.1\r\n{hosts}\r\n");
        for address in [daemon.admin, daemon.public] {
            assert!(exchange(address, request.as_bytes()).await.starts_with("HTTP/1.1 400"), "{hosts:?}");
        }
    }
}
