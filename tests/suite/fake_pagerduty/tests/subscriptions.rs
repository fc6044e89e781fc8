//! Subscriptions, and the delivery of webhooks to them.

use serde_json::{Value, json};

use super::{Api, each, with_incident};
use crate::fake_pagerduty::{Outcome, World};
use crate::harness::{Backend, Daemon, SECRET, time};

const TYPES: [&str; 2] = ["incident.triggered", "incident.resolved"];

fn creation(url: &str, filter: &Value) -> Value {
    json!({ "webhook_subscription": {
        "type": "webhook_subscription", "events": TYPES, "description": "Failures", "filter": filter,
        "delivery_method": { "type": "http_delivery_method", "url": url },
    }})
}

#[tokio::test]
async fn a_subscription_is_created_read_and_changed() {
    let api = Api::of(World::new(1)).await;
    let body = creation("http://127.0.0.1:1/", &json!({ "type": "service_reference", "id": "P1" }));
    let answer = api.answer("POST", "/webhook_subscriptions", Some(&body)).await;
    assert_eq!(answer.status, 201);
    let created = &answer.json()["webhook_subscription"];
    assert!(created["delivery_method"]["secret"].is_string(), "{created}");
    let path = format!("/webhook_subscriptions/{}", created["id"].as_str().unwrap());
    let read = api.get(&path).await["webhook_subscription"].clone();
    assert_eq!(read["delivery_method"]["secret"], Value::Null, "only the first answer has it");
    assert_eq!((&read["active"], &read["events"]), (&json!(true), &json!(TYPES)));
    for (query, count) in
        [("", 1), ("?filter_type=service", 1), ("?filter_type=account", 0), ("?filter_id=P2", 0)]
    {
        let list = api.get(&format!("/webhook_subscriptions{query}")).await;
        assert_eq!(each(&list["webhook_subscriptions"], "id").len(), count, "{query}");
    }

    let change = json!({ "webhook_subscription": {
        "active": false, "events": ["incident.reopened"], "description": "Reopens",
        "filter": { "type": "team_reference", "id": "P2" },
    }});
    let changed = api.answer("PUT", &path, Some(&change)).await.json()["webhook_subscription"].clone();
    assert_eq!(changed, api.get(&path).await["webhook_subscription"]);
    for key in ["active", "events", "description", "filter"] {
        assert_eq!(changed[key], change["webhook_subscription"][key], "{key}");
    }
    let change = json!({ "webhook_subscription": { "delivery_method": { "url": "http://127.0.0.1:2/" } } });
    assert_eq!(api.answer("PUT", &path, Some(&change)).await.status, 400, "a method is never changed");

    api.pagerduty.world.is_read_only();
    assert_eq!(api.answer("POST", &format!("{path}/enable"), None).await.status, 403);
    assert_eq!(api.refused("/webhook_subscriptions/PNONE").await, (404, 2100));
}

#[tokio::test]
async fn an_account_has_at_most_ten_subscriptions_with_the_same_filter() {
    let api = Api::of(World::new(1)).await;
    let body = creation("http://127.0.0.1:1/", &json!({ "type": "account_reference" }));
    for _ in 0..10 {
        assert_eq!(api.answer("POST", "/webhook_subscriptions", Some(&body)).await.status, 201);
    }
    let answer = api.answer("POST", "/webhook_subscriptions", Some(&body)).await;
    assert_eq!((answer.status, &answer.json()["error"]["code"]), (400, &json!(2019)));
}

