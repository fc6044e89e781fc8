//! Revisions that are sent once more, because an older request may still be on its way. The tests step by hand and
//! choose each answer.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use pagerduty_dora::backend::{Backend, Outgoing};
use pagerduty_dora::config::Config;
use pagerduty_dora::domain::id::FailureId;
use pagerduty_dora::domain::lane::{Lane, LaneHealth};
use pagerduty_dora::domain::submission::Submission;
use pagerduty_dora::domain::timestamp::Timestamp;
use pagerduty_dora::sources;
use pagerduty_dora::store::{AttemptOutcome, ClaimOrder, Settings, Store};
use tempfile::TempDir;

use crate::engine::{of_a_daemon, store_address};
use crate::harness::time;

const CONFIGURATION: &str = "[[backend]]\nname = \"datadog\"\nkind = \"datadog\"\nurl = \"http://127.0.0.1:9\"\napi_key = { value = \"a\" }\n";
/// Longer than the wait before a revision is sent once more.
const A_WHILE: Duration = Duration::from_mins(2);

/// A store with one failure, whose severity changes.
struct Stepped {
    store: Store,
    now: Timestamp,
    _folder: TempDir,
}

impl Stepped {
    fn new() -> Self {
        Self::configured(CONFIGURATION)
    }

    fn configured(configuration: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = Config::parse(configuration).unwrap();
        let settings = of_a_daemon(Settings {
            policy: Arc::new(config.policy()),
            destinations: vec![Arc::new(
                Backend::from_config(&config.backend[0], &Outgoing::default()).unwrap(),
            )],
            sources: sources::ALL,
            ..Settings::default()
        });
        let store = Store::open(store_address(&folder.path().join("store.db")), settings).unwrap();
        Self { store, now: time("2026-11-20T00:00:00Z"), _folder: folder }
    }

    async fn severity(&self, severity: &str) {
        let submission = Submission {
            id: FailureId::parse("failure:in-doubt-000").unwrap(),
            services: vec!["checkout".to_owned()],
            team: None,
            env: "production".to_owned(),
            started_at: time("2026-11-01T10:00:00Z"),
            finished_at: Some(time("2026-11-01T11:00:00Z")),
            name: None,
            severity: Some(severity.to_owned()),
            version: None,
            commit_sha: None,
            repository_url: None,
            tags: BTreeSet::new(),
            in_the_future: false,
        };
        self.store.submit(submission, self.now).await.unwrap();
    }

    /// Attempts the row that is due, with this outcome. Returns its revision, and `true` if it is sent once more.
    /// `None` if no row is due.
    async fn attempt(&self, outcome: AttemptOutcome) -> Option<(i64, bool)> {
        let epoch = self.store.take_lease("datadog").await.unwrap().unwrap();
        let place = ("datadog", epoch);
        let claim = self.store.claim(place, Lane::Main, ClaimOrder::All, || 9, self.now).await.unwrap();
        let claimed = claim.rows.first()?;
        assert_eq!(claim.rows.len(), 1, "one request of a failure at a time");
        let attempted = (claimed.row, claimed.epoch, outcome, 0);
        let recorded =
            self.store.record_attempt(("datadog", Lane::Main), attempted, LaneHealth::default, self.now);
        recorded.await.unwrap();
        Some((claimed.revision, claimed.repeats))
    }

    async fn accepted(&self) -> Option<(i64, bool)> {
        self.attempt(AttemptOutcome::Sent { status: Some(202) }).await
    }

    async fn timed_out(&self) -> Option<(i64, bool)> {
        self.attempt(AttemptOutcome::Retry { due_at: self.now, status: None, error: "no answer".to_owned() })
            .await
    }

    /// Records the result of an attempt of the first revision, whose epoch is over.
    async fn ended_late(&self, outcome: AttemptOutcome) {
        let epoch = self.store.take_lease("datadog").await.unwrap().unwrap();
        let attempted = (1, epoch - 1, outcome, 0);
        let recorded =
            self.store.record_attempt(("datadog", Lane::Main), attempted, LaneHealth::default, self.now);
        recorded.await.unwrap();
    }

    /// Two revisions that were accepted.
    async fn accepted_twice(configuration: &str) -> Self {
        let stepped = Self::configured(configuration);
        stepped.severity("one").await;
        assert_eq!(stepped.accepted().await, Some((1, false)));
        stepped.severity("two").await;
        assert_eq!(stepped.accepted().await, Some((2, false)));
        assert_eq!(stepped.accepted().await, None);
        stepped
    }

