//! Tests of the fake itself.

mod faults;
mod lists;
mod random;
mod refusals;
mod rest;
mod subscriptions;
mod webhooks;

use serde_json::Value;

use super::{FakePagerDuty, TOKEN, World};
use crate::harness::{Answer, client, time};

const ACCEPT: &str = "application/vnd.pagerduty+json;version=2";

/// A correct client of a fake.
struct Api {
    pagerduty: FakePagerDuty,
    client: reqwest::Client,
}

impl Api {
    async fn of(world: World) -> Self {
        Self { pagerduty: FakePagerDuty::start(world).await, client: client() }
    }

    fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let url = format!("{}{path}", self.pagerduty.url());
        let request = self.client.request(method.parse().unwrap(), url);
        request.header("accept", ACCEPT).header("authorization", format!("Token token={TOKEN}"))
    }

    async fn answer(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        let mut request = self.request(method, path);
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        Answer::of(request.send().await.unwrap()).await
    }

    /// The answer to a GET that must succeed.
    async fn get(&self, path: &str) -> Value {
        let answer = self.answer("GET", path, None).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        answer.json()
    }

    /// Status of a GET, and the code of the error.
    async fn refused(&self, path: &str) -> (u16, u64) {
        let answer = self.answer("GET", path, None).await;
        let json = answer.json();
        assert!(json["error"]["message"].is_string() && json["error"]["errors"].is_array(), "{json}");
        (answer.status, json["error"]["code"].as_u64().unwrap())
    }
}

/// A value of each object in a list.
fn each<'a>(list: &'a Value, key: &str) -> Vec<&'a str> {
    list.as_array().unwrap().iter().map(|object| object[key].as_str().unwrap()).collect()
}

/// A world with one incident, which is open since 10:00:00.412.
fn with_incident() -> (World, String) {
    let world = World::new(7);
    let at = time("2026-11-01T10:00:00.412Z");
    let id = world.trigger(at, "checkout", "high", Some("P1"), "error rate above 5 %");
    (world, id)
}
