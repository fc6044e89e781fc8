//! Deployments, as they come by the event API, and which of them a failure is linked to.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::id::DeploymentId;
use super::timestamp::{Timestamp, nanos};

/// The attributes of `POST /api/v2/dora/deployment`, checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployment {
    /// The id that was sent, or the one made from the content.
    pub id: DeploymentId,
    /// What was deployed.
    pub service: String,
    /// Whose it is; where none was sent, the service's.
    pub team: Option<String>,
    /// Where to; where none was sent, the one configured.
    pub env: String,
    /// When it began.
    #[serde(with = "nanos")]
    pub started_at: Timestamp,
    /// When it ended; where none was sent, when it began.
    #[serde(with = "nanos")]
    pub finished_at: Timestamp,
    /// Its version.
    pub version: Option<String>,
    /// Its commit, in full.
    pub commit_sha: Option<String>,
    /// The repository of that commit.
    pub repository_url: Option<String>,
    /// `key:value` tags.
    pub tags: BTreeSet<String>,
}

impl Deployment {
    /// By start; the id decides among equals.
    pub const fn order(&self) -> (Timestamp, &DeploymentId) {
        (self.started_at, &self.id)
    }
}

/// What decides which deployment a failure is linked to.
#[derive(Debug, Clone)]
pub struct Suspect<'a> {
    /// When PagerDuty created the incident, whatever `failure.start` says.
    pub created_at: Timestamp,
    /// Its services.
    pub services: &'a [String],
    /// Its team, which stands in where there is no service.
    pub team: Option<&'a str>,
    /// Its env.
    pub env: &'a str,
    /// What somebody named as the deployment: an id, a full commit sha or a version, or `none`. The first that is
    /// known counts.
    pub named: Vec<&'a str>,
}

/// How a link, or that there is none, came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Linked<'a> {
    /// The latest before the failure, within the window.
    Automatically(&'a Deployment),
    /// Somebody named this of it.
    Explicitly(&'a Deployment, KnownBy),
    /// Somebody named `none`.
    Forbidden,
    /// Somebody named one that is not known.
    NamedUnknown,
    /// None was made in the window.
    NoneInWindow,
}

/// What was named of a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KnownBy {
    /// Its id.
    Id,
    /// Its full commit sha.
    CommitSha,
    /// Its version, which only those of the failure's own services and env (or team) are known by.
    Version,
}

impl<'a> Linked<'a> {
    /// The deployment, if there is one.
    pub const fn deployment(self) -> Option<&'a Deployment> {
        match self {
            Self::Automatically(deployment) | Self::Explicitly(deployment, _) => Some(deployment),
            Self::Forbidden | Self::NamedUnknown | Self::NoneInWindow => None,
        }
    }
}

/// What forbids a link.
const NONE: &str = "none";

/// Deployments, to be searched.
#[derive(Debug, Default)]
pub struct Deployments {
    /// In their order.
    all: Vec<Deployment>,
    by_id: HashMap<DeploymentId, usize>,
    /// In the order of `all`.
    by_service: BTreeMap<String, Vec<usize>>,
    by_team: BTreeMap<String, Vec<usize>>,
}

impl Deployments {
    /// Indexes them.
    pub fn new(mut all: Vec<Deployment>) -> Self {
        all.sort_by(|a, b| a.order().cmp(&b.order()));
        let mut deployments = Self::default();
        for (index, deployment) in all.iter().enumerate() {
            deployments.by_id.insert(deployment.id.clone(), index);
            deployments.by_service.entry(deployment.service.clone()).or_default().push(index);
            if let Some(team) = &deployment.team {
                deployments.by_team.entry(team.clone()).or_default().push(index);
            }
        }
        Self { all, ..deployments }
    }

    /// All of them, by start and id.
    pub fn as_slice(&self) -> &[Deployment] {
        &self.all
    }

    /// The one with this id.
    pub fn get(&self, id: &str) -> Option<&Deployment> {
        self.by_id.get(&DeploymentId::parse(id)?).map(|index| &self.all[*index])
    }

