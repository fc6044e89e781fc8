//! Webhook subscriptions.

use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::client;
use super::server::{Reply, Server};
use crate::sources::pagerduty::rest::{
    FilterKind, NewSubscription, RestError, Subscription, SubscriptionFilter,
};

fn wire(id: &str) -> Value {
    json!({
        "id": id, "type": "webhook_subscription", "active": true, "description": null,
        "events": ["incident.triggered", "incident.resolved"],
        "filter": {"type": "service_reference", "id": "PSVC001"},
        "delivery_method": {"id": "PDEL001", "type": "http_delivery_method", "secret": null,
                            "url": "https://dora.example/webhooks/pagerduty", "temporarily_disabled": true},
    })
}

fn expected(id: &str) -> Subscription {
    Subscription {
        id: id.to_owned(),
        url: "https://dora.example/webhooks/pagerduty".to_owned(),
        active: true,
        temporarily_disabled: Some(true),
        events: vec!["incident.triggered".to_owned(), "incident.resolved".to_owned()],
        filter: SubscriptionFilter { kind: FilterKind::Service, id: Some("PSVC001".to_owned()) },
        description: None,
    }
}

#[tokio::test]
async fn all_subscriptions_are_listed() {
    let server = Server::start(|_, seen| {
        let id = if seen.offset() == 0 { "PSUB001" } else { "PSUB002" };
        let mut subscription = wire(id);
        if id == "PSUB002" {
            subscription["active"] = false.into();
            subscription["filter"] = json!({"type": "account_reference", "id": null});
            subscription["delivery_method"].as_object_mut().unwrap().remove("temporarily_disabled");
        }
        Reply::json(&json!({"webhook_subscriptions": [subscription], "more": id == "PSUB001"}))
    })
    .await;
    let (client, _) = client(&server);
    let [first, second] = client.subscriptions().await.unwrap().try_into().unwrap();
    assert_eq!(first, expected("PSUB001"));
    assert_eq!((second.active, second.temporarily_disabled), (false, None));
    assert_eq!(second.filter, SubscriptionFilter { kind: FilterKind::Account, id: None });
    assert!(server.seen().iter().all(|seen| seen.line == "GET /webhook_subscriptions"));
}

#[tokio::test]
async fn a_subscription_is_found_or_none() {
    let server =
        Server::in_turn(vec![|| Reply::json(&json!({"webhook_subscription": wire("PSUB001")})), || {
            Reply::error(404, "Not Found")
        }])
        .await;
    let (client, _) = client(&server);
    assert_eq!(client.subscription("PSUB001").await, Ok(Some(expected("PSUB001"))));
    assert_eq!(client.subscription("PSUB009").await, Ok(None));
    assert_eq!(server.seen()[1].line, "GET /webhook_subscriptions/PSUB009");
}

#[tokio::test]
async fn enabling_is_repeated_and_a_test_event_is_not() {
    let fails = || Reply::text(500, "");
    let server = Server::in_turn(vec![fails, || Reply::text(200, ""), || Reply::text(202, ""), fails]).await;
    let (client, timer) = client(&server);
    client.enable("PSUB001").await.unwrap();
    client.ping("PSUB001").await.unwrap();
    assert!(matches!(client.ping("PSUB001").await, Err(RestError::Server { status: 500, .. })));
    assert_eq!(timer.taken(), [1]);
    let lines: Vec<String> = server.seen().into_iter().map(|seen| seen.line).collect();
    let enable = "POST /webhook_subscriptions/PSUB001/enable";
    let ping = "POST /webhook_subscriptions/PSUB001/ping";
    assert_eq!(lines, [enable, enable, ping, ping]);
}

#[tokio::test]
async fn a_new_subscription_comes_with_its_secret() {
    let server = Server::in_turn(vec![
        || {
            let mut subscription = wire("PSUB001");
            subscription["delivery_method"]["secret"] = "canary-secret".into();
            Reply::text(201, json!({ "webhook_subscription": subscription }).to_string())
        },
        || Reply::text(201, json!({"webhook_subscription": wire("PSUB001")}).to_string()),
        || Reply::text(503, ""),
        || Reply::text(429, ""),
    ])
    .await;
    let (client, timer) = client(&server);
    let new = NewSubscription {
        url: "https://dora.example/webhooks/pagerduty".to_owned(),
        description: "pagerduty-dora".to_owned(),
        events: vec!["incident.triggered".to_owned()],
        filter: SubscriptionFilter { kind: FilterKind::Account, id: None },
    };
    let (subscription, secret) = client.create(&new).await.unwrap();
    assert_eq!((subscription, secret.expose_secret()), (expected("PSUB001"), "canary-secret"));
    let error = client.create(&new).await.unwrap_err();
    assert!(error.to_string().contains("webhook_subscription.delivery_method.secret: "), "{error}");
    assert!(matches!(client.create(&new).await, Err(RestError::Server { .. })));
    assert!(matches!(client.create(&new).await, Err(RestError::RateLimited { .. })));
    assert_eq!((server.seen().len(), timer.taken()), (4, vec![]));
    let seen = &server.seen()[0];
    assert_eq!(
        (seen.line.as_str(), seen.header("content-type")),
        ("POST /webhook_subscriptions", "application/json")
    );
    let body: Value = serde_json::from_str(&seen.body).unwrap();
    assert_eq!(
        body,
        json!({"webhook_subscription": {
            "type": "webhook_subscription", "description": "pagerduty-dora", "events": ["incident.triggered"],
            "filter": {"type": "account_reference"},
            "delivery_method": {"type": "http_delivery_method", "url": "https://dora.example/webhooks/pagerduty"},
        }})
    );
}

#[test]
fn an_unknown_kind_of_filter_is_kept() {
    for text in ["account_reference", "service_reference", "team_reference", "galaxy_reference"] {
        assert_eq!(String::from(FilterKind::from(text.to_owned())), text);
    }
}
