//! The figures of the dashboard: the lists behind them, and their period.

use serde_json::json;

use crate::dashboard::{behind_a_proxy, links};
use crate::harness::{Answer, Daemon};

/// Sends a deployment of a service that took five minutes.
async fn deploy(daemon: &Daemon, service: &str, version: &str, day: u32) {
    let attributes = json!({
        "service": service, "version": version, "started_at": format!("2026-11-{day:02}T09:00:00Z"),
        "finished_at": format!("2026-11-{day:02}T09:05:00Z"),
    });
    let body = json!({ "data": { "attributes": attributes } });
    assert_eq!(daemon.events_api("POST", "/deployment", &body).await.status, 200);
}

/// Sends a failure of a service that lasted half an hour.
async fn fail(daemon: &Daemon, service: &str, name: &str, day: u32) {
    let attributes = json!({
        "services": [service], "name": name, "started_at": format!("2026-11-{day:02}T10:00:00Z"),
        "finished_at": format!("2026-11-{day:02}T10:30:00Z"),
    });
    let body = json!({ "data": { "attributes": attributes } });
    assert_eq!(daemon.events_api("POST", "/failure", &body).await.status, 200);
}

/// Path of the list behind the figure of a tile, with what the page shows of it.
fn tile(page: &Answer, path: &str, title: &str) -> (String, String) {
    let heading = format!("<h3>{title}</h3>");
    let after = page.body.split(&heading).nth(1).unwrap_or_else(|| panic!("no {title}"));
    let figure = after.split("<p class=\"figure").nth(1).unwrap().split("</p>").next().unwrap();
    let link = links(figure).next().unwrap_or_else(|| panic!("{title} is no link: {figure}"));
    let shown = figure.rsplit("\">").next().unwrap().split('<').next().unwrap().to_owned();
    assert!(figure.contains(&format!("aria-label=\"{title}: {shown}\"")), "{figure}");
    (behind_a_proxy(path, &link), shown)
}

/// Number of rows of the listing at a path.
async fn listed(daemon: &Daemon, path: &str) -> usize {
    let page = daemon.get(path).await;
    assert_eq!(page.status, 200, "{path}: {}", page.body);
    page.body.matches("<tr><th scope=\"row\">").count()
}

/// A daemon with deployments and failures of two services. One of each was before the usual period.
async fn daemon_with_figures() -> Daemon {
    let daemon = Daemon::start("").await;
    for (service, day) in [("search", 2), ("search", 12), ("search", 14), ("search", 16), ("mail", 16)] {
        deploy(&daemon, service, &format!("v{day}"), day).await;
    }
    for (service, day) in [("search", 2), ("search", 12), ("search", 14), ("mail", 16)] {
        fail(&daemon, service, "down", day).await;
    }
    daemon
}

#[tokio::test]
async fn each_tile_leads_to_what_it_counts() {
    let daemon = daemon_with_figures().await;
    for (path, deployed, failed, failures) in [
        ("/?days=30&service=search", 4, 3, 3),
        ("/?since=2026-11-10&until=2026-11-15&service=search", 2, 2, 2),
        ("/?since=2026-11-10", 4, 3, 3),
        ("/?since=2026-11-10&env=all", 4, 3, 3),
    ] {
        let page = daemon.get(path).await;
        for (title, rows) in [
            ("Deployments per day", deployed),
            ("Change fail rate", failed),
            ("Change failure rate", failures),
            ("Restored within an hour", failures),
            ("Recovery of failed deployments", failed),
            ("Rework", deployed),
        ] {
            let (list, shown) = tile(&page, path, title);
            assert_eq!(listed(&daemon, &list).await, rows, "{path}: {title}, {shown}: {list}");
            assert!(
                title != "Change fail rate" || shown == format!("{failed} of {deployed} failed"),
                "{shown}"
            );
        }
    }
    // Without a figure there is nothing to follow.
    let empty = daemon.get("/?since=2026-11-17").await.body;
    assert!(empty.contains("<p class=\"figure\">–</p>"), "{empty}");
}

#[tokio::test]
async fn the_page_of_a_service_has_the_periods_of_the_first_page() {
    let daemon = daemon_with_figures().await;
    for (query, figure, next) in [
        ("", "3 of 4 failed", "search?days=7\""),
        ("?days=7", "1 of 2 failed", "search?days=90\""),
        ("?since=2026-11-10&until=2026-11-15", "2 of 2 failed", "search\""),
        ("?since=2026-11-10", "2 of 3 failed", "search?days=90\""),
    ] {
        let path = format!("/services/search{query}");
        let page = daemon.get(&path).await;
        assert_eq!(tile(&page, &path, "Change fail rate").1, figure, "{query}");
        assert!(page.body.contains(&format!("href=\"../services/{next}")), "{query}: {}", page.body);
        for link in links(&page.body) {
            assert_eq!(daemon.get(&behind_a_proxy(&path, &link)).await.status, 200, "{path}: {link}");
        }
    }
    let page = daemon.get("/services/search?since=soon&until=2026-11-15").await;
    assert_eq!(page.status, 400);
    for part in ["since: &quot;soon&quot; is not a time", "value=\"soon\"", "Recent failures"] {
        assert!(page.body.contains(part), "{part} in {}", page.body);
    }
    assert_eq!(daemon.get("/teams/nobody?days=8").await.status, 400);
    let overview = daemon.get("/?days=7").await.body;
    assert!(overview.contains("<a href=\"./services/search?days=7\"><bdi>search</bdi></a>"), "{overview}");
}
