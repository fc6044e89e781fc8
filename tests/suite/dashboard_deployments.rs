//! The dashboard's pages of deployments, services and teams.

use serde_json::json;

use crate::corrections::changed;
use crate::dashboard::{HOSTILE, behind_a_proxy, links};
use crate::deployments::deploy;
use crate::harness::{Backend, Daemon, KEY, event_of};
use crate::store_probe::Probe;

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// A failed deployment, the rollback that fixed it, and a deployment of another service that has a commit alone.
async fn daemon_with_deployments(configuration: &str) -> Daemon {
    let daemon = Daemon::start(configuration).await;
    deploy(&daemon, "v1", "08:00", json!({ "id": "deployment:one-of-eight" })).await;
    let git = json!({ "commit_sha": COMMIT, "repository_url": "https://github.com/acme/checkout" });
    let failed = json!({
        "id": "deployment:half-past-9", "finished_at": "2026-11-01T09:35:00Z", "team": "payments", "git": git,
    });
    deploy(&daemon, "v2", "09:30", failed).await;
    deploy(&daemon, "v1", "10:20", json!({ "id": "deployment:rolled-back" })).await;
    let of_search = json!({ "data": { "attributes": {
        "id": "deployment:of-search-1", "service": "Search", "team": "search", "env": "staging",
        "started_at": "2026-11-01T09:40:00Z", "git": git,
    } } });
    assert_eq!(daemon.events_api("POST", "/deployment", &of_search).await.status, 200);
    // Created at 10:00, resolved at 10:42.
    let resolved = changed("incident.resolved", "QAUTOMATIC", "01KB-AUTO-1", |event| {
        event["data"]["title"] = HOSTILE.into();
    });
    daemon.expect(resolved, "accepted").await;
    daemon
}

/// Checks a page: it is there, nothing in it is from a name, and each of its links leads to a page.
async fn good_page(daemon: &Daemon, path: &str) -> String {
    let page = daemon.get(path).await;
    assert_eq!(page.status, 200, "{path}: {}", page.body);
    assert!(!page.body.contains("<script") && !page.body.contains("style="), "{path}: {}", page.body);
    lead_to_pages(daemon, path, &page.body).await;
    page.body
}

async fn lead_to_pages(daemon: &Daemon, path: &str, page: &str) {
    for link in links(page).filter(|link| !link.starts_with("https://")) {
        let to = behind_a_proxy(path, &link);
        assert_eq!(daemon.get(&to).await.status, 200, "{path}: {link}");
    }
}

/// Texts of a piece of HTML.
fn text(html: &str) -> String {
    let texts = html.split('<').filter_map(|part| part.split_once('>')).map(|(_, text)| text);
    texts.collect::<Vec<_>>().join(" ").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Rows of the first table of a page, as text.
fn rows(page: &str) -> Vec<String> {
    let table = page.split("<tbody>").nth(1).unwrap_or_default().split("</tbody>").next().unwrap();
    table.split("<tr>").skip(1).map(|row| text(&format!("<tr>{row}"))).collect()
}

/// Part of a page from a heading to the next one.
fn section<'a>(page: &'a str, id: &str) -> &'a str {
    let rest = page.split(&format!("<h2 id=\"{id}\">")).nth(1).unwrap_or_else(|| panic!("no {id} in {page}"));
    rest.split("<h2 ").next().unwrap()
}

