//! Compares the figures from the store with those of the slow model, which reads every failure and deployment
//! whole.

use std::sync::Arc;
use std::time::Duration;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::domain::deployment::Deployment;
use crate::domain::failure::{Details, Evaluated, Failure, seconds};
use crate::domain::figures::tests::arbitrary::{deployments, one_failure, query};
use crate::domain::figures::tests::model::model;
use crate::domain::id::FailureId;
use crate::domain::link::tests::model as links;
use crate::domain::policy::Policy;
use crate::store::engine::session::Session;
use crate::store::facts::deployment::{self, Origin, Standing};
use crate::store::state::failure::{Facts, FailureRow};
use crate::store::{Settings, Store};

const WINDOW: Duration = Duration::from_hours(30);
/// Names that a person may give: an id, a version, a commit, an unknown name, and `none`.
const NAMES: [&str; 9] = [
    "deployment:00003",
    "Deployment:00004.",
    "v1",
    "1",
    "ABCDEF1",
    "abcdef12 (a comment)",
    "abcdef",
    "v9",
    "None",
];

prop_compose! {
    fn one_evaluated()(
        failure in one_failure(),
        (created_before, named) in (option::weighted(0.3, 0..3_000_u64), option::weighted(0.3, select(&NAMES[..]))),
        (as_version, restored_in) in (any::<bool>(), option::weighted(0.3, 0..9_000_u32)),
    ) -> Evaluated {
        let named = named.map(str::to_owned);
        let (version, named_deployments) = if as_version { (named, None) } else { (None, named) };
        let named_deployments = named_deployments.into_iter().collect();
        let created_at =
            created_before.map(|minutes| failure.started_at.saturating_sub(Duration::from_mins(minutes)));
        let restored_in = restored_in.filter(|_| failure.finished_at.is_some()).map(f64::from);
        let time_to_restore_seconds = restored_in.or(failure.time_to_restore_seconds);
        let failure = Failure { deployment: None, time_to_restore_seconds, ..failure };
        Evaluated { failure, details: Details { version, created_at, named_deployments, ..Details::default() } }
    }
}

/// Gives every third deployment the same version and commit.
fn versioned(deployments: Vec<Deployment>) -> Vec<Deployment> {
    let numbered = deployments.into_iter().enumerate();
    let with_version = numbered.map(|(n, deployment)| Deployment {
        version: Some(format!("v{}", n % 3)),
        commit_sha: Some(format!("abcdef1{:0<33}", n % 3)),
        ..deployment
    });
    with_version.collect()
}

/// A reader of a store with just these failures and deployments.
async fn stored(
    folder: &std::path::Path,
    evaluated: Vec<Evaluated>,
    deployments: Vec<Deployment>,
) -> FiguresReader {
    let path = folder.join("store.db");
    let policy = Arc::new(Policy { link_window: WINDOW, ..Policy::default() });
    let settings = Settings { policy, ..Settings::default() };
    let store = Store::open(&path, settings).unwrap();
    let save = move |session: &mut Session<'_>| {
        for evaluated in &evaluated {
            let row = FailureRow::new(evaluated.failure.id.clone(), Facts::default());
            row.save(session, Some(evaluated.clone()), evaluated.failure.started_at)?;
        }
        let mut deployments = deployments.iter();
        let stored_as = (&Origin::API, &Standing::Counts);
        deployments.try_for_each(|made| deployment::save(session, made, stored_as, made.finished_at))
    };
    store.queue(save).await.unwrap();
    FiguresReader::open(&path).unwrap()
}

/// The failures whose times to restore a report has.
fn filter(query: &ReportQuery) -> TimedFailureFilter {
    TimedFailureFilter {
        since: query.since,
        until: query.until,
        env: query.env.clone(),
        service: query.service.clone(),
        team: query.team.clone(),
        severity: None,
        limit: 100,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn a_report_from_the_store_equals_the_report_of_the_model(
        query in query(),
        evaluated in vec(one_evaluated(), 0..16),
        deployments in deployments(),
    ) {
        let deployments = versioned(deployments);
        let (mut failures, mut stored_ones, mut named) = (Vec::new(), Vec::new(), HashSet::default());
        for (n, Evaluated { mut failure, details }) in evaluated.into_iter().enumerate() {
            failure.id = FailureId::parse(&format!("failure:{n:0>10}")).unwrap();
            let evaluated = Evaluated { failure, details };
            let cause = links::cause(&evaluated, &deployments, WINDOW);
            if links::named_cause(&evaluated, &deployments).is_some() {
                named.insert(evaluated.failure.id.clone());
            }
            let deployment = cause.map(|deployment| deployment.id.to_string());
            failures.push(Failure { deployment, ..evaluated.failure.clone() });
            stored_ones.push(evaluated);
        }
        let folder = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let reader = runtime.block_on(stored(folder.path(), stored_ones, deployments.clone()));
        let report = reader.report(&query).unwrap();
        let is_named = |failure: &Failure| named.contains(&failure.id);
        let (rows, total) = model(&query, &failures, &deployments, &is_named);
        prop_assert_eq!(&report.rows, &rows);
        prop_assert_eq!(&report.total, &total);
        let timed = reader.timed_failures(&filter(&query)).unwrap();
        let times: Vec<i64> = timed.failures.iter().filter_map(|failure| failure.restored_ns).collect();
        prop_assert_eq!(times.len(), total.time_to_restore_seconds.n);
        prop_assert_eq!(times.iter().max().map(|longest| seconds(*longest)), total.time_to_restore_seconds.max);
    }
}
