//! Compares listings with a filter over all deployments, and checks the plans of their statements.

use std::collections::BTreeSet;
use std::time::Duration;

use super::*;
use crate::domain::deployment::Deployment;
use crate::domain::deployment::tests::{deployment, time};
use crate::domain::submission::Submission;
use crate::domain::submission::tests::submission;
use crate::store::engine::sqlite::plan::plan;
use crate::store::{Settings, Store};

const PENDING: PendingRule =
    PendingRule { link_window: Duration::from_hours(24), now: Timestamp::from_nanos(0) };

/// Every combination of filters by these values. `None`: not filtered.
fn filters() -> Vec<DeploymentFilter> {
    let names = |names: &[&str]| -> Vec<Option<String>> {
        std::iter::once(None).chain(names.iter().map(|name| Some((*name).to_owned()))).collect()
    };
    let mut filters = Vec::new();
    for service in names(&["checkout", "search", "nobody"]) {
        for env in names(&["production", "staging"]) {
            for team in names(&["payments", "storefront"]) {
                for (since, until) in [
                    (None, None),
                    (Some(time("00:20")), None),
                    (None, Some(time("00:30"))),
                    (Some(time("00:20")), Some(time("00:30"))),
                ] {
                    for failed in [false, true] {
                        let (service, env, team) = (service.clone(), env.clone(), team.clone());
                        let filter = DeploymentFilter {
                            service,
                            env,
                            team,
                            since,
                            until,
                            failed,
                            ..Default::default()
                        };
                        filters.push(filter);
                    }
                }
            }
        }
    }
    filters
}

/// Deployments of several services, envs and teams. Two end at each time.
fn deployments() -> Vec<Deployment> {
    let of = |n: usize| {
        let at = format!("00:{:02}", n / 2);
        Deployment {
            service: ["checkout", "search", "cart"][n % 3].to_owned(),
            env: ["production", "staging"][n / 3 % 2].to_owned(),
            team: [Some("payments"), Some("storefront"), None][n / 5 % 3].map(str::to_owned),
            ..deployment(&n.to_string(), "", &at, &at)
        }
    };
    (0..90).map(of).collect()
}

/// Failures that name every seventh deployment as their cause.
fn failures(deployments: &[Deployment]) -> Vec<Submission> {
    let of = |deployment: &Deployment| Submission {
        env: deployment.env.clone(),
        started_at: deployment.finished_at.saturating_add(Duration::from_secs(1)),
        version: deployment.version.clone(),
        ..submission(deployment.id.as_str(), &deployment.service, "00:00", None)
    };
    deployments.iter().step_by(7).map(of).collect()
}

async fn filled(folder: &std::path::Path) -> (Store, Reader) {
    let path = folder.join("store.db");
    let store = Store::open(&path, Settings::default()).unwrap();
    let deployments = deployments();
    for submission in failures(&deployments) {
        store.submit(submission, time("01:00")).await.unwrap();
    }
    for deployment in deployments {
        store.record_deployment(deployment, time("01:00")).await.unwrap();
    }
    let reader = Reader::open(&path).unwrap();
    (store, reader)
}

/// The ids of a listing that is read in pages.
fn listed(reader: &Reader, filter: &DeploymentFilter) -> Vec<String> {
    let mut filter = DeploymentFilter { limit: 7, ..filter.clone() };
    let mut ids = Vec::new();
    loop {
        let page = reader.deployments(&filter, PENDING).unwrap();
        assert!(page.deployments.len() <= filter.limit);
        ids.extend(page.deployments.iter().map(|view| view.deployment.id.to_string()));
        match page.next {
            Some(next) => filter.cursor = Some(next),
            None => return ids,
        }
    }
}

#[tokio::test]
async fn every_filter_lists_the_same_as_a_look_at_each_deployment() {
    let folder = tempfile::tempdir().unwrap();
    let (_store, reader) = filled(folder.path()).await;
    let failed: BTreeSet<String> =
        deployments().iter().step_by(7).map(|deployment| deployment.id.to_string()).collect();
    for filter in filters() {
        let is_asked =
            |wanted: &Option<String>, found: Option<&str>| wanted.is_none() || wanted.as_deref() == found;
        let mut expected = deployments();
        expected.retain(|deployment| {
            is_asked(&filter.service, Some(&deployment.service))
                && is_asked(&filter.env, Some(&deployment.env))
                && is_asked(&filter.team, deployment.team.as_deref())
                && filter.since.is_none_or(|since| deployment.finished_at >= since)
                && filter.until.is_none_or(|until| deployment.finished_at < until)
                && (!filter.failed || failed.contains(deployment.id.as_str()))
        });
        // They were stored in the order of their ends.
        let expected: Vec<String> =
            expected.iter().rev().map(|deployment| deployment.id.to_string()).collect();
        assert_eq!(listed(&reader, &filter), expected, "{filter:?}");
    }
    let ignored = DeploymentFilter { ignored: true, limit: 7, ..DeploymentFilter::default() };
    assert!(reader.deployments(&ignored, PENDING).unwrap().deployments.is_empty());
}

#[tokio::test]
async fn a_deployment_has_failed_only_while_a_failure_that_counts_is_linked_to_it() {
    let folder = tempfile::tempdir().unwrap();
    let (store, reader) = filled(folder.path()).await;
    let failed = DeploymentFilter { failed: true, ..DeploymentFilter::default() };
    let all = listed(&reader, &failed);
    assert_eq!(all.len(), 13);
    let deployments = deployments();
    let gone = failures(&deployments).remove(0).id;
    store.delete(gone, time("02:00")).await.unwrap();
    // It moves to another env, where its failure did not happen.
    let moved = Deployment { env: "elsewhere".to_owned(), ..deployments[7].clone() };
    store.record_deployment(moved, time("02:00")).await.unwrap();
    assert_eq!(listed(&reader, &failed), all[..11]);
}

#[tokio::test]
async fn every_filter_is_served_by_an_index_in_the_order_of_the_listing() {
    let folder = tempfile::tempdir().unwrap();
    let (_store, reader) = filled(folder.path()).await;
    let db = reader.lock();
    let ignored = filters().into_iter().map(|filter| DeploymentFilter { ignored: true, ..filter });
    for filter in filters().into_iter().chain(ignored) {
        let sql = listing_sql(&filter);
        let plan = plan(&db, &sql);
        let is_one_search =
            plan.lines().count() == 1 && plan.starts_with("SEARCH stored_deployment USING INDEX");
        assert!(is_one_search, "{sql}: {plan}");
    }
}
