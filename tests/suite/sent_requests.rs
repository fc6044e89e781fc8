//! Comparison of the requests that a backend received with the rows of the outbox.

use std::collections::BTreeSet;
use std::path::Path;

use pagerduty_dora::domain::timestamp::Timestamp;
use serde_json::Value;

use crate::harness::{client, eventually};
use crate::process::Listening;
use crate::store_probe::{Probe, Revision};
use crate::unreliable::Receipt;

/// Waits until everything is folded and sent, also rows that are to be sent once more. Retries each waiting row at once after
/// each attempt.
pub(crate) async fn drain(listening: Listening, store: &Path) {
    let (probe, client) = (Probe::open(store), client());
    let mut retried = BTreeSet::new();
    let outbox = format!("http://{}/api/v1/outbox", listening.admin);
    eventually("the outbox to be drained", async || {
        if probe.is_drained() && probe.to_be_sent_again() == 0 {
            return Some(());
        }
        let page = client.get(format!("{outbox}?state=pending&limit=1000")).send().await.unwrap();
        let page: Value = serde_json::from_slice(&page.bytes().await.unwrap()).unwrap();
        for row in page["rows"].as_array().unwrap() {
            if !retried.insert((row["id"].to_string(), row["attempts"].to_string())) {
                continue;
            }
            // The retry is refused if the row is being sent, or was sent meanwhile.
            client.post(format!("{outbox}/{}/retry", row["id"])).send().await.unwrap();
        }
        None
    })
    .await;
}

/// Checks the requests that a backend received about one failure against the revisions of the failure:
///
/// - Each body is, byte for byte, that of a revision, and arrived at most as often as the store counted attempts.
/// - The revisions arrived in order. Requests whose sender gave up waiting or was killed may arrive late.
/// - Each revision was sent or superseded. The backend accepted no superseded revision. It may have rejected one,
///   because a clearly rejected revision is replaced by the next one.
/// - The last revision that the backend accepted is the newest.
pub(crate) fn received_in_order(id: &str, receipts: &[Receipt], revisions: &[Revision]) {
    for revision in revisions {
        assert!(["sent", "superseded"].contains(&&*revision.state), "{id}: {}", revision.state);
    }
    let mut next = 0;
    for receipt in receipts {
        let body = &receipt.body;
        let attempts: u32 = with_body(revisions, body).map(|revision| revision.attempts).sum();
        let requests: u32 =
            receipts.iter().filter(|other| other.body == *body).map(|other| other.times).sum();
        assert!(requests <= attempts, "{id}: {requests} requests, {attempts} attempts: {}", text(body));
        let was_sent = with_body(revisions, body).any(|revision| revision.state == "sent");
        assert!(was_sent || !receipt.is_taken, "{id}: {} was accepted and is superseded", text(body));
        match revisions[next..].iter().position(|revision| revision.body == *body) {
            Some(ahead) => next += ahead,
            None => assert!(
                with_body(revisions, body).any(|revision| revision.of_unknown_outcome > 0),
                "{id}: {} arrived after a newer revision, and its outcome was known",
                text(body)
            ),
        }
    }
    let last_accepted = last_accepted(receipts);
    assert_eq!(
        text(last_accepted),
        text(&revisions.last().unwrap().body),
        "{id}: the backend does not have the newest revision"
    );
}

fn with_body<'a>(revisions: &'a [Revision], body: &'a [u8]) -> impl Iterator<Item = &'a Revision> {
    revisions.iter().filter(move |revision| revision.body == body)
}

/// The body that a backend has in the end: the last one that it accepted.
pub(crate) fn last_accepted(receipts: &[Receipt]) -> &[u8] {
    &receipts.iter().rfind(|receipt| receipt.is_taken).expect("nothing was accepted").body
}

/// Checks that a body has the start, the end and the services of the failure.
pub(crate) fn received_exactly(body: &[u8], failure: &Value) {
    let sent: Value = serde_json::from_slice(body).unwrap();
    let sent = &sent["data"]["attributes"];
    let nanos = |key: &str| Timestamp::parse(failure[key].as_str().unwrap()).unwrap().as_nanos();
    assert_eq!(sent["started_at"].as_i64(), Some(nanos("started_at")), "{failure}");
    assert_eq!(sent["finished_at"].as_i64(), Some(nanos("finished_at")), "{failure}");
    assert_eq!(sent["services"], failure["services"]);
}

fn text(bytes: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

#[test]
#[should_panic(expected = "its outcome was known")]
fn an_older_revision_that_was_answered_may_not_come_after_a_newer_one() {
    received_in_order(
        "id",
        &[receipt(b"2"), receipt(b"1"), receipt(b"2")],
        &[revision(b"1", 0), revision(b"2", 0)],
    );
}

#[test]
fn a_request_whose_sender_gave_up_may_arrive_late() {
    received_in_order(
        "id",
        &[receipt(b"2"), receipt(b"1"), receipt(b"2")],
        &[revision(b"1", 1), revision(b"2", 0)],
    );
}

#[test]
#[should_panic(expected = "the backend does not have the newest revision")]
fn a_late_request_may_not_be_the_last() {
    received_in_order("id", &[receipt(b"2"), receipt(b"1")], &[revision(b"1", 1), revision(b"2", 0)]);
}

fn receipt(body: &[u8]) -> Receipt {
    Receipt { body: body.to_vec(), times: 1, is_taken: true }
}

fn revision(body: &[u8], of_unknown_outcome: u32) -> Revision {
    Revision { state: "sent".to_owned(), attempts: 2, of_unknown_outcome, body: body.to_vec() }
}
