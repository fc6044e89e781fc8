//! The pages of the dashboard, as a browser gets them.

use serde_json::json;

use crate::corrections::changed;
use crate::harness::{Backend, Daemon, KEY, event_of};

pub(crate) const HOSTILE: &str = "</title><script>alert(1)</script>\"' onload=x";

/// The addresses that a page links to, without those of its own parts and its icon.
pub(crate) fn links(page: &str) -> impl Iterator<Item = String> {
    let links =
        page.split("href=\"").skip(1).map(|part| part.split('"').next().unwrap().replace("&amp;", "&"));
    links.filter(|link| !link.starts_with('#') && link != "data:,")
}

/// The path at the daemon that a browser asks for when it follows a link of the page at `path`, while a proxy serves
/// the daemon under a path of its own. Checks that the link does not leave that path.
pub(crate) fn behind_a_proxy(path: &str, link: &str) -> String {
    let page = reqwest::Url::parse(&format!("https://proxy.example/tools/dora{path}")).unwrap();
    let url = page.join(link).unwrap();
    assert_eq!(url.host_str(), Some("proxy.example"), "{link}");
    let path =
        url.path().strip_prefix("/tools/dora").unwrap_or_else(|| panic!("{link} leaves the proxy's path"));
    url.query().map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"))
}

/// A daemon with an open failure, a completed one that the backend rejected, and a deployment.
pub(crate) async fn daemon_with_data(backend: &Backend) -> Daemon {
    backend.will_answer(&[(400, &[])]);
    let daemon = Daemon::start(&backend.entry("metrics")).await;
    let deployment = json!({ "service": "Checkout API", "started_at": "2026-11-18T09:30:00Z" });
    daemon.events_api("POST", "/deployment", &json!({ "data": { "attributes": deployment } })).await;
    let recent = |event: &mut serde_json::Value, day: &str| {
        event["occurred_at"] = format!("2026-11-{day}T10:42:10.500Z").into();
        event["data"]["created_at"] = format!("2026-11-{day}T10:00:00Z").into();
        event["data"]["title"] = HOSTILE.into();
    };
    let resolved = changed("incident.resolved", "QDASHBOARD1", "01KB-D1", |event| recent(event, "18"));
    daemon.expect(resolved, "accepted").await;
    let triggered = changed("incident.triggered", "QDASHBOARD2", "01KB-D2", |event| recent(event, "19"));
    daemon.expect(triggered, "accepted").await;
    daemon.until(|store| store.dead() > 0).await;
    daemon
}

#[tokio::test]
async fn pages_show_the_data_and_escape_it() {
    let backend = Backend::start().await;
    let daemon = daemon_with_data(&backend).await;
    for path in [
        "/",
        "/?days=90",
        "/?days=7&env=all&service=Checkout+API&all=services",
        "/?since=2026-11-01&until=2026-11-20&team=",
        "/failures",
        "/failures?state=open&service=Checkout+API",
        "/failures/QDASHBOARD1",
        "/failures/pagerduty:QDASHBOARD2",
        "/services/Checkout%20API",
        "/teams/Payments",
    ] {
        let page = daemon.get(path).await;
        assert_eq!(page.status, 200, "{path}");
        let policy = page.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        assert!(!page.body.contains("<script") && !page.body.contains("style="), "{path}: {}", page.body);
        assert!(page.body.contains("&lt;script&gt;"), "{path} shows the title");
        assert!(!page.body.contains(KEY));
        for link in links(&page.body).filter(|link| !link.starts_with("https://acme.pagerduty.com/")) {
            let path = behind_a_proxy(path, &link);
            // A deployment has a page once there is a route for it.
            if path.starts_with("/deployments/") {
                continue;
            }
            assert_eq!(daemon.get(&path).await.status, 200, "{link}");
        }
    }
    let page = daemon.get("/").await.body;
    for part in [
        "<a href=\"./\" aria-current=\"page\">Overview</a>",
        "<h2 id=\"health\">Health</h2>",
        "<summary>What is this?<span class=\"hidden\"> Change fail rate</span></summary>",
        "<summary>Table<span class=\"hidden\"> of the chart Deployments</span></summary>",
        "42m 11s <span class=\"quiet\">n\u{a0}=\u{a0}1</span>",
        "Open now <span class=\"bad\">1</span>",
        "1 of 1 failed",
        "median 42m 11s, n = 1: fewer than six, no 95 % interval",
        "<a href=\"./outbox\">1 dead letter</a>",
        "last webhook ",
        "2026-11-20 00:00",
        "not acknowledged",
    ] {
        assert!(page.contains(part), "{part} in {page}");
    }
    assert_eq!(daemon.get("/failures/QNOBODY001").await.status, 404);
}

