use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::domain::timestamp::Timestamp;

const SHA: &str = "6dcb09b5b57875f334f61aebed695e2e4193db5e";

fn deployment(id: &str, minute: i64) -> Deployment {
    let at = Timestamp::from_unix(1_800_000_000 + 60 * minute).unwrap();
    Deployment {
        id: DeploymentId::parse(&format!("{id:->16}")).unwrap(),
        service: "checkout".to_owned(),
        team: None,
        env: "production".to_owned(),
        started_at: at,
        finished_at: at,
        version: None,
        commit_sha: Some(SHA.to_owned()),
        repository_url: None,
        tags: BTreeSet::new(),
    }
}

/// The duplicates as "loser: winner".
fn found(told: &[(usize, Deployment)]) -> Vec<String> {
    let candidates: Vec<_> =
        told.iter().map(|(rank, deployment)| Candidate { deployment, rank: *rank }).collect();
    let short = |id: &DeploymentId| id.as_str().trim_start_matches('-').to_owned();
    duplicates(&candidates)
        .into_iter()
        .map(|(loser, winner)| format!("{}: {}", short(loser), short(winner)))
        .collect()
}

#[test]
fn the_earlier_source_counts() {
    let (api, hook) = ((0, deployment("api", 9)), (1, deployment("hook", 0)));
    assert_eq!(found(&[hook.clone(), api.clone()]), ["hook: api"]);
    assert_eq!(found(&[api, hook]), ["hook: api"]);
}

#[test]
fn service_env_and_commit_are_equal_and_the_starts_are_near() {
    let api = (0, deployment("api", 0));
    let other = |change: fn(&mut Deployment)| {
        let mut told = deployment("hook", 10);
        change(&mut told);
        found(&[api.clone(), (1, told)]).len()
    };
    assert_eq!(other(|_| {}), 1, "ten minutes are near");
    assert_eq!(other(|told| told.commit_sha = Some(SHA.to_uppercase())), 1);
    assert_eq!(other(|told| told.started_at = deployment("x", 11).started_at), 0);
    assert_eq!(other(|told| told.started_at = deployment("x", -11).started_at), 0);
    assert_eq!(other(|told| told.service = "cart".to_owned()), 0);
    assert_eq!(other(|told| told.env = "staging".to_owned()), 0);
    assert_eq!(other(|told| told.commit_sha = Some("0".repeat(40))), 0);
    assert_eq!(other(|told| told.commit_sha = None), 0);
    let without = |id, minute| Deployment { commit_sha: None, ..deployment(id, minute) };
    assert_eq!(
        found(&[(0, without("api", 0)), (1, without("hook", 0))]).len(),
        0,
        "no commit is no evidence"
    );
    assert_eq!(
        found(&[(1, deployment("one", 0)), (1, deployment("two", 0))]).len(),
        0,
        "a re-run is another one"
    );
}

#[test]
fn a_duplicate_takes_no_others_place() {
    let told = [(0, deployment("api", 0)), (1, deployment("github", 8)), (2, deployment("gitlab", 16))];
    assert_eq!(found(&told), ["github: api"]);
    assert_eq!(found(&told[1..]), ["gitlab: github"], "without the pipeline, the next source counts");
}

#[test]
fn the_nearest_one_is_named() {
    let told = [(0, deployment("first", 0)), (0, deployment("second", 7)), (1, deployment("hook", 5))];
    assert_eq!(found(&told), ["hook: second"]);
}

proptest! {
    #[test]
    fn the_order_does_not_matter_and_no_two_that_count_are_the_same(
        (told, shuffled) in prop::collection::vec((0..3_usize, 0..60_i64), 0..8).prop_flat_map(|told| {
            let told: Vec<_> =
                told.into_iter().enumerate().map(|(n, (rank, minute))| (rank, deployment(&n.to_string(), minute))).collect();
            (Just(told.clone()), Just(told).prop_shuffle())
        }),
    ) {
        prop_assert_eq!(found(&told), found(&shuffled));
        let candidates: Vec<_> =
            told.iter().map(|(rank, deployment)| Candidate { deployment, rank: *rank }).collect();
        let lost = duplicates(&candidates);
        let counts = |one: &&Candidate<'_>| !lost.contains_key(&one.deployment.id);
        for one in candidates.iter().filter(counts) {
            prop_assert!(!candidates.iter().filter(counts).any(|other| one.is_same(other)));
        }
        for (loser, winner) in &lost {
            let of = |id: &DeploymentId| candidates.iter().find(|one| one.deployment.id == *id).unwrap();
            prop_assert!(of(loser).is_same(of(winner)) && of(winner).rank < of(loser).rank);
            prop_assert!(!lost.contains_key(winner));
        }
    }
}
