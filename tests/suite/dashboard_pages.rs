//! The pages of the dashboard beside the first one: listings, a failure, the outbox, and refusals as pages.

use serde_json::{Value, json};

use crate::corrections::changed;
use crate::dashboard::{HOSTILE, behind_a_proxy, daemon_with_data, links};
use crate::harness::{Answer, Backend, Daemon, event_of};

/// Delivers an event of an incident that began on this day of November.
async fn incident(daemon: &Daemon, event_type: &str, id: &str, day: u32, change: impl FnOnce(&mut Value)) {
    let event = changed(event_type, id, &format!("01KB-{id}-{event_type}"), |event| {
        event["occurred_at"] = format!("2026-11-{day:02}T10:42:10.500Z").into();
        event["data"]["created_at"] = format!("2026-11-{day:02}T10:00:00Z").into();
        change(event);
    });
    daemon.expect(event, "accepted").await;
}

/// The answer to a browser that asks for a page.
async fn browse(daemon: &Daemon, path: &str) -> Answer {
    let request = daemon.client.get(format!("http://{}{path}", daemon.admin));
    let accept = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    Answer::of(request.header("accept", accept).send().await.unwrap()).await
}

/// The answer to a form of a page, and the path that it redirects to.
async fn post(daemon: &Daemon, path: &str, body: &str) -> (u16, Option<String>) {
    let browser =
        reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build().unwrap();
    let request = browser.post(format!("http://{}{path}", daemon.admin));
    let request = request.header("origin", format!("http://{}", daemon.admin));
    let form = request.header("content-type", "application/x-www-form-urlencoded");
    let answer = form.body(body.to_owned()).send().await.unwrap();
    let location = answer.headers().get("location").map(|to| behind_a_proxy(path, to.to_str().unwrap()));
    (answer.status().as_u16(), location)
}

