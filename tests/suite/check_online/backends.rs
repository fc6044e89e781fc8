//! What `check` says about backends.

use super::fakes::{Answer, HTML, REDIRECT, Server, nobody};
use super::{CONNECTION, DATADOG_KEY, DATADOG_KEYS, DEVLAKE_SECRET, backend, run};
use crate::outgoing_connections::serve_tls;

/// Checks a backend that gives each request this answer, and its line.
async fn odd(kind: &str, answer: Answer, mark: &str, text: &str) {
    let server = Server::that_answers(answer).await;
    let (path, more) = match kind {
        "devlake" => (CONNECTION, DEVLAKE_SECRET),
        "datadog" | "datadog-metrics" => ("/", DATADOG_KEY),
        _ => ("/in", ""),
    };
    let url = format!("http://{}{path}", server.address);
    let (status, printed) = run(&backend("odd", kind, &url, more), &[], &[]);
    let line = format!("{mark:<6} backend odd: {url} {text}");
    assert!(printed.contains(&line), "{line}\n{printed}");
    assert_eq!(status, i32::from(mark == "failed"), "{printed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_answers_are_named() {
    const INVALID: Answer = (200, &[], "{\"valid\":false}");
    const NOT_FOUND: Answer = (404, &[], "");
    const REPEATS: Answer = (403, &[], "no key canary-good-api-key \u{202e} here");
    const UNAVAILABLE: Answer = (503, &[], "down for\nmaintenance");
    let redirects = "redirects to https://login.example (HTTP 302), and redirects are not followed";
    let only_reached = "can be reached. Nothing was sent: only the first event shows whether";
    for kind in ["datadog", "datadog-metrics"] {
        let page = "is not Datadog's API: it answers GET /api/v1/validate with HTTP 200 and a page of HTML";
        odd(kind, HTML, "failed", page).await;
        odd(kind, REDIRECT, "failed", redirects).await;
        odd(kind, INVALID, "failed", "does not accept api_key (HTTP 200: {\"valid\":false}): put").await;
        odd(kind, REPEATS, "failed", "does not accept api_key (HTTP 403: no key [redacted] · here): put")
            .await;
        odd(kind, UNAVAILABLE, "warn", "can be reached, but answers HTTP 503: down for maintenance. The")
            .await;
        let not_found =
            "can be reached, but answers GET /api/v1/validate with HTTP 404, so api_key was not tested";
        odd(kind, NOT_FOUND, "warn", not_found).await;
    }
    let page =
        "can be reached, but answers HTTP 200 and a page of HTML, also without a key, so api_key was not";
    odd("devlake", HTML, "warn", page).await;
    odd("devlake", REDIRECT, "failed", redirects).await;
    odd("devlake", UNAVAILABLE, "warn", "can be reached, but answers HTTP 503: down for maintenance").await;
    odd("devlake", NOT_FOUND, "warn", "can be reached, but answers HTTP 404, also without a key, so api")
        .await;
    for kind in ["cdevents", "http"] {
        odd(kind, UNAVAILABLE, "ok", only_reached).await;
        odd(kind, REDIRECT, "ok", only_reached).await;
    }
}

/// An application key cannot be tested where the API key can, as in older proxies.
#[tokio::test(flavor = "multi_thread")]
async fn an_application_key_that_cannot_be_tested_is_named() {
    let server = Server::start(|line, _| match line {
        "GET /api/v1/validate" => (200, &[], "{\"valid\":true}"),
        _ => (404, &[], ""),
    })
    .await;
    let entry = backend("b", "datadog", &format!("http://{}", server.address), DATADOG_KEYS);
    let (status, printed) = run(&entry, &[], &[]);
    let text = "accepts api_key, but answers GET /api/v2/validate_keys with HTTP 404, so application_key was not tested";
    assert!(status == 0 && printed.contains(text), "{printed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_keys_and_addresses_of_backends_fail() {
    let (datadog, devlake) = (Server::datadog().await, Server::devlake().await);
    let url = format!("http://{}", datadog.address);
    for kind in ["datadog", "datadog-metrics"] {
        let entry = backend("b", kind, &url, DATADOG_KEY);
        let (status, printed) = run(&entry, &[], &[("DD_KEY", "canary-other")]);
        let expected =
            "does not accept api_key (HTTP 403: {\"errors\":[\"Forbidden\"]}): put a valid API key";
        assert!(status == 1 && printed.contains(expected), "{printed}");
    }
    let entry = backend("b", "devlake", &format!("http://{}{CONNECTION}", devlake.address), DEVLAKE_SECRET);
    let (status, printed) = run(&entry, &[], &[("LAKE", "canary-other")]);
    assert!(status == 1 && printed.contains("does not accept api_key (HTTP 403: {"), "{printed}");
    assert!(printed.contains("api key is invalid\"}): put the API key of this connection"), "{printed}");
    let kinds = [
        ("datadog", "", DATADOG_KEY),
        ("datadog-metrics", "", DATADOG_KEY),
        ("devlake", CONNECTION, DEVLAKE_SECRET),
        ("cdevents", "", ""),
        ("http", "", ""),
    ];
    for (kind, path, more) in kinds {
        for host in [format!("http://{}", nobody()), "http://none.invalid".to_owned()] {
            let (status, printed) = run(&backend("b", kind, &format!("{host}{path}"), more), &[], &[]);
            assert!(status == 1 && printed.contains("cannot be reached ("), "{kind}: {printed}");
            assert!(printed.contains("check url, the backend, and the network"), "{kind}: {printed}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_are_checked_and_no_request_is_sent() {
    let (address, heads) = serve_tls();
    let entry = backend("sink", "cdevents", &format!("https://{address}"), "token = { env = \"SINK\" }");
    let (status, printed) = run(&entry, &[], &[]);
    assert!(status == 1 && printed.contains("correct the certificate of the backend, or trust"), "{printed}");
    assert!(heads.recv().unwrap().is_err());
    let trusted = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/suite/outgoing_connections/certificate.pem");
    let (status, printed) = run(&entry, &[], &[("SSL_CERT_FILE", trusted)]);
    assert!(status == 0 && printed.contains("can be reached. Nothing was sent"), "{printed}");
    assert!(heads.recv().unwrap().is_err(), "a request was sent");
    // Plain HTTP under an address with https.
    let plain = Server::datadog().await;
    let entry = backend("d", "datadog", &format!("https://{}", plain.address), DATADOG_KEY);
    let (status, printed) = run(&entry, &[], &[]);
    assert!(status == 1 && printed.contains("cannot be reached ("), "{printed}");
}
