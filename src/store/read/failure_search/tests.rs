//! Compares listings with a plain filter of all failures, and looks at the plans of the statements.

use std::time::Duration;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::domain::failure::tests::completed;
use crate::domain::failure::{Evaluated, Failure};
use crate::domain::id::FailureId;
use crate::store::engine::open_store::{open_to_read, open_to_write};
use crate::store::engine::session::Session;
use crate::store::engine::sql::Db;
use crate::store::engine::sqlite::plan::assert_searches;
use crate::store::read::open_now::ranked;
use crate::store::state::failure::{Facts, FailureRow};
use crate::store::{Settings, Store};

const SERVICES: [&str; 3] = ["checkout", "ledger", "search"];
const TEAMS: [&str; 2] = ["payments", "discovery"];
const ENVS: [&str; 2] = ["production", "staging"];
const SEVERITIES: [&str; 2] = ["SEV-1", "SEV-2"];

fn word(words: &'static [&'static str]) -> impl Strategy<Value = String> {
    select(words).prop_map(str::to_owned)
}

/// Hours after the first moment. Few, so that many failures start at the same time.
fn hour(hours: u64) -> Timestamp {
    completed().failure.started_at.saturating_add(Duration::from_hours(hours))
}

prop_compose! {
    fn one_failure()(
        (number, started) in (0..40_u8, 0..12_u64),
        state in select(FailureState::ALL),
        services in vec(word(&SERVICES), 0..3),
        (team, env, severity) in (option::of(word(&TEAMS)), word(&ENVS), option::of(word(&SEVERITIES))),
    ) -> Failure {
        let finished_at = (state != FailureState::Open).then(|| hour(started + 1));
        let id = FailureId::parse(&format!("failure:{number:0>10}")).unwrap();
        Failure { id, state, services, team, env, severity, started_at: hour(started), finished_at, ..completed().failure }
    }
}

prop_compose! {
    fn filter()(
        state in option::weighted(0.4, select(FailureState::ALL)),
        service in option::weighted(0.4, select(&["checkout", "ledger", "unknown"][..]).prop_map(str::to_owned)),
        team in option::weighted(0.3, word(&TEAMS)),
        env in option::weighted(0.3, word(&ENVS)),
        severity in option::weighted(0.3, word(&SEVERITIES)),
        since in option::weighted(0.3, (0..12_u64).prop_map(hour)),
        until in option::weighted(0.3, (0..12_u64).prop_map(hour)),
    ) -> FailureFilter {
        FailureFilter { state, service, team, env, severity, since, until, limit: 0, cursor: None }
    }
}

fn limits() -> impl Strategy<Value = Limits> {
    (0..30_usize, 0..12_usize, 0..2_usize).prop_map(|(few, scanned, scanned_for_a_kind)| Limits {
        few,
        scanned,
        scanned_for_a_kind,
    })
}

/// Saves each failure in turn. A failure with an id that was saved before replaces that one.
async fn saved(folder: &std::path::Path, failures: Vec<Failure>) -> Db {
    let path = folder.join("store.db");
    let store = Store::open(&path, Settings::default()).unwrap();
    let save = move |session: &mut Session<'_>| {
        for failure in &failures {
            let row = FailureRow::load(session.db(), &failure.id)?
                .unwrap_or_else(|| FailureRow::new(failure.id.clone(), Facts::default()));
            let evaluated = Evaluated { failure: failure.clone(), ..completed() };
            row.save(session, Some(evaluated), failure.started_at)?;
        }
        Ok(())
    };
    store.queue(save).await.unwrap();
    open_to_read(&(&path).into()).unwrap()
}

fn passes(filter: &FailureFilter, failure: &Failure) -> bool {
    filter.state.is_none_or(|state| state == failure.state)
        && filter.service.as_ref().is_none_or(|service| failure.services.contains(service))
        && filter.team.as_ref().is_none_or(|team| failure.team.as_ref() == Some(team))
        && filter.env.as_ref().is_none_or(|env| failure.env == *env)
        && filter.severity.as_ref().is_none_or(|severity| failure.severity.as_ref() == Some(severity))
        && filter.since.is_none_or(|since| failure.started_at >= since)
        && filter.until.is_none_or(|until| failure.started_at < until)
}

/// The places of the failures that pass, by a plain filter.
fn expected(filter: &FailureFilter, failures: &[Failure]) -> Vec<Place> {
    let mut rows: Vec<&Failure> = Vec::new();
    for failure in failures {
        match rows.iter().position(|row| row.id == failure.id) {
            Some(row) => rows[row] = failure,
            None => rows.push(failure),
        }
    }
    let numbered = rows.into_iter().zip(1_i64..).filter(|(failure, _)| passes(filter, failure));
    let mut places: Vec<Place> =
        numbered.map(|(failure, row)| (failure.started_at.as_nanos(), row)).collect();
    places.sort_unstable_by(|a, b| b.cmp(a));
    places
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn pages_of_any_filter_are_those_of_a_plain_filter(
        failures in vec(one_failure(), 0..60),
        asked in vec((filter(), limits(), 1..9_usize), 12),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let db = runtime.block_on(saved(folder.path(), failures.clone()));
        for (filter, limits, most) in asked {
            let (mut listed, mut after) = (Vec::new(), (i64::MAX, i64::MAX));
            loop {
                let page = Search::new(&db, &filter, after, most).run(&limits).unwrap();
                let Some(last) = page.last() else { break };
                after = *last;
                listed.extend(page);
            }
            prop_assert_eq!(listed, expected(&filter, &failures), "{:?}", filter);
            let open = FailureFilter { state: Some(FailureState::Open), ..filter };
            let mut ranked: Vec<Place> =
                ranked(&db, &open).unwrap().into_iter().map(|(_, start, row)| (start, row)).collect();
            ranked.sort_unstable_by(|a, b| b.cmp(a));
            prop_assert_eq!(ranked, expected(&open, &failures), "{:?}", open);
        }
    }
}

/// A filter with some of its conditions, for each combination of them.
fn every_combination() -> impl Iterator<Item = FailureFilter> {
    (0..32_u8).map(|chosen| {
        let text = |bit: u8| (chosen & bit != 0).then(String::new);
        FailureFilter {
            state: text(1).map(|_| FailureState::Completed),
            service: text(2),
            team: text(4),
            env: text(8),
            severity: text(16),
            ..FailureFilter::default()
        }
    })
}

#[test]
fn every_statement_of_every_filter_searches_an_index_and_sorts_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let db = open_to_write(&folder.path().join("store.db")).unwrap();
    for sql in [ENDED_OF_KIND, OPEN_OF_KIND, IN_ORDER, OPEN_IN_ORDER] {
        assert_searches(&db, sql);
    }
    let mut combinations = 0;
    for filter in every_combination() {
        if let Some(kinds) = MatchingKinds::of(&db, &filter) {
            assert_searches(&db, &kinds.list_sql());
            assert_searches(&db, &kinds.contain_sql());
            combinations += 1;
        }
    }
    assert_eq!(combinations, 31);
}
