//! Steps of telling that end after each subject leave none out, and take none twice.

use std::collections::BTreeMap;

use super::*;
use crate::domain::deployment::tests::time;
use crate::domain::tell::ToldCounts;
use crate::store::Reader;
use crate::store::outbox::tests::{MANY, filled, states, tell_all};

#[tokio::test]
async fn each_step_of_telling_goes_on_after_the_last_subject() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let store = filled(&path).await;
    let new = ToldCounts { new: MANY as u64, ..ToldCounts::default() };
    // One step for each subject, and one more for each part, which finds none.
    let parts = TellPart::ALL.len();
    let since = time("00:00");
    let told = ToldRows { failures: new, deployments: new, marks: new };
    assert_eq!(tell_all(&store, since).await, (2 * MANY + parts, told));
    assert_eq!(states(&Reader::open(&path).unwrap()), BTreeMap::from([("pending", 3 * MANY)]));
}

#[tokio::test]
async fn marks_of_older_deployments_are_told_step_by_step() {
    let folder = tempfile::tempdir().unwrap();
    let store = filled(&folder.path().join("store.db")).await;
    let new = ToldCounts { new: MANY as u64, ..ToldCounts::default() };
    let (steps, told) = tell_all(&store, time("00:15")).await;
    assert_eq!((steps, told.failures, told.marks), (2 * MANY + TellPart::ALL.len(), new, new));
}
