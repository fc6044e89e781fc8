//! Requests that PagerDuty's description of the API does not allow.

use serde_json::{Value, json};

use super::{Api, with_incident};
use crate::fake_pagerduty::{TOKEN, World};
use crate::harness::Answer;

#[tokio::test]
async fn wrong_headers_are_refused_and_remembered() {
    let api = Api::of(World::new(1)).await;
    let url = format!("{}/incidents", api.pagerduty.url());
    let accept = "application/vnd.pagerduty+json;version=2";
    let cases = [
        (accept, format!("Bearer {TOKEN}"), 200),
        (accept, format!("Token token={TOKEN}"), 200),
        (accept, TOKEN.to_owned(), 401),
        (accept, "Token token=wrong".to_owned(), 401),
        ("application/json", format!("Bearer {TOKEN}"), 400),
    ];
    for (accept, authorization, status) in cases {
        let request = api.client.get(&url).header("accept", accept).header("authorization", &authorization);
        let answer = Answer::of(request.send().await.unwrap()).await;
        assert_eq!(answer.status, status, "{accept} {authorization}: {answer:?}");
    }
    let refusals = api.pagerduty.refusals();
    assert_eq!(refusals.len(), 3);
    assert_eq!(refusals[0], "GET /incidents: the header Authorization has no known token");
    assert_eq!(api.pagerduty.requests().len(), 5);
}

#[tokio::test]
async fn wrong_queries_are_refused() {
    let (world, id) = with_incident();
    let api = Api::of(world).await;
    let paths = [
        ("/incidents?updated_since=2026-11-01T00:00:00Z", 2001),
        ("/incidents?limit=101", 2001),
        ("/incidents?limit=0", 2001),
        ("/incidents?limit=10&limit=10", 2001),
        ("/incidents?total=yes", 2001),
        ("/incidents?statuses=triggered", 2001),
        ("/incidents?statuses%5B%5D=open", 2001),
        ("/incidents?include%5B%5D=custom_fields", 2001),
        ("/incidents?sort_by=updated_at", 2001),
        ("/incidents?sort_by=created_at:up", 2001),
        ("/incidents?sort_by=created_at,urgency,resolved_at", 2001),
        ("/incidents?date_range=some", 2001),
        ("/incidents?time_zone=Mars", 2001),
        ("/incidents?since=yesterday", 2004),
        // A plus that is not encoded is a blank.
        ("/log_entries?since=2026-11-01T00:00:00+01:00", 2004),
        ("/log_entries?since=2026-11-02T00:00:00Z&until=2026-11-01T00:00:00Z", 2005),
        ("/log_entries?sort_by=created_at", 2001),
        ("/webhook_subscriptions?filter_type=global", 2001),
    ];
    for (path, code) in paths {
        assert_eq!(api.refused(path).await, (400, code), "{path}");
    }
    for path in ["?include%5B%5D=notes", "?limit=1", "/notes?limit=1", "/log_entries?team_ids%5B%5D=P1"] {
        assert_eq!(api.refused(&format!("/incidents/{id}{path}")).await, (400, 2001), "{path}");
    }
    assert_eq!(api.refused("/services").await, (404, 2100));
    assert_eq!(api.pagerduty.refusals().len(), paths.len() + 5);
}

#[tokio::test]
async fn wrong_bodies_are_refused() {
    let api = Api::of(World::new(1)).await;
    let correct = json!({ "webhook_subscription": {
        "type": "webhook_subscription", "events": ["incident.triggered"], "description": "Failures",
        "delivery_method": { "type": "http_delivery_method", "url": "http://127.0.0.1:1/" },
        "filter": { "type": "account_reference" },
    }});
    let with = |pointer: &str, value: Value| {
        let mut body = correct.clone();
        *body.pointer_mut(pointer).unwrap() = value;
        body
    };
    for body in [
        json!([]),
        correct["webhook_subscription"].clone(),
        with("/webhook_subscription/type", json!("subscription")),
        with("/webhook_subscription/events", json!([])),
        with("/webhook_subscription/events", json!(["incident.merged"])),
        with("/webhook_subscription/delivery_method", Value::Null),
        with("/webhook_subscription/delivery_method/url", json!("127.0.0.1")),
        with("/webhook_subscription/description", json!(1)),
        with("/webhook_subscription/filter", json!({ "type": "service_reference" })),
        with("/webhook_subscription/filter", json!({ "type": "account_reference", "id": "P1" })),
    ] {
        assert_eq!(api.answer("POST", "/webhook_subscriptions", Some(&body)).await.status, 400, "{body}");
    }
    for body in [
        json!({ "limit": 1_001 }),
        json!({ "limit": "10" }),
        json!({ "since": "2026-11-01T00:00:00Z" }),
        json!({ "filters": { "since": "2026-11-01T00:00:00Z" } }),
        json!({ "filters": { "updated_after": "yesterday" } }),
        json!({ "filters": { "service_ids": "P1" } }),
        json!({ "starting_after": "QNONE" }),
        json!({ "order": "up" }),
        json!({ "time_zone": "Mars" }),
    ] {
        assert_eq!(api.answer("POST", "/analytics/raw/incidents", Some(&body)).await.status, 400, "{body}");
    }
    let without_type = api.request("POST", "/webhook_subscriptions").body(correct.to_string());
    assert_eq!(without_type.send().await.unwrap().status(), 400);
    assert_eq!(api.answer("POST", "/webhook_subscriptions", Some(&correct)).await.status, 201);
    assert_eq!(api.pagerduty.refusals().len(), 20);
}