#[tokio::test]
async fn three_drops_in_a_row_disable_a_subscription_until_it_is_enabled() {
    let (world, id) = with_incident();
    world.acknowledge(&id, time("2026-11-01T10:01:00Z"));
    let mut receiver = Backend::start().await;
    let url = format!("http://{}/webhooks/pagerduty", receiver.address);
    let subscription = world.subscribe(&url, SECRET, &TYPES);
    let [triggered, acknowledged] = world.webhooks().try_into().unwrap();
    let api = Api::of(world.clone()).await;
    let path = format!("/webhook_subscriptions/{subscription}");
    let is_disabled = async || {
        api.get(&path).await["webhook_subscription"]["delivery_method"]["temporarily_disabled"] == json!(true)
    };

    assert_eq!(world.deliver(&acknowledged).await, [], "nobody wants it");
    receiver.will_answer(&[(401, &[]), (400, &[]), (503, &[]), (429, &[])]);
    for expected in
        [Outcome::Dropped(401), Outcome::Dropped(400), Outcome::Failed(Some(503)), Outcome::Failed(Some(429))]
    {
        assert_eq!(world.deliver(&triggered).await, [expected]);
        assert!(!is_disabled().await, "{expected:?}");
    }
    let [first, again] = [receiver.next().await, receiver.next().await].map(|request| {
        assert_eq!(request.bytes, triggered.body.as_bytes());
        assert_eq!(request.headers["x-webhook-subscription"], subscription);
        request.headers["x-webhook-id"].clone()
    });
    assert_eq!((&first, first.len()), (&again, 36), "each attempt has the same id");
    assert_eq!(world.deliver(&triggered).await, [Outcome::Accepted]);
    receiver.will_answer(&[(404, &[]), (404, &[]), (404, &[])]);
    for drops in 1..=3 {
        assert_eq!(world.deliver(&triggered).await, [Outcome::Dropped(404)]);
        assert_eq!(is_disabled().await, drops == 3, "a webhook that was accepted ends the row");
    }
    assert_eq!(world.deliver(&triggered).await, [Outcome::NotSent]);

    let enabled = api.answer("POST", &format!("{path}/enable"), None).await;
    assert_eq!((enabled.status, enabled.body.as_str()), (200, ""));
    assert!(!is_disabled().await);
    assert_eq!(world.deliver(&triggered).await, [Outcome::Accepted]);
}

#[tokio::test]
async fn filters_choose_the_webhooks() {
    let (world, id) = with_incident();
    let receiver = Backend::start().await;
    let api = Api::of(world.clone()).await;
    let incident = api.get(&format!("/incidents/{id}")).await["incident"].clone();
    let url = format!("http://{}/", receiver.address);
    for (kind, id, expected) in [
        ("service_reference", incident["service"]["id"].clone(), 1),
        ("team_reference", incident["teams"][0]["id"].clone(), 2),
        ("service_reference", json!("POTHER"), 2),
        ("team_reference", json!("POTHER"), 2),
    ] {
        let body = creation(&url, &json!({ "type": kind, "id": id }));
        assert_eq!(api.answer("POST", "/webhook_subscriptions", Some(&body)).await.status, 201);
        assert_eq!(
            world.deliver(&world.webhooks()[0]).await,
            vec![Outcome::Accepted; expected],
            "{kind} {id}"
        );
    }
}

#[tokio::test]
async fn the_daemon_accepts_webhooks_and_pings() {
    let (world, id) = with_incident();
    world.resolve(&id, time("2026-11-01T10:42:10.500Z"));
    let daemon = Daemon::start("").await;
    let subscription =
        world.subscribe(&format!("http://{}/webhooks/pagerduty", daemon.public), SECRET, &TYPES);
    let api = Api::of(world.clone()).await;
    let ping = api.answer("POST", &format!("/webhook_subscriptions/{subscription}/ping"), None).await;
    assert_eq!((ping.status, ping.body.as_str()), (202, ""));
    let metrics = daemon.get("/metrics").await.body;
    let ignored = "pagerduty_dora_webhooks_total{source=\"pagerduty\",status=\"ignored\"} 1";
    assert!(metrics.contains(ignored), "{metrics}");
    for webhook in world.webhooks() {
        assert_eq!(world.deliver(&webhook).await, [Outcome::Accepted]);
    }
    daemon.until_folded().await;
    assert_eq!(daemon.failures().await[0]["finished_at"], "2026-11-01T10:42:10.500Z");

    let wrong = world.subscribe(&format!("http://{}/webhooks/pagerduty", daemon.public), "wrong", &TYPES);
    assert_eq!(
        world.deliver(&world.webhooks()[0]).await,
        [Outcome::Accepted, Outcome::Dropped(401)],
        "{wrong}"
    );
    daemon.stop().await.unwrap();
    assert_eq!(world.deliver(&world.webhooks()[0]).await, [Outcome::Failed(None); 2]);
}