#[tokio::test]
async fn deployments_are_listed_by_name_with_what_they_broke_and_fixed() {
    let daemon = daemon_with_deployments("[dora]\ntimezone = \"Europe/Berlin\"\n").await;
    let page = good_page(&daemon, "/deployments").await;
    insta::assert_snapshot!(rows(&page).join("\n"), @r"
    Checkout API v1 rollback production – 2026-11-01 11:20 – event API – &lt;/title&gt;&lt;script&gt;alert(1)&lt;/script&gt;&quot;' onload=x
    Search 0123456 staging search 2026-11-01 10:40 – event API – –
    Checkout API v2 production payments 2026-11-01 10:35 5m 00s event API &lt;/title&gt;&lt;script&gt;alert(1)&lt;/script&gt;&quot;' onload=x –
    Checkout API v1 production – 2026-11-01 09:00 – event API – –
    ");
    assert!(page.contains("<a href=\"./deployments/deployment:of-search-1\""), "{page}");
    for (query, listed) in [
        ("service=Search", 1),
        ("service=+Search+&team=&since=&failed=", 1),
        ("env=production", 3),
        ("team=payments", 1),
        ("failed=true", 1),
        ("failed=true&service=Search", 0),
        ("since=2026-11-01T09:40:00Z", 2),
        ("since=2026-11-01T09:00:00Z&until=2026-11-01T09:40:00Z", 1),
        ("until=2026-11-01", 0),
        ("service=nobody", 0),
    ] {
        let page = good_page(&daemon, &format!("/deployments?{query}")).await;
        assert_eq!(rows(&page).len(), listed, "{query}: {page}");
        assert_eq!(page.contains("No deployment passes these filters."), listed == 0, "{query}");
    }
    let mistaken = daemon.get("/deployments?since=soon&service=x").await;
    assert_eq!(mistaken.status, 400);
    for part in ["since: &quot;soon&quot; is not a time", "value=\"soon\"", "value=\"x\""] {
        assert!(mistaken.body.contains(part), "{part} in {}", mistaken.body);
    }
    for query in ["cursor=x", "failed=perhaps", "severity=P1"] {
        assert_eq!(daemon.get(&format!("/deployments?{query}")).await.status, 400, "{query}");
    }
}

#[tokio::test]
async fn deployments_are_listed_page_by_page_and_all_of_them_as_csv() {
    let daemon = Daemon::start("").await;
    for n in 0..60 {
        let id = json!({ "id": format!("deployment:number-{n:02}") });
        deploy(&daemon, &format!("number {n}."), &format!("08:{n:02}"), id).await;
    }
    deploy(&daemon, "=1+1", "07:00", json!({ "service": "Search" })).await;
    let mut path = "/deployments?service=Checkout+API&since=30d".to_owned();
    let mut numbers = Vec::new();
    loop {
        let page = daemon.get(&path).await.body;
        let of_row = |row: String| {
            let number = row.split("number ").nth(1).unwrap_or_else(|| panic!("{row}"));
            number.split('.').next().unwrap().parse::<u32>().unwrap()
        };
        numbers.extend(rows(&page).into_iter().map(of_row));
        let Some(older) = links(&page).find(|link| link.contains("cursor=")) else { break };
        path = behind_a_proxy("/deployments", &older);
        assert!(path.contains("service=Checkout%20API") && path.contains("since=30d"), "{path}");
    }
    assert_eq!(numbers, (0..60).rev().collect::<Vec<_>>());

    let answer = daemon.get("/deployments.csv").await;
    assert_eq!(answer.headers["content-disposition"], "attachment; filename=\"deployments.csv\"");
    let records: Vec<&str> = answer.body.split("\r\n").collect();
    assert_eq!(records.len(), 1 + 61 + 1, "a header, the deployments, and nothing after the last line end");
    assert!(records[61].contains("\"'=1+1\""), "{}", records[61]);
    let csv = daemon.get("/deployments.csv?service=Search").await.body;
    assert_eq!(csv.lines().count(), 2, "{csv}");
    assert_eq!(daemon.get("/deployments.csv?since=soon").await.status, 400);
}

#[tokio::test]
async fn a_deployment_says_what_it_was_and_what_followed() {
    let backend = Backend::start().await;
    let marks =
        format!("deployments = true\nchange_failures = true\napplication_key = {{ value = \"{KEY}\" }}\n");
    let daemon = daemon_with_deployments(&(backend.entry("metrics") + &marks)).await;
    daemon.until(Probe::is_drained).await;
    let page = good_page(&daemon, "/deployments/deployment:half-past-9").await;
    assert!(page.contains("<title>Checkout API v2 · pagerduty-dora</title>"), "{page}");
    let facts = page.split("<dl").nth(1).unwrap().split("</dl>").next().unwrap();
    let facts: Vec<String> = facts.split("<dt").skip(1).map(|fact| text(&format!("<dt{fact}"))).collect();
    insta::assert_snapshot!(facts.join("\n"), @r"
    Service Checkout API
    Version v2
    Commit 0123456789abcdef0123456789abcdef01234567
    Repository https://github.com/acme/checkout
    Env production
    Team payments
    Started 2026-11-01 09:30:00
    Ended 2026-11-01 09:35:00
    Took 5m 00s
    Source event API
    Received 2026-11-20 00:00:00
    Replaced Checkout API v1
    Fixed by Checkout API v1
    Rollback no
    Pending until not pending
    Tags –
    Id deployment:half-past-9
    ");
    insta::assert_snapshot!(rows(section(&page, "caused")).join("\n"), @"&lt;/title&gt;&lt;script&gt;alert(1)&lt;/script&gt;&quot;' onload=x P1 completed 2026-11-01 10:00 42m 11s the latest deployment of the failure's services (or team) to its env that had started when the failure was created, and had ended no more than dora.link_window before that (or had not ended)");
    assert_eq!(page.matches("the latest deployment of the failure").count(), 1, "told once: {page}");
    assert!(section(&page, "fixed").contains("None."), "{page}");
    assert!(section(&page, "attempts").contains("2 attempts"), "{page}");
    assert!(section(&page, "why").contains("<bdi>Checkout API v1</bdi>"), "the fix is named: {page}");

    let rollback = good_page(&daemon, "/deployments/deployment:rolled-back").await;
    let outcome = rollback.split("<p>").find(|part| part.starts_with("<span class=\"state")).unwrap();
    let outcome = text(&format!("<p>{}", outcome.split("</p>").next().unwrap()));
    assert_eq!(outcome, "fine : no failure is linked to it. A rollback from v2 to v1 .");
    assert_eq!(rows(section(&rollback, "fixed")).len(), 1, "{rollback}");

    let of_search = good_page(&daemon, "/deployments/deployment:of-search-1").await;
    assert!(of_search.contains("<bdi>Search 0123456</bdi>"), "{of_search}");
}

#[tokio::test]
async fn an_unknown_and_an_ambiguous_deployment_have_a_way_on() {
    let daemon = daemon_with_deployments("").await;
    for (path, part) in [
        ("/deployments/deployment:nobody", "No deployment with this id is known."),
        ("/deployments/a%2Fb%3Fc%23d%20%22%C3%A4", "No deployment with this id is known."),
        ("/deployments/deployment:o", "<bdi>Search 0123456</bdi></a> (deployment:of-search-1)"),
        ("/deployments/0123456", "Several deployments match this id"),
    ] {
        let page = daemon.get(path).await;
        assert!(page.status == 404 && page.body.contains(part), "{path}: {}", page.body);
        assert!(page.body.contains("../deployments\">← Deployments"), "{path}: {}", page.body);
        lead_to_pages(&daemon, path, &page.body).await;
    }
    let found = good_page(&daemon, "/deployments/deployment:half").await;
    assert!(found.contains("Checkout API v2"), "a part of an id is enough: {found}");
}

#[tokio::test]
async fn a_deployment_is_pending_until_the_link_window_has_passed() {
    let daemon = Daemon::start("").await;
    let at = json!({ "started_at": "2026-11-19T23:00:00Z", "id": "deployment:pending-1" });
    deploy(&daemon, "v1", "08:00", at).await;
    let page = good_page(&daemon, "/deployments/deployment:pending-1").await;
    assert!(
        page.contains("<span class=\"state\">pending</span>") && page.contains("2026-11-20 23:00"),
        "{page}"
    );
    assert!(good_page(&daemon, "/deployments").await.contains("pending: may still fail"));
    daemon.clock.advance(std::time::Duration::from_hours(24));
    let page = good_page(&daemon, "/deployments/deployment:pending-1").await;
    assert!(page.contains("not pending") && page.contains("<span class=\"state\">fine</span>"), "{page}");
}

#[tokio::test]
async fn deployments_are_links_by_name_wherever_they_are_shown() {
    let backend = Backend::start().await;
    let marks =
        format!("deployments = true\nchange_failures = true\napplication_key = {{ value = \"{KEY}\" }}\n");
    let daemon = daemon_with_deployments(&(backend.entry("metrics") + &marks)).await;
    daemon.until(Probe::is_drained).await;
    for (path, up, name) in [
        ("/failures", "./", "<bdi>Checkout API v2</bdi></a>"),
        ("/failures/QAUTOMATIC", "../", "<bdi>Checkout API v2</bdi></a>"),
        (
            "/failures/QAUTOMATIC",
            "../",
            "<bdi>Deployment of Checkout API v2, which caused the failure</bdi></a>",
        ),
        ("/outbox", "./", "deployment <a "),
    ] {
        let page = good_page(&daemon, path).await;
        assert!(page.contains(name), "{path}: {page}");
        assert!(
            page.contains(&format!("<a href=\"{up}deployments/deployment:half-past-9\"")),
            "{path}: {page}"
        );
    }
}

#[tokio::test]
async fn a_service_and_a_team_have_their_figures() {
    let daemon = daemon_with_deployments("").await;
    let page = good_page(&daemon, "/services/Checkout%20API").await;
    let tiles: Vec<String> =
        section(&page, "figures").split("<h3>").skip(1).map(|tile| text(&format!("<h3>{tile}"))).collect();
    insta::assert_snapshot!(tiles.join("\n"), @r"
    Deployments per day 0.10 3 deployments, 1 incident What is this? Deployments per day Deployments that ended in the period, per 24 hours. In reports: deployments_per_day , deployments per 24 hours.
    Change fail rate 1 of 3 failed What is this? Change fail rate Share of the deployments that caused an incident, whenever it began (dora.dev's change fail rate). In reports: change_fail_rate , failed deployments per deployment.
    Change failure rate 1 incident, 3 deployments What is this? Change failure rate Incidents of deployed services and teams, divided by the deployments. One deployment can cause several incidents, so it may be above 1. In reports: change_failure_rate , incidents per deployment.
    Restored within an hour 100 % within an hour 95 %: 21 to 100, n = 1 median 42m 11s, n = 1: fewer than six, no 95 % interval What is this? Restored within an hour Share of the failures that began in the period and were restored within an hour. Open ones count for as long as they were followed. The median is that of the failures that ended in the period. In reports: restored_within_1h_value , share restored within an hour.
    Recovery of failed deployments 1h 07m median, n = 1: fewer than six, no 95 % interval What is this? Recovery of failed deployments Median time from the end of a failed deployment to the end of the failures that it caused. In reports: failed_deployment_recovery_time_seconds_median , median.
    Rework 1 of 3 were fixes What is this? Rework Share of the deployments that were made to fix an incident (dora.dev's deployment rework rate). In reports: deployment_rework_rate , deployments that fix a failure, per deployment.
    ");
    for part in [
        "env <strong>production</strong>",
        "id=\"chart-fail-rate-title\"",
        "id=\"chart-failure-rate-title\"",
        "id=\"chart-deployments-title\"",
        "id=\"chart-restore-title\"",
        "href=\"../?service=Checkout%20API\"",
        "href=\"../deployments?service=Checkout%20API&amp;failed=true\"",
    ] {
        assert!(page.contains(part), "{part} in {page}");
    }
    assert_eq!(rows(section(&page, "deployments")).len(), 3, "{page}");
    let is_week = |link: &&String| {
        link.contains("deployments?") && link.contains("until=2026-11-02") && !link.contains("failed")
    };
    let week = links(&page).find(|link| is_week(&link)).unwrap();
    let of_week = good_page(&daemon, &behind_a_proxy("/services/x", &week)).await;
    assert_eq!(rows(&of_week).len(), 3, "{week}: {of_week}");

    let elsewhere = good_page(&daemon, "/teams/search").await;
    assert!(text(&elsewhere).contains("Envs that have data: staging"), "{elsewhere}");
    assert!(elsewhere.contains("No failure of this team is known."), "{elsewhere}");
    assert_eq!(rows(section(&elsewhere, "deployments")).len(), 1);
}

#[tokio::test]
async fn every_name_has_a_page_and_no_name_gets_into_its_markup() {
    let daemon = Daemon::start("").await;
    for (n, name) in ["a/b?c#d", "über Größe %2F", HOSTILE, "100 %", "+", "a&b=c"].into_iter().enumerate()
    {
        let more = json!({ "service": name, "team": name, "id": format!("deployment:of-{n:08}") });
        deploy(&daemon, HOSTILE, "08:00", more).await;
        let failure = json!({ "services": [name], "team": name, "started_at": "2026-11-01T09:30:00Z" });
        let sent = daemon.events_api("POST", "/failure", &json!({ "data": { "attributes": failure } })).await;
        assert_eq!(sent.status, 200, "{sent:?}");
    }
    let listing = good_page(&daemon, "/failures").await;
    let services: Vec<String> = links(&listing).filter(|link| link.contains("services/")).collect();
    assert_eq!(services.len(), 6, "{listing}");
    for link in services {
        let path = behind_a_proxy("/failures", &link);
        for path in [path.clone(), path.replace("services", "teams")] {
            let page = good_page(&daemon, &path).await;
            assert_eq!(rows(section(&page, "deployments")).len(), 1, "{path}");
            assert_eq!(rows(section(&page, "open")).len(), 1, "{path}");
        }
    }
    good_page(&daemon, "/deployments").await;
    good_page(&daemon, "/deployments/deployment:of-00000002").await;
}

#[tokio::test]
async fn a_name_that_nothing_has_is_answered_with_a_way_back() {
    let daemon = daemon_with_deployments("").await;
    for path in ["/services/nobody", "/teams/nobody", "/services/a%2Fb", "/teams/%3Cscript%3E"] {
        let page = daemon.get(path).await;
        assert_eq!(page.status, 404, "{path}: {}", page.body);
        assert!(page.body.contains("Nothing has the ") && !page.body.contains("<script"), "{}", page.body);
        lead_to_pages(&daemon, path, &page.body).await;
        assert!(page.body.contains("<a href=\"../\">← Overview</a>"), "{}", page.body);
    }
    assert_eq!(daemon.get("/services/%FF").await.status, 404);
}

#[tokio::test]
async fn an_empty_store_says_how_deployments_arrive() {
    let daemon = Daemon::start("").await;
    let page = good_page(&daemon, "/deployments").await;
    assert!(
        page.contains("There is no deployment yet. GitHub and GitLab send them by webhooks")
            && !page.contains("<table"),
        "{page}"
    );
    assert_eq!(daemon.get("/deployments.csv").await.body.lines().count(), 1);
    daemon.expect(event_of("incident.resolved", "QNODEPLOYS"), "accepted").await;
    let page = good_page(&daemon, "/services/Checkout%20API").await;
    assert!(page.contains("No deployment of this service is known."), "{page}");
}