    fn a_while_passes(&mut self) {
        self.now = self.now.saturating_add(A_WHILE);
    }

    /// A first revision without a clear answer, and a second one that was accepted.
    async fn in_doubt() -> Self {
        let stepped = Self::new();
        stepped.severity("one").await;
        assert_eq!(stepped.timed_out().await, Some((1, false)));
        assert_eq!(stepped.accepted().await, Some((1, false)));
        stepped.severity("two").await;
        assert_eq!(stepped.accepted().await, Some((2, false)));
        assert_eq!(stepped.accepted().await, None, "not yet");
        stepped
    }
}

#[tokio::test]
async fn the_newest_revision_is_sent_once_more_and_then_nothing_is_in_doubt() {
    let mut stepped = Stepped::in_doubt().await;
    stepped.a_while_passes();
    assert_eq!(stepped.accepted().await, Some((2, true)));
    stepped.severity("three").await;
    assert_eq!(stepped.accepted().await, Some((3, false)));
    stepped.a_while_passes();
    assert_eq!(stepped.accepted().await, None);
}

#[tokio::test]
async fn a_newer_revision_is_sent_once_more_instead() {
    let mut stepped = Stepped::in_doubt().await;
    stepped.severity("three").await;
    assert_eq!(stepped.accepted().await, Some((3, false)));
    stepped.a_while_passes();
    assert_eq!(stepped.accepted().await, Some((3, true)));
    assert_eq!(stepped.accepted().await, None);
}

#[tokio::test]
async fn a_revision_is_sent_once_more_even_if_the_failure_changed_and_changed_back() {
    let mut stepped = Stepped::in_doubt().await;
    stepped.severity("three").await;
    stepped.severity("two").await;
    stepped.a_while_passes();
    assert_eq!(stepped.accepted().await, Some((2, true)));
    assert_eq!(stepped.accepted().await, None);
}

#[tokio::test]
async fn a_repeat_that_times_out_is_in_doubt_itself() {
    let mut stepped = Stepped::in_doubt().await;
    stepped.a_while_passes();
    assert_eq!(stepped.timed_out().await, Some((2, true)));
    stepped.severity("three").await;
    assert_eq!(stepped.accepted().await, Some((2, true)), "revisions are sent in order");
    assert_eq!(stepped.accepted().await, Some((3, false)));
    stepped.a_while_passes();
    assert_eq!(stepped.accepted().await, Some((3, true)));
    stepped.a_while_passes();
    assert_eq!(stepped.accepted().await, None);
}

/// Another replica sent the first revision, and was paused meanwhile.
#[tokio::test]
async fn the_newest_revision_is_sent_once_more_after_a_request_of_an_old_epoch() {
    let stepped = Stepped::accepted_twice(CONFIGURATION).await;
    stepped.ended_late(AttemptOutcome::Sent { status: Some(202) }).await;
    // One row is enough for both.
    stepped.ended_late(AttemptOutcome::Sent { status: Some(202) }).await;
    assert_eq!(stepped.accepted().await, Some((2, true)));
    assert_eq!(stepped.accepted().await, None);
    // What was sent once more counts, too.
    stepped.ended_late(AttemptOutcome::Sent { status: Some(202) }).await;
    assert_eq!(stepped.accepted().await, Some((2, true)));
    assert_eq!(stepped.accepted().await, None);
}

#[tokio::test]
async fn a_request_of_an_old_epoch_without_an_answer_may_still_arrive() {
    let mut stepped = Stepped::accepted_twice(CONFIGURATION).await;
    let (due_at, error) = (stepped.now, "no answer".to_owned());
    stepped.ended_late(AttemptOutcome::Retry { due_at, status: None, error }).await;
    assert_eq!(stepped.accepted().await, None, "not yet");
    stepped.a_while_passes();
    assert_eq!(stepped.accepted().await, Some((2, true)));
}

#[tokio::test]
async fn a_request_of_an_old_epoch_that_changed_nothing_is_not_corrected() {
    let mut stepped = Stepped::accepted_twice(CONFIGURATION).await;
    stepped.ended_late(AttemptOutcome::Dead { status: Some(400), error: "no".to_owned() }).await;
    let keeps_all = "[[backend]]\nname = \"datadog\"\nkind = \"http\"\nurl = \"http://127.0.0.1:9\"\n";
    let mut other = Stepped::accepted_twice(keeps_all).await;
    other.ended_late(AttemptOutcome::Sent { status: Some(202) }).await;
    for stepped in [&mut stepped, &mut other] {
        stepped.a_while_passes();
        assert_eq!(stepped.accepted().await, None);
    }
}
