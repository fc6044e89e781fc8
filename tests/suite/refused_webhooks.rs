//! Refused webhooks in the metrics, on the dashboard and in the log.

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::engine::ports_and_store;
use crate::harness::{Daemon, SECRET, client, event_of, fixture};
use crate::intake::signature;
use crate::process::Process;

/// A webhook that is refused: headers, body, path, `status` label of the metrics, and status of the answer.
type Refused = (Vec<(&'static str, String)>, String, &'static str, &'static str, u16);

/// A refused webhook for each reason.
fn refused() -> Vec<Refused> {
    let body = fixture("incident.triggered");
    let path = "/webhooks/pagerduty";
    let signed = |signature: String| vec![("x-pagerduty-signature", signature)];
    let wrong = signed(signature("another-secret-of-16", &body));
    vec![
        (vec![], body.clone(), path, "no_signature", 401),
        (signed("v1=nonsense".to_owned()), body.clone(), path, "malformed_signature", 401),
        (wrong.clone(), body.clone(), path, "wrong_signature", 401),
        (vec![], "{\"messages\":[]}".to_owned(), path, "legacy", 401),
        (vec![], " ".repeat(600_000), path, "too_large", 413),
        (vec![("content-encoding", "gzip".to_owned())], body.clone(), path, "unsupported_encoding", 415),
        (wrong, body, "/webhooks/pagerdut", "no_such_path", 404),
    ]
}

async fn post(client: &reqwest::Client, url: String, headers: &[(&str, String)], body: String) -> u16 {
    let mut request = client.post(url).body(body);
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    let response = request.send().await.unwrap();
    assert_eq!(response.headers()["connection"], "close", "{response:?}");
    response.status().as_u16()
}

#[tokio::test]
async fn a_refused_webhook_is_counted_by_its_reason_and_shown_until_one_is_accepted() {
    const ACCEPTED: &str = "pagerduty_dora_last_accepted_timestamp_seconds{source=\"pagerduty\"} ";
    const REFUSED: &str = "pagerduty_dora_last_refused_timestamp_seconds{source=\"pagerduty\"} ";
    let daemon = Daemon::start("").await;
    let at = async |daemon: &Daemon, metric: &str| -> f64 {
        let text = daemon.get("/metrics").await.body;
        text.lines().find_map(|line| line.strip_prefix(metric)).unwrap().parse().unwrap()
    };
    assert_eq!((at(&daemon, ACCEPTED).await, at(&daemon, REFUSED).await), (0.0, 0.0));
    for (headers, body, path, status, expected) in refused() {
        daemon.clock.advance(std::time::Duration::from_mins(20));
        let answered = post(&daemon.client, format!("http://{}{path}", daemon.public), &headers, body).await;
        assert_eq!(answered, expected, "{status}");
        let counter = format!("pagerduty_dora_webhooks_total{{source=\"pagerduty\",status=\"{status}\"}} ");
        assert!((at(&daemon, &counter).await - 1.0).abs() < 0.1, "{status}");
        assert!(at(&daemon, REFUSED).await > at(&daemon, ACCEPTED).await, "{status}");
        let page = daemon.get("/").await.body;
        assert!(page.contains("<span class=\"bad\">The last one was refused"), "{status}: {page}");
        daemon.clock.advance(std::time::Duration::from_secs(1));
        daemon
            .expect(event_of("incident.triggered", &format!("Q{}", status.to_uppercase())), "accepted")
            .await;
        assert!(at(&daemon, ACCEPTED).await > at(&daemon, REFUSED).await, "{status}");
        assert!(!daemon.get("/").await.body.contains("<span class=\"bad\">The last one was refused"));
    }
    let accepted_at = at(&daemon, ACCEPTED).await;
    let daemon = daemon.restart("").await;
    assert_eq!((at(&daemon, ACCEPTED).await, at(&daemon, REFUSED).await), (accepted_at, 0.0));
}

#[tokio::test]
async fn a_post_that_is_no_webhook_is_counted_and_not_shown() {
    let daemon = Daemon::start("").await;
    let url = format!("http://{}/cgi-bin/\u{202e}luci", daemon.public);
    assert_eq!(post(&daemon.client, url, &[], String::new()).await, 404);
    let text = daemon.get("/metrics").await.body;
    for line in [
        "pagerduty_dora_webhooks_total{source=\"unknown\",status=\"no_such_path\"} 1",
        "pagerduty_dora_last_refused_timestamp_seconds{source=\"pagerduty\"} 0.0",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
    assert!(!daemon.get("/").await.body.contains("was refused"));
}

#[tokio::test]
async fn a_wrong_signature_that_is_answered_503_is_shown_too() {
    let daemon = Daemon::start("[pagerduty]\nunverified = \"retry\"").await;
    let wrong = signature("another-secret-of-16", "{}");
    let answer = daemon.deliver_with(&[("x-pagerduty-signature", &wrong)], "{}").await;
    assert_eq!((answer.status, &answer.headers["connection"]), (503, &"close".parse().unwrap()));
    let page = daemon.get("/").await.body;
    assert!(
        page.contains("<span class=\"bad\">The last one was refused") && page.contains("48 hours"),
        "{page}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn each_reason_is_one_line_in_the_log_that_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.toml");
    std::fs::write(&config, ports_and_store(folder.path())).unwrap();
    let (process, listening) = Process::start(&config);
    for _ in 0..3 {
        for (headers, body, path, _, expected) in refused() {
            let answered =
                post(&client(), format!("http://{}{path}", listening.public), &headers, body).await;
            assert_eq!(answered, expected, "{path}");
        }
        post(&client(), format!("http://{}/api/v2/dora/deploy", listening.public), &[], "{}".to_owned())
            .await;
        let key = [("dd-api-key", "unknown".to_owned())];
        let url = format!("http://{}/api/v2/dora/deployment", listening.public);
        assert_eq!(post(&client(), url, &key, "{}".to_owned()).await, 404);
    }
    let log = process.terminate();
    for (_, _, _, status, _) in refused() {
        let is_of_reason =
            |line: &&str| line.contains(&format!("\"{status}\"")) && !line.contains("a POST request");
        let lines: Vec<&str> = log.lines().filter(is_of_reason).collect();
        assert_eq!(lines.len(), 1, "{status}: {log}");
        assert!(lines[0].contains("127.0.0.1:") && lines[0].contains("a webhook was refused"), "{log}");
    }
    for words in [
        "a POST request was refused: there is nothing at /api/v2/dora/deploy.",
        "/webhooks/pagerdut;",
        "V1 or V2",
        "the event API is off: set [events_api] keys",
    ] {
        assert_eq!(log.matches(words).count(), 1, "{words}: {log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_to_the_wrong_port_and_a_request_in_tls_are_logged() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.toml");
    std::fs::write(&config, ports_and_store(folder.path())).unwrap();
    let (process, listening) = Process::start(&config);
    let body = fixture("incident.triggered");
    let signed = signature(SECRET, &body);
    for _ in 0..2 {
        let url = format!("http://{}/webhooks/pagerduty", listening.admin);
        let answer = client().post(url).header("x-pagerduty-signature", &signed).body(body.clone());
        assert_eq!(answer.send().await.unwrap().status(), 404);
        // The first bytes of a TLS handshake.
        let mut socket = tokio::net::TcpStream::connect(listening.public).await.unwrap();
        socket.write_all(b"\x16\x03\x01\x00\xf4\x01\x00\x00\xf0\x03\x03\r\n\r\n").await.unwrap();
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer).await.unwrap();
    }
    // The program's own commands post to the admin listener, too.
    let own = [("user-agent", concat!("pagerduty-dora/", env!("CARGO_PKG_VERSION")).to_owned())];
    post(&client(), format!("http://{}/api/v1/outbox/1/retry", listening.admin), &own, String::new()).await;
    let metrics = client().get(format!("http://{}/metrics", listening.admin)).send().await.unwrap();
    let counted = "pagerduty_dora_webhooks_total{source=\"pagerduty\",status=\"no_such_path\"} 2";
    assert!(metrics.text().await.unwrap().lines().any(|line| line == counted));
    let log = process.terminate();
    for words in ["it was sent to the admin listener", "it is not HTTP"] {
        assert_eq!(log.matches(words).count(), 1, "{words}: {log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invalid_request_to_the_event_api_is_one_line_in_the_log_with_its_reason() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.toml");
    let key = "a-key-of-the-event-api";
    let text = format!("{}[events_api]\nkeys = [{{ value = \"{key}\" }}]\n", ports_and_store(folder.path()));
    std::fs::write(&config, text).unwrap();
    let (process, listening) = Process::start(&config);
    let url = format!("http://{}/api/v2/dora/deployment", listening.public);
    for _ in 0..3 {
        let body = json!({ "data": { "attributes": { "service": "a", "started_at": "yesterday" } } });
        let request = client().post(&url).header("dd-api-key", key).body(body.to_string());
        assert_eq!(request.send().await.unwrap().status(), 400);
    }
    let page =
        client().get(format!("http://{}/", listening.admin)).send().await.unwrap().text().await.unwrap();
    assert!(page.contains("and is in no figure: attribute &quot;started_at&quot;"), "{page}");
    let log = process.terminate();
    let lines: Vec<&str> = log.lines().filter(|line| line.contains("is in no figure")).collect();
    assert_eq!(lines.len(), 1, "{log}");
    assert!(lines[0].contains("started_at") && lines[0].contains("127.0.0.1:"), "{log}");
}