fn token(page: &str) -> String {
    page.split("name=\"token\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
}

/// Path of the first form or link of a page whose address ends so.
fn action(page: &str, path: &str, end: &str) -> String {
    let attributes = page.split('"').find(|value| value.ends_with(end));
    behind_a_proxy(path, attributes.unwrap_or_else(|| panic!("no {end} in {page}")))
}

#[tokio::test]
async fn failures_are_filtered_and_listed_page_by_page() {
    let daemon = Daemon::start("").await;
    for n in 0..60 {
        let title = |event: &mut Value| event["data"]["title"] = format!("number {n}.").into();
        incident(&daemon, "incident.triggered", &format!("QLISTED0{n:02}"), 1, title).await;
    }
    incident(&daemon, "incident.resolved", "QRESOLVED1", 3, |event| event["data"]["title"] = "fixed".into())
        .await;

    let mut path = "/failures?state=open&service=Checkout+API&team=&since=".to_owned();
    let mut numbers = Vec::new();
    loop {
        let page = daemon.get(&path).await.body;
        assert!(page.contains("<option value=\"open\" selected>") && !page.contains("fixed"), "{page}");
        assert!(page.contains("name=\"service\" value=\"Checkout API\""), "{page}");
        let titles =
            page.split("number ").skip(1).map(|rest| rest.split('.').next().unwrap().parse::<u32>().unwrap());
        numbers.extend(titles);
        let Some(older) = links(&page).find(|link| link.contains("cursor=")) else { break };
        path = behind_a_proxy(&path, &older);
        assert!(path.contains("state=open") && path.contains("service=Checkout%20API"), "{path}");
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (0..60).collect::<Vec<_>>());

    for (query, listed) in [
        ("state=completed", 1),
        ("since=2026-11-02", 1),
        ("team=Payments&state=completed", 1),
        ("team=nobody", 0),
        ("env=nowhere", 0),
        ("severity=none", 0),
        ("service=unknown", 0),
    ] {
        let page = daemon.get(&format!("/failures?{query}")).await.body;
        assert_eq!(page.matches("<th scope=\"row\">").count(), listed, "{query}: {page}");
        assert_eq!(page.contains("No failure passes these filters."), listed == 0, "{query}");
    }
    let mistaken = daemon.get("/failures?since=soon&service=x").await;
    assert_eq!(mistaken.status, 400);
    assert!(mistaken.body.contains("since: &quot;soon&quot; is not a time"), "{}", mistaken.body);
    assert!(
        mistaken.body.contains("value=\"soon\"") && mistaken.body.contains("value=\"x\""),
        "the form stays"
    );
}

#[tokio::test]
async fn the_csv_has_all_failures_of_the_filter_and_no_formula() {
    let daemon = Daemon::start("").await;
    for n in 0..501 {
        daemon.expect(event_of("incident.triggered", &format!("QCSV0000{n:03}")), "accepted").await;
    }
    let deployment =
        json!({ "service": "Checkout API", "version": "v1", "started_at": "2026-11-03T09:30:00Z" });
    daemon.events_api("POST", "/deployment", &json!({ "data": { "attributes": deployment } })).await;
    incident(&daemon, "incident.resolved", "QFORMULA01", 3, |event| {
        event["data"]["title"] = "=cmd|' /C calc'!A0, \"and\"\nmore".into();
    })
    .await;
    let answer = daemon.get("/failures.csv").await;
    assert_eq!(answer.headers["content-disposition"], "attachment; filename=\"failures.csv\"");
    let records: Vec<&str> = answer.body.split("\r\n").collect();
    assert_eq!(records.len(), 1 + 502 + 1, "a header, the failures, and nothing after the last line end");
    insta::assert_snapshot!(records[1], @r#"
    "pagerduty:QFORMULA01",4711,"'=cmd|' /C calc'!A0, ""and""
    more","https://acme.pagerduty.com/incidents/QFORMULA01",completed,,"Checkout API","Payments","production","P1",2026-11-03T10:00:00Z,2026-11-03T10:42:10.500Z,,2530.5,"api:236ee4bf851e6b8957d3dfb8789a3ebe","Checkout API","v1",
    "#);
    let open = daemon.get("/failures.csv?state=open").await.body;
    assert!(open.lines().count() == 502 && !open.contains("QFORMULA01"));
    assert_eq!(daemon.get("/failures.csv?since=soon").await.status, 400);
}

#[tokio::test]
async fn a_failure_begins_with_its_timeline() {
    let daemon = Daemon::start("[dora]\ntimezone = \"Europe/Berlin\"\n").await;
    for (version, at) in [("v1", "2026-11-18T09:30:00Z"), ("v2", "2026-11-18T10:30:00Z")] {
        let deployment = json!({ "service": "Checkout API", "version": version, "started_at": at });
        daemon.events_api("POST", "/deployment", &json!({ "data": { "attributes": deployment } })).await;
    }
    incident(&daemon, "incident.triggered", "QTIMELINE1", 18, |event| {
        event["occurred_at"] = "2026-11-18T10:00:00Z".into();
    })
    .await;
    incident(&daemon, "incident.acknowledged", "QTIMELINE1", 18, |event| {
        event["occurred_at"] = "2026-11-18T10:05:00Z".into();
    })
    .await;
    incident(&daemon, "incident.resolved", "QTIMELINE1", 18, |_| ()).await;
    let page = daemon.get("/failures/QTIMELINE1").await.body;
    let list = page.split("<ol class=\"timeline card\">").nth(1).unwrap().split("</ol>").next().unwrap();
    let steps: Vec<String> = list.split("<li").skip(1).map(|step| text(&format!("<li{step}"))).collect();
    insta::assert_snapshot!(steps.join("\n"), @"
    2026-11-18 10:30:00 CET − 30m 00s Deployment of Checkout API v1, which caused the failure
    2026-11-18 11:00:00 CET Triggered
    2026-11-18 11:05:00 CET + 5m 00s Acknowledged
    2026-11-18 11:30:00 CET + 30m 00s Deployment of Checkout API v2, which fixed the failure
    2026-11-18 11:42:10 CET + 42m 11s Resolved
    ");
    assert!(page.contains("<a href=\"../services/Checkout%20API\"><bdi>Checkout API</bdi></a>"), "{page}");
    assert!(
        page.contains("<bdi>Checkout API v1</bdi>") && page.contains("Times are in Europe/Berlin."),
        "{page}"
    );
}

#[tokio::test]
async fn a_failure_shows_the_ids_of_its_events_and_what_a_note_names_as_the_cause() {
    let daemon = Daemon::start("").await;
    incident(&daemon, "incident.triggered", "QNOTED0001", 18, |_| ()).await;
    let page = daemon.get("/failures/QNOTED0001").await.body;
    assert!(page.contains("<td data-label=\"Id\">01KB-QNOTED0001-incident.triggered</td>"), "{page}");
    assert!(!page.contains("is named in"), "{page}");
    incident(&daemon, "incident.annotated", "QNOTED0001", 18, |event| {
        event["data"]["content"] = "deployment: <b>v9".into();
    })
    .await;
    let page = daemon.get("/failures/QNOTED0001").await.body;
    assert!(page.contains("<td data-label=\"Id\">01KB-QNOTED0001-incident.annotated</td>"), "{page}");
    let named = "<bdi>&lt;b&gt;v9</bdi> is named in the last note that begins with &quot;deployment:&quot;";
    assert!(page.contains(named), "{page}");
}

/// Text of a piece of HTML.
fn text(html: &str) -> String {
    let texts = html.split('<').filter_map(|part| part.split_once('>')).map(|(_, text)| text);
    texts.collect::<Vec<_>>().join(" ").split_whitespace().collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn a_merged_failure_leads_to_the_one_that_counts() {
    let daemon = Daemon::start("").await;
    for (id, target) in [("QMERGED001", "QTARGET001"), ("QMERGED002", "QUNSEEN001")] {
        incident(&daemon, "incident.resolved", id, 1, |event| {
            let target = json!({ "id": target, "type": "incident_reference" });
            event["data"]["resolve_reason"] = json!({ "type": "merge_resolve_reason", "incident": target });
        })
        .await;
    }
    let link = "into <a href=\"../failures/QTARGET001\"><bdi>QTARGET001</bdi></a>";
    let unseen = daemon.get("/failures/QMERGED001").await.body;
    assert!(
        unseen.contains(">merged</span>") && !unseen.contains("QTARGET001</bdi>"),
        "it has no page: {unseen}"
    );
    incident(&daemon, "incident.triggered", "QTARGET001", 1, |_| ()).await;
    let page = daemon.get("/failures/QMERGED001").await.body;
    assert!(page.contains(&format!(">merged</span> {link}")), "{page}");
    assert_eq!(page.matches("<bdi>QTARGET001</bdi>").count(), 2, "and among the decisions: {page}");
    let list = daemon.get("/failures").await.body;
    assert!(
        list.contains("into <a href=\"./failures/QTARGET001\">") && !list.contains("QUNSEEN001</bdi>"),
        "{list}"
    );
    let target = daemon.get("/failures/QTARGET001").await.body;
    assert!(target.contains("<a href=\"../failures/QMERGED001\"><bdi>QMERGED001</bdi></a>"), "{target}");
}

#[tokio::test]
async fn a_failure_is_retried_from_its_page() {
    let backend = Backend::start().await;
    let daemon = daemon_with_data(&backend).await;
    let path = "/failures/QDASHBOARD1";
    let page = daemon.get(path).await.body;
    assert!(page.contains("<details open>") && page.contains(">dead</span>"), "{page}");
    let form = format!("token={}&back=failure+pagerduty:QDASHBOARD1", token(&page));
    let retried = post(&daemon, &action(&page, path, "/retry"), &form).await;
    assert_eq!(retried, (303, Some("/failures/pagerduty:QDASHBOARD1".to_owned())));
    daemon.until(|store| store.dead() == 0).await;
}

#[tokio::test]
async fn rows_are_retried_and_discarded_by_backend_and_answer() {
    let backend = Backend::start().await;
    let daemon = Daemon::start(&backend.entry("metrics")).await;
    for (n, status) in [400, 400, 400, 413].into_iter().enumerate() {
        backend.will_answer(&[(status, &[])]);
        let dead = i64::try_from(n).unwrap() + 1;
        daemon.expect(event_of("incident.resolved", &format!("QGROUP00{n}")), "accepted").await;
        daemon.until(|store| store.dead() == dead).await;
    }
    let page = daemon.get("/outbox").await.body;
    let groups = page.split("id=\"rows\"").next().unwrap();
    let retries: Vec<&str> = groups.split('"').filter(|text| text.ends_with("/group/retry")).collect();
    assert_eq!(retries.len(), 2, "{page}");
    assert!(page.contains("<h2 id=\"rows\">Rows</h2><p class=\"quiet\">Oldest first.</p>"), "{page}");
    for part in ["4 dead", "Retry 3 rows for metrics", "Discard 1 row for metrics", "../outbox"] {
        assert_eq!(page.contains(part), part != "../outbox", "{part} in {page}");
    }
    for link in links(&page) {
        assert_eq!(daemon.get(&behind_a_proxy("/outbox", &link)).await.status, 200, "{link}");
    }
    let token = token(&page);
    let refused = post(&daemon, &behind_a_proxy("/outbox", retries[0]), "token=guessed").await;
    assert_eq!((refused.0, daemon.probe().dead()), (403, 4));

    let form = format!("token={token}&back=outbox");
    let answer = post(&daemon, &behind_a_proxy("/outbox", retries[0]), &form).await;
    assert_eq!(answer, (303, Some("/outbox".to_owned())));
    daemon.until(|store| store.sent() == 3 && store.dead() == 1).await;
    let again = post(&daemon, &behind_a_proxy("/outbox", retries[0]), &form).await;
    assert_eq!(again.0, 409, "no row of this group is left");

    let page = daemon.get("/outbox").await.body;
    let discard = action(&page, "/outbox", "/group/discard");
    let confirmation = daemon.get(&discard).await;
    assert!(confirmation.status == 200 && confirmation.body.contains("Discard 1 row for metrics?"));
    assert_eq!(daemon.probe().dead(), 1, "asking discards nothing");
    assert_eq!(action(&confirmation.body, &discard, "/group/discard"), discard);
    assert_eq!(post(&daemon, &discard, &form).await, (303, Some("/outbox".to_owned())));
    assert_eq!(daemon.probe().dead(), 0);
    let page = daemon.get("/outbox?state=discarded&backend=metrics").await.body;
    assert!(
        page.contains("None: no backend rejects a row for good.") && page.contains(">discarded</span>"),
        "{page}"
    );
    assert_eq!(daemon.get("/outbox/999/group/discard").await.status, 404);
}

#[tokio::test]
async fn services_and_teams_have_pages_whatever_their_names() {
    let daemon = Daemon::start("").await;
    for name in ["a/b?c#d", "..", HOSTILE] {
        let failure = json!({ "services": [name], "team": name, "started_at": "2026-11-18T09:30:00Z" });
        let sent = daemon.events_api("POST", "/failure", &json!({ "data": { "attributes": failure } })).await;
        assert_eq!(sent.status, 200, "{sent:?}");
    }
    let page = daemon.get("/failures").await.body;
    let services: Vec<String> = links(&page).filter(|link| link.contains("services/")).collect();
    assert_eq!(services.len(), 2, "browsers cannot ask for a page of ..: {page}");
    for link in services {
        let path = behind_a_proxy("/failures", &link);
        for path in [path.clone(), path.replace("services", "teams")] {
            let page = daemon.get(&path).await;
            assert!(page.status == 200 && page.body.contains("All failures"), "{path}: {}", page.body);
            for link in links(&page.body) {
                assert_eq!(daemon.get(&behind_a_proxy(&path, &link)).await.status, 200, "{link}");
            }
        }
    }
    let nobody = daemon.get("/services/nobody").await.body;
    assert!(nobody.contains("No failure of this service is known."), "{nobody}");
}

#[tokio::test]
async fn browsers_get_refusals_as_pages_with_a_way_back() {
    let daemon = Daemon::start("").await;
    for (path, status, text) in [
        ("/nothing/at/all", 404, "There is nothing at this path."),
        ("/failures/QNOBODY001", 404, "No failure with this id is known."),
        ("/failures/%FF", 404, "No failure with this id is known."),
        ("/failures?state=broken", 400, "state: &quot;broken&quot; is not known."),
        ("/failures?cursor=x", 400, "invalid cursor"),
        ("/outbox?cursor=x", 400, "invalid cursor"),
        ("/quarantine?cursor=x", 400, "invalid cursor"),
        ("/quarantine/7", 404, "The quarantine has no such row."),
        ("/outbox/1/retry", 405, "This path does not accept this method."),
    ] {
        let page = browse(&daemon, path).await;
        assert_eq!(
            (page.status, page.headers["content-type"].to_str().unwrap()),
            (status, "text/html; charset=utf-8")
        );
        assert!(page.body.contains(text), "{path}: {}", page.body);
        assert!(page.headers.contains_key("content-security-policy"), "{path}");
        for link in links(&page.body) {
            assert_eq!(daemon.get(&behind_a_proxy(path, &link)).await.status, 200, "{path}: {link}");
        }
    }
    for path in ["/nothing/at/all", "/failures?state=broken"] {
        assert!(daemon.get(path).await.json()["detail"].is_string(), "programs get JSON");
    }
    for path in ["/api/v1/failures?state=broken", "/api/v1/nothing"] {
        assert!(browse(&daemon, path).await.json()["detail"].is_string(), "so do browsers below /api/");
    }
}
