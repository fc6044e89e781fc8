//! Batches that end after each failure or deployment leave none out, and take none twice.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::*;
use crate::config::Config;
use crate::domain::deployment::tests::time;
use crate::domain::submission::Submission;
use crate::domain::submission::tests::submission;
use crate::sources::{self, github};
use crate::store::{Delivery, Reader, Settings, Store};

/// Number of failures, and of deployments of GitHub.
const MANY: usize = 5;

/// A configuration that ignores every deployment.
const CHANGED: &str = r#"
[[deployment]]
name = "nothing counts"
repository = ["acme/checkout"]
action = "ignore"
"#;

/// A failure of some minutes.
fn failure(n: usize) -> Submission {
    submission(&n.to_string(), "checkout", &format!("00:1{n}"), Some("00:30"))
}

/// The end of a deployment of `acme/checkout`, as GitHub tells of it.
fn delivery(n: usize) -> Delivery {
    let body = include_str!("../../../../fixtures/github/deployment_status.success.json");
    let commit_sha = "6dcb09b5b57875f334f61aebed695e2e4193db5e";
    let body = body
        .replace("4200001", &format!("420{n:0>4}"))
        .replace("9100002", &format!("910{n:0>4}"))
        .replace(commit_sha, &format!("{n:a>40}"));
    let received_at = time("01:00");
    Delivery { source: &github::SOURCE, id: None, received_at, body: Bytes::from(body), reservation: None }
}

/// A store with failures and deployments, and a policy that changes them all.
async fn filled(path: &Path) -> (Store, Policy) {
    let settings = Settings { sources: sources::ALL, ..Settings::default() };
    let store = Store::open(path, settings).unwrap();
    for n in 0..MANY {
        store.submit(failure(n), time("01:00")).await.unwrap();
        let delivery = delivery(n);
        let heading = github::payload::heading(&delivery.body).unwrap();
        store.record(heading, delivery).await.unwrap();
    }
    store.wait_until_folded().await;
    let policy = Policy { min_duration: Duration::from_hours(1), ..Config::parse(CHANGED).unwrap().policy() };
    store.configure(Arc::new(policy.clone()), Vec::new(), None);
    (store, policy)
}

/// All batches.
async fn batches(
    since: Option<Timestamp>,
    run: impl AsyncFn(ReevaluateSpan) -> ReevaluatedBatch,
) -> Vec<ReevaluatedBatch> {
    let (mut all, mut span) = (Vec::new(), ReevaluateSpan { since, ..ReevaluateSpan::default() });
    loop {
        let batch = run(span).await;
        let next = batch.next;
        all.push(batch);
        match next {
            Some(next) => span.from = next,
            None => return all,
        }
    }
}

#[tokio::test]
async fn each_batch_goes_on_after_the_last_subject() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let (store, policy) = filled(&path).await;
    let reader = Reader::open(&path).unwrap();
    let would = batches(None, async |span| reader.would_change(span, &policy, sources::ALL).unwrap()).await;
    let would: Vec<_> = would.into_iter().flat_map(|batch| batch.changed).collect();
    assert_eq!(would.len(), MANY);

    let done = batches(None, async |span| store.reevaluate(span, time("02:00")).await.unwrap()).await;
    // Each part ends with a batch that finds nothing.
    let failures = [&[1; MANY][..], &[0; MANY + 2]].concat();
    let deployments = [&[0; MANY + 1][..], &[1; MANY], &[0]].concat();
    assert_eq!(done.iter().map(|batch| batch.looked_at).collect::<Vec<_>>(), failures);
    assert_eq!(done.iter().map(|batch| batch.looked_at_deployments).collect::<Vec<_>>(), deployments);
    assert_eq!(done.iter().map(|batch| batch.changed_deployments.len()).sum::<usize>(), MANY);
    assert_eq!(done.into_iter().flat_map(|batch| batch.changed).collect::<Vec<_>>(), would);
}

#[tokio::test]
async fn a_batch_reads_few_of_the_failures_that_are_too_old() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let (store, policy) = filled(&path).await;
    let reader = Reader::open(&path).unwrap();
    // Only the last one.
    let since = Some(time(&format!("00:1{}", MANY - 1)));
    let would = batches(since, async |span| reader.would_change(span, &policy, sources::ALL).unwrap()).await;
    let done = batches(since, async |span| store.reevaluate(span, time("02:00")).await.unwrap()).await;
    for batches in [would, done] {
        let looked_at: Vec<_> = batches.iter().map(|batch| batch.looked_at).take(3).collect();
        assert_eq!(looked_at, [0, 0, 1], "each batch has two rows");
        let changed: Vec<_> = batches.into_iter().flat_map(|batch| batch.changed).collect();
        assert_eq!(changed.len(), 1);
        assert_eq!(changed[0].id, failure(MANY - 1).id);
    }
}
