//! Compares the requests that a backend received with the rows of the outbox.

use std::collections::BTreeMap;
use std::path::Path;

use pagerduty_dora::domain::timestamp::Timestamp;
use rusqlite::Connection;
use serde_json::Value;

use crate::harness::client;
use crate::process::Listening;
use crate::unreliable::Receipt;

/// A row of the outbox.
pub(crate) struct Revision {
    state: String,
    attempts: u32,
    /// Attempts that the process did not learn the outcome of: a request of theirs may arrive at any later time.
    of_unknown_outcome: u32,
    pub(crate) body: Vec<u8>,
}

/// The revisions of each failure, in order.
pub(crate) fn revisions(store: &Path) -> BTreeMap<String, Vec<Revision>> {
    // An attempt that a kill interrupted was begun and has no outcome.
    const SQL: &str = "SELECT failure_id, o.state, attempts, body,
        attempts - (SELECT count(*) FROM attempt WHERE outbox = o.id AND status IS NOT NULL)
        FROM outbox o JOIN failure f ON f.id = o.failure ORDER BY o.failure, o.revision";
    let db = Connection::open(store).unwrap();
    let mut statement = db.prepare(SQL).unwrap();
    let rows = statement.query_map([], |row| {
        let (state, attempts, body) = (row.get(1)?, row.get(2)?, row.get(3)?);
        Ok((row.get(0)?, Revision { state, attempts, of_unknown_outcome: row.get(4)?, body }))
    });
    let mut revisions = BTreeMap::<String, Vec<Revision>>::new();
    for (id, revision) in rows.unwrap().map(Result::unwrap) {
        revisions.entry(id).or_default().push(revision);
    }
    revisions
}

/// Waits until everything is folded and sent. Rows that wait for their next attempt are tried at once.
pub(crate) async fn drain(listening: Listening, store: &Path) {
    const IS_DRAINED: &str = "SELECT NOT EXISTS (SELECT 1 FROM outbox WHERE state = 'pending')
        AND (SELECT max(id) FROM event) <= (SELECT up_to FROM folded)";
    let (db, client) = (Connection::open(store).unwrap(), client());
    let outbox = format!("http://{}/api/v1/outbox", listening.admin);
    for _ in 0..20_000 {
        if db.query_row(IS_DRAINED, [], |row| row.get(0)).unwrap() {
            return;
        }
        let page = client.get(format!("{outbox}?state=pending&limit=1000")).send().await.unwrap();
        let page: Value = serde_json::from_slice(&page.bytes().await.unwrap()).unwrap();
        for row in page["rows"].as_array().unwrap() {
            // Refused where the row is being sent, or has been sent meanwhile.
            client.post(format!("{outbox}/{}/retry", row["id"])).send().await.unwrap();
        }
    }
    panic!("it never comes to: {IS_DRAINED}");
}

/// Checks what a backend received about one failure against its revisions:
///
/// - every body is, byte for byte, that of a revision, and came no more often than the store counted attempts;
/// - the revisions came in order, except for requests whose sender gave up waiting or was killed: these may arrive
///   late;
/// - every revision was sent or superseded, and the backend took none of the superseded ones. It may have refused one,
///   because a clearly refused revision is replaced by the next one;
/// - the last one that the backend took is the newest.
pub(crate) fn told_in_order(id: &str, receipts: &[Receipt], revisions: &[Revision]) {
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
        assert!(was_sent || !receipt.is_taken, "{id}: {} was taken and is superseded", text(body));
        match revisions[next..].iter().position(|revision| revision.body == *body) {
            Some(ahead) => next += ahead,
            None => assert!(
                with_body(revisions, body).any(|revision| revision.of_unknown_outcome > 0),
                "{id}: {} came after a newer revision, and its outcome was known",
                text(body)
            ),
        }
    }
    let held = held(receipts);
    assert_eq!(text(held), text(&revisions.last().unwrap().body), "{id}: the newest is not held");
}

fn with_body<'a>(revisions: &'a [Revision], body: &'a [u8]) -> impl Iterator<Item = &'a Revision> {
    revisions.iter().filter(move |revision| revision.body == body)
}

/// The body that a backend holds in the end: the last one that it took.
pub(crate) fn held(receipts: &[Receipt]) -> &[u8] {
    &receipts.iter().rfind(|receipt| receipt.is_taken).expect("nothing was taken").body
}

/// Checks that a body says what the failure is: from when, to when, and whose.
pub(crate) fn told_exactly(body: &[u8], failure: &Value) {
    let told: Value = serde_json::from_slice(body).unwrap();
    let told = &told["data"]["attributes"];
    let nanos = |key: &str| Timestamp::parse(failure[key].as_str().unwrap()).unwrap().as_nanos();
    assert_eq!(told["started_at"].as_i64(), Some(nanos("started_at")), "{failure}");
    assert_eq!(told["finished_at"].as_i64(), Some(nanos("finished_at")), "{failure}");
    assert_eq!(told["services"], failure["services"]);
}

fn text(bytes: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

#[test]
#[should_panic(expected = "its outcome was known")]
fn an_older_revision_that_was_answered_may_not_come_after_a_newer_one() {
    told_in_order(
        "id",
        &[receipt(b"2"), receipt(b"1"), receipt(b"2")],
        &[revision(b"1", 0), revision(b"2", 0)],
    );
}

#[test]
fn a_request_whose_sender_gave_up_may_come_late() {
    told_in_order(
        "id",
        &[receipt(b"2"), receipt(b"1"), receipt(b"2")],
        &[revision(b"1", 1), revision(b"2", 0)],
    );
}

#[test]
#[should_panic(expected = "the newest is not held")]
fn a_late_request_may_not_be_the_last() {
    told_in_order("id", &[receipt(b"2"), receipt(b"1")], &[revision(b"1", 1), revision(b"2", 0)]);
}

fn receipt(body: &[u8]) -> Receipt {
    Receipt { body: body.to_vec(), times: 1, is_taken: true }
}

fn revision(body: &[u8], of_unknown_outcome: u32) -> Revision {
    Revision { state: "sent".to_owned(), attempts: 2, of_unknown_outcome, body: body.to_vec() }
}