    /// Those of any of the failure's services (or of its team, where it has no service), in its env; latest first.
    fn of(&self, suspect: &Suspect<'_>) -> Vec<&Deployment> {
        let indexes: BTreeSet<usize> = if suspect.services.is_empty() {
            suspect.team.and_then(|team| self.by_team.get(team)).into_iter().flatten().copied().collect()
        } else {
            suspect.services.iter().filter_map(|name| self.by_service.get(name)).flatten().copied().collect()
        };
        let latest_first = indexes.into_iter().rev().map(|index| &self.all[index]);
        latest_first.filter(|deployment| deployment.env == suspect.env).collect()
    }

    /// The deployment that a failure is linked to.
    pub fn link(&self, suspect: &Suspect<'_>, link_window: Duration) -> Linked<'_> {
        let own = self.of(suspect);
        if suspect.named.is_empty() {
            let earliest_end = suspect.created_at.saturating_sub(link_window);
            let in_window = own.into_iter().find(|deployment| {
                deployment.started_at <= suspect.created_at && deployment.finished_at >= earliest_end
            });
            return in_window.map_or(Linked::NoneInWindow, Linked::Automatically);
        }
        if suspect.named.iter().any(|named| named.eq_ignore_ascii_case(NONE)) {
            return Linked::Forbidden;
        }
        let mut found = suspect.named.iter().filter_map(|named| self.named(named, &own, suspect.created_at));
        found.next().map_or(Linked::NamedUnknown, |(deployment, by)| Linked::Explicitly(deployment, by))
    }

    /// By id, then by full commit sha, then by a version among the failure's `own`. The failure's own before others of
    /// the same commit, those begun by its start before later ones.
    fn named<'a>(
        &'a self,
        named: &str,
        own: &[&'a Deployment],
        by: Timestamp,
    ) -> Option<(&'a Deployment, KnownBy)> {
        let is_of_sha = |deployment: &Deployment| {
            deployment.commit_sha.as_deref().is_some_and(|sha| sha.eq_ignore_ascii_case(named))
        };
        let is_of_version = |deployment: &Deployment| deployment.version.as_deref() == Some(named);
        let own = || own.iter().copied();
        if let Some(deployment) = self.get(named) {
            return Some((deployment, KnownBy::Id));
        }
        let of_sha = best(own().filter(|deployment| is_of_sha(deployment)), by)
            .or_else(|| best(self.all.iter().rev().filter(|deployment| is_of_sha(deployment)), by));
        if let Some(deployment) = of_sha {
            return Some((deployment, KnownBy::CommitSha));
        }
        best(own().filter(|deployment| is_of_version(deployment)), by)
            .map(|deployment| (deployment, KnownBy::Version))
    }

    /// Whether a deployment is a rollback: of a version (or commit) of its service and env that was deployed before,
    /// and is not the one just before it.
    pub fn is_rollback(&self, deployment: &Deployment) -> bool {
        let what =
            |deployment: &Deployment| deployment.version.clone().or_else(|| deployment.commit_sha.clone());
        let Some(deployed) = what(deployment) else { return false };
        let earlier =
            self.by_service.get(&deployment.service).into_iter().flatten().map(|index| &self.all[*index]);
        let is_earlier = |other: &&Deployment| other.order() < deployment.order();
        let mut earlier: Vec<_> =
            earlier.filter(|other| other.env == deployment.env && is_earlier(other)).collect();
        let before = earlier.pop().and_then(what);
        before.is_some()
            && before.as_ref() != Some(&deployed)
            && earlier.into_iter().any(|other| what(other).as_ref() == Some(&deployed))
    }
}

/// Of these, latest first, the first that had begun by then, else the latest.
fn best<'a>(latest_first: impl Iterator<Item = &'a Deployment>, by: Timestamp) -> Option<&'a Deployment> {
    let found: Vec<&Deployment> = latest_first.collect();
    found.iter().find(|deployment| deployment.started_at <= by).or(found.first()).copied()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn time(text: &str) -> Timestamp {
        Timestamp::parse(&format!("2026-11-01T{text}:00Z")).unwrap()
    }

    /// A deployment of `service` to production, from `started` to `finished` on the first of November.
    pub(crate) fn deployment(id: &str, service: &str, started: &str, finished: &str) -> Deployment {
        Deployment {
            id: DeploymentId::parse(&format!("deployment:{id:0>5}")).unwrap(),
            service: service.to_owned(),
            team: Some("payments".to_owned()),
            env: "production".to_owned(),
            started_at: time(started),
            finished_at: time(finished),
            version: Some(format!("v{id}")),
            commit_sha: Some(format!("{id:a>40}")),
            repository_url: None,
            tags: BTreeSet::new(),
        }
    }

    fn linked(deployments: Vec<Deployment>, services: &[&str], at: &str, named: Option<&str>) -> String {
        let services: Vec<String> = services.iter().map(|service| (*service).to_owned()).collect();
        let suspect = Suspect {
            created_at: time(at),
            services: &services,
            team: Some("payments"),
            env: "production",
            named: named.into_iter().collect(),
        };
        let deployments = Deployments::new(deployments);
        match deployments.link(&suspect, Duration::from_hours(1)) {
            Linked::Automatically(deployment) => deployment.version.clone().unwrap(),
            Linked::Explicitly(deployment, by) => {
                format!("named {} by {by:?}", deployment.version.clone().unwrap())
            }
            other => format!("{other:?}"),
        }
    }

    fn two() -> Vec<Deployment> {
        vec![deployment("1", "checkout", "10:00", "10:10"), deployment("2", "checkout", "11:00", "11:30")]
    }

    #[test]
    fn the_latest_that_had_started_within_the_window_is_linked() {
        let at = |at: &str| linked(two(), &["checkout"], at, None);
        assert_eq!(at("09:59"), "NoneInWindow");
        assert_eq!(at("10:00"), "v1", "one still running counts");
        assert_eq!(at("10:59"), "v1");
        assert_eq!(at("11:00"), "v2");
        assert_eq!(at("12:30"), "v2", "it ended just an hour ago");
        assert_eq!(at("12:31"), "NoneInWindow");
    }

    #[test]
    fn only_the_failures_services_env_and_team_count() {
        assert_eq!(linked(two(), &["search"], "11:10", None), "NoneInWindow");
        assert_eq!(linked(two(), &["search", "checkout"], "11:10", None), "v2");
        assert_eq!(linked(two(), &[], "11:10", None), "v2", "the team stands in for services");
        let mut staging = two();
        staging[1].env = "staging".to_owned();
        assert_eq!(linked(staging, &["checkout"], "11:05", None), "v1");
    }

    #[test]
    fn the_greater_id_wins_a_tie() {
        let tie = vec![
            deployment("2", "checkout", "10:00", "10:10"),
            deployment("1", "checkout", "10:00", "10:20"),
        ];
        assert_eq!(linked(tie, &["checkout"], "10:05", None), "v2");
    }

    #[test]
    fn a_named_deployment_wins() {
        let named = |named: &str| linked(two(), &["checkout"], "11:10", Some(named));
        assert_eq!(named("deployment:00001"), "named v1 by Id");
        assert_eq!(named(&format!("{:A>40}", "1")), "named v1 by CommitSha");
        assert_eq!(named("v1"), "named v1 by Version");
        assert_eq!(named("None"), "Forbidden");
        assert_eq!(named("v3"), "NamedUnknown");
        assert_eq!(
            linked(two(), &["search"], "11:10", Some("v1")),
            "NamedUnknown",
            "versions are of a service"
        );
    }

    #[test]
    fn a_rollback_brings_back_an_earlier_version() {
        let versions = ["v1", "v2", "v3", "v1", "v1"];
        let all: Vec<Deployment> = versions
            .iter()
            .enumerate()
            .map(|(n, version)| Deployment {
                version: Some((*version).to_owned()),
                ..deployment(&n.to_string(), "checkout", &format!("1{n}:00"), &format!("1{n}:05"))
            })
            .collect();
        let deployments = Deployments::new(all.clone());
        let rollbacks: Vec<bool> = all.iter().map(|deployment| deployments.is_rollback(deployment)).collect();
        assert_eq!(rollbacks, [false, false, false, true, false]);
    }
}