#[tokio::test]
async fn a_dead_letter_is_retried_from_its_form_and_from_nowhere_else() {
    let backend = Backend::start().await;
    let daemon = daemon_with_data(&backend).await;
    let page = daemon.get("/outbox").await.body;
    let token = page.split("name=\"token\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let is_of_one = |action: &&str| action.ends_with("/retry") && !action.contains("group");
    let action = page.split('"').find(is_of_one).unwrap();
    let url = format!("http://{}{}", daemon.admin, behind_a_proxy("/outbox", action));
    let here = format!("http://{}", daemon.admin);
    let browser =
        reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build().unwrap();
    let post = async |origin: Option<&str>, token: &str| {
        let mut request = browser.post(&url).header("content-type", "application/x-www-form-urlencoded");
        if let Some(origin) = origin {
            request = request.header("origin", origin);
        }
        let answer = request.body(format!("token={token}")).send().await.unwrap();
        assert!(answer.status() == 303 || answer.headers()["content-type"] == "text/html; charset=utf-8");
        answer.status().as_u16()
    };
    for (origin, token) in [
        (Some("https://evil.example"), &*token),
        (None, &*token),
        (Some("null"), &*token),
        (Some(&*here), "guessed"),
        (Some(&*here), ""),
    ] {
        assert_eq!(post(origin, token).await, 403, "{origin:?}");
    }
    assert_eq!(daemon.probe().dead(), 1);
    assert_eq!(post(Some(&here), &token).await, 303);
    daemon.until(|store| store.sent() > 0).await;
    assert_eq!(post(Some(&here), &token).await, 409, "it was sent meanwhile");
}

#[tokio::test]
async fn mistakes_in_the_query_are_answered_in_words() {
    let daemon = Daemon::start("").await;
    for (query, words) in [
        ("days=8", "days: 8 is not 7, 30 or 90. For other periods use since=8d"),
        ("days=nonsense", "days: \\\"nonsense\\\" is not a number"),
        ("refresh=1", "refresh: 1 is not a number of seconds from 10 to 3600"),
        ("all=rows", "Allowed: services, teams"),
        ("nonsense=1", "is not a known parameter"),
        ("since=soon", "since: &quot;soon&quot; is not a time"),
        ("since=2026-11-02&until=2026-11-01", "since must be earlier than until"),
    ] {
        let page = daemon.get(&format!("/?{query}")).await;
        assert_eq!(page.status, 400, "{query}");
        assert!(page.body.contains(words), "{words} in {}", page.body);
    }
    assert_eq!(daemon.get("/").await.headers.get("refresh"), None);
    assert_eq!(daemon.get("/?refresh=60&days=7").await.headers["refresh"], "60");
}

#[tokio::test]
async fn the_most_severe_and_longest_open_failures_come_first() {
    let daemon = Daemon::start("").await;
    for n in 0..12_u32 {
        let (severity, day) = (["P1", "P2", "P3"][n as usize % 3], 10 + n / 3);
        let failure = json!({
            "services": ["search"], "name": format!("number {n}."), "severity": severity,
            "started_at": format!("2026-11-{day}T10:{n:02}:00Z"),
        });
        daemon.events_api("POST", "/failure", &json!({ "data": { "attributes": failure } })).await;
    }
    let numbers = async |path: &str| {
        let page = daemon.get(path).await.body;
        let open =
            page.split("<ul class=\"open card\">").nth(1).unwrap().split("</ul>").next().unwrap().to_owned();
        let numbers = open.split("number ").skip(1).map(|rest| rest.split('.').next().unwrap().to_owned());
        (numbers.collect::<Vec<_>>().join(" "), page)
    };
    let (first, page) = numbers("/").await;
    assert_eq!(first, "0 3 6 9 1");
    assert!(page.contains("<a href=\"./failures?state=open\">All 12 →</a>"), "{page}");
    let (first, page) = numbers("/?severity=P3").await;
    assert_eq!(first, "2 5 8 11");
    assert!(page.contains("Deployments have no severity") && !page.contains("All 4 →"), "{page}");
}

#[tokio::test]
async fn services_are_sorted_by_what_is_sure_and_the_list_is_short() {
    let daemon = Daemon::start("").await;
    for n in 0..13_u32 {
        let service = format!("service-{n:02}");
        for made in 0..if n == 7 { 8_u32 } else { 1 } {
            let deployment = json!({
                "service": service, "version": format!("v{made}"),
                "started_at": format!("2026-11-{:02}T09:00:00Z", 10 + made),
            });
            daemon.events_api("POST", "/deployment", &json!({ "data": { "attributes": deployment } })).await;
        }
        if n == 3 || n == 7 {
            for day in (10..16).take(if n == 7 { 6 } else { 1 }) {
                let failure = json!({
                    "services": [service], "started_at": format!("2026-11-{day}T10:00:00Z"),
                    "finished_at": format!("2026-11-{day}T10:30:00Z"),
                });
                daemon.events_api("POST", "/failure", &json!({ "data": { "attributes": failure } })).await;
            }
        }
    }
    let page = daemon.get("/").await.body;
    let rows = page.split("id=\"services\"").nth(1).unwrap().split("id=\"teams\"").next().unwrap();
    let rows: Vec<&str> = rows.split("<tr><th scope=\"row\">").skip(1).collect();
    let table = &rows[rows.len() - 10..];
    assert!(table[0].contains("service-07") && table[0].contains("75 % (41 to 93)"), "{}", table[0]);
    assert!(
        table[1].contains("service-03") && table[1].contains("too few"),
        "one of one proves little: {}",
        table[1]
    );
    assert!(page.contains("<a href=\"./?all=services#services\">All 13 →</a>"), "{page}");
    assert!(daemon.get("/?all=services").await.body.contains("service-12</bdi></a></th>"));
}

#[tokio::test]
async fn an_empty_store_has_a_page_too() {
    let daemon = Daemon::start("").await;
    let page = daemon.get("/").await.body;
    for part in [
        "Waiting for the first webhook",
        "https://YOUR-HOST/webhooks/pagerduty",
        "subscription create",
        "pagerduty.signing_secrets",
        "needs a reload",
        "systemd credential a restart",
        "pagerduty-dora send --now webhook.json --url https://YOUR-HOST/webhooks/pagerduty",
        "[[service]]",
        "/api/v2/dora/deployment",
        "&quot;finished_at&quot;: &quot;",
        "no backend",
    ] {
        assert!(page.contains(part), "{part} in {page}");
    }
    daemon.expect(event_of("pagey.ping", "QPING"), "ignored").await;
    let page = daemon.get("/").await.body;
    assert!(
        page.contains("a test event, pagey.ping")
            && page.contains("quarantine empty")
            && page.contains("Next step: report a deployment"),
        "{page}"
    );
    let deployment = json!({ "service": "search", "started_at": "2026-11-18T00:00:00Z" });
    daemon.events_api("POST", "/deployment", &json!({ "data": { "attributes": deployment } })).await;
    let page = daemon.get("/").await.body;
    for part in ["The program is well", "No failure is open.", "0 of 1 failed", "Recent deployments"] {
        assert!(page.contains(part), "{part} in {page}");
    }
}

#[tokio::test]
async fn a_failure_without_a_title_is_shown_by_its_id() {
    let daemon = Daemon::start("").await;
    let untitled = changed("incident.triggered", "QUNTITLED1", "01KB-U1", |event| {
        event["data"]["title"] = "  ".into();
    });
    daemon.expect(untitled, "accepted").await;
    assert!(daemon.get("/").await.body.contains("<bdi>pagerduty:QUNTITLED1</bdi></a>"));
    let page = daemon.get("/failures/QUNTITLED1").await.body;
    for part in
        ["<title>pagerduty:QUNTITLED1 · pagerduty-dora</title>", "<h1><bdi>pagerduty:QUNTITLED1</bdi></h1>"]
    {
        assert!(page.contains(part), "{part} in {page}");
    }
}

#[tokio::test]
async fn weeks_begin_on_monday_in_the_configured_time_zone() {
    for (timezone, started_at) in [("UTC", "2026-11-16T00:10:00Z"), ("Europe/Berlin", "2026-11-15T23:10:00Z")]
    {
        let daemon = Daemon::start(&format!("[dora]\ntimezone = \"{timezone}\"\n")).await;
        let deployment = json!({ "service": "search", "started_at": started_at });
        daemon.events_api("POST", "/deployment", &json!({ "data": { "attributes": deployment } })).await;
        let page = daemon.get("/").await.body;
        assert!(page.contains(&format!("Times are in {timezone}.")), "{page}");
        assert!(page.contains("from 2026-10-19 to 2026-11-16: 1 deployment"), "{page}");
        let link = "href=\"./deployments?since=2026-11-16&amp;env=production\"";
        assert!(page.contains(link) && page.contains("2026-11-16: 1 deployment, 0 failed"), "{page}");
    }
}
