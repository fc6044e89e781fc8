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
        "/?days=nonsense",
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
            assert_eq!(daemon.get(&path).await.status, 200, "{link}");
        }
    }
    let page = daemon.get("/").await.body;
    for part in [
        "<a href=\"./\" aria-current=\"page\">Overview</a>",
        "Open now</span> <strong class=\"bad\">1<",
        "100.0 %",
        "42m 11s",
        "Dead letters",
        "Last event ",
        "2026-11-20 00:00",
    ] {
        assert!(page.contains(part), "{part} in {page}");
    }
    assert_eq!(daemon.get("/failures/QNOBODY001").await.status, 404);
}

#[tokio::test]
async fn a_dead_letter_is_retried_from_its_form_and_from_nowhere_else() {
    let backend = Backend::start().await;
    let daemon = daemon_with_data(&backend).await;
    let page = daemon.get("/").await.body;
    let token = page.split("name=\"token\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let action = page.split("action=\"").nth(1).unwrap().split('"').next().unwrap();
    let url = format!("http://{}{}", daemon.admin, behind_a_proxy("/", action));
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
async fn a_shortened_list_of_dead_letters_says_so() {
    const DEAD: i64 = 26;
    let backend = Backend::start().await;
    let daemon = Daemon::start(&backend.entry("metrics")).await;
    for n in 0..DEAD {
        backend.will_answer(&[(400, &[])]);
        daemon.expect(event_of("incident.resolved", &format!("QDEAD000{n:02}")), "accepted").await;
    }
    daemon.until(|store| store.dead() >= DEAD).await;
    let page = daemon.get("/").await.body;
    assert_eq!(page.matches(">Retry</button>").count(), 25);
    assert!(page.contains("These are the first 25 of 26."), "{page}");
}

#[tokio::test]
async fn an_empty_store_has_a_page_too() {
    let daemon = Daemon::start("").await;
    let page = daemon.get("/").await.body;
    for part in ["No event yet", "No failure is open.", "No backend is configured", "nothing in this period"]
    {
        assert!(page.contains(part), "{part} in {page}");
    }
    daemon.expect(event_of("pagey.ping", "QPING"), "ignored").await;
    let page = daemon.get("/").await.body;
    assert!(
        page.contains("a test event, pagey.ping") && page.matches("href=\"./quarantine\"").count() == 1,
        "{page}"
    );
    assert!(daemon.get("/").await.body.contains("Last event"));
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
    for (timezone, first, last) in
        [("UTC", "2026-08-24", "2026-11-16"), ("Europe/Berlin", "2026-08-23 22:00", "2026-11-15 23:00")]
    {
        let daemon = Daemon::start(&format!("[dora]\ntimezone = \"{timezone}\"\n")).await;
        let page = daemon.get("/").await.body;
        let weeks = page.split("<td class=\"time\">").skip(1).map(|cell| cell.split('<').next().unwrap());
        let weeks: Vec<&str> = weeks.collect();
        assert_eq!(weeks.first(), Some(&first), "no part of a week before it");
        assert!(weeks.contains(&last), "{last} in {weeks:?}");
    }
}
