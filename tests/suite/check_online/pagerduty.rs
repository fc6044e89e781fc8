//! What `check` says about PagerDuty.

use super::fakes::{HTML, REDIRECT, Server, nobody};
use super::{SUBSCRIPTION_SECRET, URL, api, pagerduty, run, wanted};
use crate::fake_pagerduty::{FakePagerDuty, Fault, World};

#[tokio::test(flavor = "multi_thread")]
async fn what_pagerduty_refuses_is_named() {
    // Numbers of the requests that are answered with this status, and the line.
    let all = [
        (&[1][..], 401, "failed PagerDuty token: PagerDuty does not accept the token (HTTP 401"),
        (&[1], 500, "failed PagerDuty token: PagerDuty's API fails (HTTP 500"),
        (&[1], 429, "failed PagerDuty token: PagerDuty limits the rate of requests (HTTP 429"),
        (&[1], 403, "failed PagerDuty incidents: the token may not read incidents (HTTP 403"),
        (&[2], 403, "failed PagerDuty subscription: the token may not read webhook subscriptions (HTTP 403"),
        (&[2], 500, "failed PagerDuty subscription: PagerDuty's API fails (HTTP 500"),
        (&[1, 2], 403, "failed PagerDuty token: PagerDuty allows nothing that was asked (HTTP 403"),
    ];
    for (numbers, fails, line) in all {
        let (pagerduty, _) = pagerduty().await;
        for number in numbers {
            pagerduty.fail_request(*number, Fault::Fails(fails));
        }
        let (status, printed) = run(&api(&pagerduty.url()), &[], &[]);
        assert_eq!(status, 1, "{printed}");
        let failed: Vec<&str> = printed.lines().filter(|line| line.starts_with("failed ")).collect();
        assert!(failed.len() == 1 && failed[0].starts_with(line), "{line}\n{printed}");
        assert!(printed.ends_with("pagerduty-dora: 1 of the items above failed; each says what to do"));
        let shows_token = printed.contains("ok     PagerDuty token: ");
        assert_eq!(shows_token, !line.contains("token: "), "{printed}");
        // Nothing is tried again.
        assert!(pagerduty.requests().len() <= 3, "{:?}", pagerduty.requests());
    }
    let (pagerduty, _) = pagerduty().await;
    let (status, printed) = run(&api(&pagerduty.url()), &[], &[("PD_TOKEN", "canary-other-token")]);
    assert_eq!(status, 1, "{printed}");
    assert!(printed.contains("failed PagerDuty token: PagerDuty does not accept the token"), "{printed}");
    assert_eq!(pagerduty.requests().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_state_of_the_subscription_is_named() {
    let check = |pagerduty: &FakePagerDuty, more: &str| run(&(api(&pagerduty.url()) + more), &[], &[]);
    let (off, id) = pagerduty().await;
    off.world.switch_off(&id);
    let (status, printed) = check(&off, "");
    let expected = format!("failed PagerDuty subscription: a person has switched {id} off");
    assert!(status == 1 && printed.contains(&expected), "{printed}");

    let missing = FakePagerDuty::start(World::new(1)).await;
    let (status, printed) = check(&missing, "");
    let expected = "failed PagerDuty subscription: no webhook subscription of the account sends to /webhooks/pagerduty: \
                    create one with `subscription create`";
    assert!(status == 1 && printed.contains(expected), "{printed}");
    let (status, printed) = check(&missing, "subscription = \"PNONE01\"\n");
    let expected = "failed PagerDuty subscription: PagerDuty has no webhook subscription PNONE01: correct";
    assert!(status == 1 && printed.contains(expected), "{printed}");

    let (several, first) = pagerduty().await;
    let second = several.world.subscribe(URL, SUBSCRIPTION_SECRET, &wanted());
    let (status, printed) = check(&several, "");
    let expected = format!("name one in pagerduty.api.subscription: {first}, {second}");
    assert!(status == 1 && printed.contains(&expected), "{printed}");
    let (status, printed) = check(&several, &format!("subscription = \"{second}\"\n"));
    let expected = format!(
        "ok     PagerDuty subscription: {second} is active, for all incidents of the account, and sends all"
    );
    assert!(status == 0 && printed.contains(&expected), "{printed}");

    let world = World::new(1);
    let id = world.subscribe(URL, SUBSCRIPTION_SECRET, &wanted()[1..]);
    let incomplete = FakePagerDuty::start(world).await;
    let (status, printed) = check(&incomplete, "");
    let expected = format!("warn   PagerDuty subscription: {id} does not send {}: add", wanted()[0]);
    assert!(status == 0 && printed.contains(&expected), "{printed}");
    for pagerduty in [off, missing, several, incomplete] {
        assert_eq!(pagerduty.refusals(), [""; 0]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_not_pagerduty_is_named() {
    let (html, redirect) = (Server::that_answers(HTML).await, Server::that_answers(REDIRECT).await);
    for (address, line) in [
        (html.address, "failed PagerDuty token: the answer is not JSON"),
        (redirect.address, "failed PagerDuty token: HTTP 302 does not come from PagerDuty's API"),
        (nobody(), "failed PagerDuty token: PagerDuty's API cannot be reached"),
    ] {
        let (status, printed) = run(&api(&format!("http://{address}")), &[], &[]);
        assert!(status == 1 && printed.contains(line), "{line}\n{printed}");
    }
    let (status, printed) = run("", &[], &[]);
    let line = "ok     PagerDuty: not asked, because [pagerduty.api] is not configured";
    assert!(status == 0 && printed.contains(line), "{printed}");
}
