//! Faults on demand, and the limit of requests.

use super::{Api, with_incident};
use crate::fake_pagerduty::{Fault, RateLimit, World};
use crate::harness::eventually;

#[tokio::test]
async fn the_chosen_request_fails() {
    let (world, _) = with_incident();
    let api = Api::of(world).await;
    api.pagerduty.fail_request(2, Fault::Fails(500));
    api.pagerduty.fail_request(3, Fault::Resets);
    api.pagerduty.fail_request(4, Fault::HalfBody);
    api.pagerduty.fail_request(5, Fault::TooManyRequests { reset_seconds: Some(7) });
    api.pagerduty.fail_request(6, Fault::TooManyRequests { reset_seconds: None });
    api.get("/incidents").await;
    assert_eq!(api.answer("GET", "/incidents", None).await.status, 500);

    assert!(api.request("GET", "/incidents").send().await.is_err(), "no answer");
    let half = api.request("GET", "/incidents").send().await.unwrap();
    assert_eq!(half.status(), 200);
    assert!(half.text().await.is_err(), "the body breaks off");

    let limited = api.answer("GET", "/incidents", None).await;
    assert_eq!((limited.status, &limited.json()["error"]["code"]), (429, &2020.into()));
    assert_eq!(limited.headers["ratelimit-reset"], "7");
    let limited = api.answer("GET", "/incidents", None).await;
    assert_eq!((limited.status, limited.headers.contains_key("ratelimit-reset")), (429, false));
    api.get("/incidents").await;
    assert_eq!(api.pagerduty.requests(), ["GET /incidents"; 7]);
    assert_eq!(api.pagerduty.refusals(), [""; 0], "faults are no mistakes of the client");
}

#[tokio::test]
async fn a_request_hangs_until_it_is_released() {
    let api = Api::of(World::new(1)).await;
    api.pagerduty.fail_next(Fault::Hangs);
    let (hanging, ()) = tokio::join!(api.get("/incidents"), async {
        eventually("the request that hangs", async || (!api.pagerduty.requests().is_empty()).then_some(()))
            .await;
        // This request is answered while the other one hangs.
        api.get("/log_entries").await;
        api.pagerduty.release();
    });
    assert!(hanging["incidents"].is_array());
}

#[tokio::test]
async fn requests_beyond_the_limit_are_refused_until_the_next_minute() {
    let api = Api::of(World::new(1)).await;
    let status = async || {
        let answer = api.answer("GET", "/incidents", None).await;
        let remaining = answer.headers.get("ratelimit-remaining");
        (answer.status, remaining.map(|value| value.to_str().unwrap().to_owned()))
    };
    api.pagerduty.set_limit(Some(RateLimit { per_minute: 2, reset_seconds: Some(1) }));
    let some = |text: &str| Some(text.to_owned());
    for expected in [(200, some("1")), (200, some("0")), (429, some("0")), (429, some("0"))] {
        assert_eq!(status().await, expected);
    }
    api.pagerduty.begin_minute();
    assert_eq!(status().await, (200, some("1")));
    api.pagerduty.set_limit(Some(RateLimit { per_minute: 1, reset_seconds: None }));
    for expected in [(200, None), (429, None)] {
        assert_eq!(status().await, expected);
    }
    api.pagerduty.set_limit(None);
    assert_eq!(status().await, (200, None));
}
