//! Deployments, as they come by the event API, and which of them a failure is linked to.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::id::DeploymentId;
use super::named::{begins_commit, is_none, readings, version_key};
use super::timestamp::{Timestamp, nanos};

/// The attributes of `POST /api/v2/dora/deployment`, checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployment {
    /// The id that was sent, or the one made from the content.
    pub id: DeploymentId,
    /// Service that was deployed.
    pub service: String,
    /// Team that it belongs to. If none was sent, the service's.
    pub team: Option<String>,
    /// Env that it was deployed to. If none was sent, the configured one.
    pub env: String,
    /// Start of the deployment.
    #[serde(with = "nanos")]
    pub started_at: Timestamp,
    /// End of the deployment. If none was sent, its start.
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

/// Facts of a failure that decide which deployment it is linked to.
#[derive(Debug, Clone)]
pub struct Suspect<'a> {
    /// Creation time of the incident in PagerDuty, whatever `failure.start` says.
    pub created_at: Timestamp,
    /// Its services.
    pub services: &'a [String],
    /// Its team, which stands in where there is no service.
    pub team: Option<&'a str>,
    /// Its env.
    pub env: &'a str,
    /// End of the failure; `None` while it lasts.
    pub ended_at: Option<Timestamp>,
    /// Names that somebody gave for the deployment: an id, a commit sha or the beginning of one, a version, or
    /// `none`. The first that can be used counts.
    pub named: Vec<&'a str>,
}

impl Suspect<'_> {
    /// `true` if somebody said that no deployment is the cause.
    pub fn forbids_link(&self) -> bool {
        self.named.iter().any(|named| is_none(named))
    }

    /// `true` if a deployment is of one of its services, or of its team if it has no service.
    fn is_of(&self, deployment: &Deployment) -> bool {
        if self.services.is_empty() {
            self.team.is_some() && self.team == deployment.team.as_deref()
        } else {
            self.services.contains(&deployment.service)
        }
    }

    /// Reason why a deployment that was named cannot be the cause. `None`: it can.
    fn objection(&self, deployment: &Deployment) -> Option<NotUsed> {
        if deployment.env != self.env {
            return Some(NotUsed::OtherEnv(deployment.env.clone()));
        }
        self.ended_at.is_some_and(|end| deployment.started_at > end).then_some(NotUsed::StartedLater)
    }
}

/// Reason why a failure is not linked to the deployment that somebody named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotUsed {
    /// No deployment is known by this name.
    Unknown,
    /// Several commits begin with these digits.
    NotUnique,
    /// It is a deployment to this env, which is not the failure's.
    OtherEnv(String),
    /// It started after the failure had ended.
    StartedLater,
}

/// Origin of a link, or the reason why there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Linked<'a> {
    /// The latest before the failure, within the window.
    Automatically(&'a Deployment),
    /// Somebody named this of it.
    Explicitly(&'a Deployment, KnownBy),
    /// Somebody named `none`.
    Forbidden,
    /// None was made in the window.
    NoneInWindow,
}

/// Property by which a deployment was named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KnownBy {
    /// Its id.
    Id,
    /// Its commit sha, or a beginning of it that no other commit has.
    CommitSha,
    /// Its version, which only those of the failure's own services (or team) are known by.
    Version,
}

impl KnownBy {
    /// In the order in which they are tried.
    const ALL: [Self; 3] = [Self::Id, Self::CommitSha, Self::Version];

    /// Looseness of the match between a name and a deployment: 0 is an exact match. `None`: the name does not fit.
    fn fits(self, name: &str, deployment: &Deployment, suspect: &Suspect<'_>) -> Option<u8> {
        let by_case = |known: &str| {
            if known == name { Some(0) } else { (known.to_lowercase() == name.to_lowercase()).then_some(1) }
        };
        match self {
            Self::Id => by_case(deployment.id.as_str()),
            Self::CommitSha => {
                let commit_sha = deployment.commit_sha.as_deref()?;
                let is_whole = commit_sha.eq_ignore_ascii_case(name);
                if is_whole { Some(0) } else { begins_commit(commit_sha, name).then_some(1) }
            }
            Self::Version if suspect.is_of(deployment) => {
                let version = deployment.version.as_deref()?;
                by_case(version).or_else(|| (version_key(version) == version_key(name)).then_some(2))
            }
            Self::Version => None,
        }
    }
}

impl<'a> Linked<'a> {
    /// The deployment, if there is one.
    pub const fn deployment(self) -> Option<&'a Deployment> {
        match self {
            Self::Automatically(deployment) | Self::Explicitly(deployment, _) => Some(deployment),
            Self::Forbidden | Self::NoneInWindow => None,
        }
    }
}

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

    /// Deployments of any of the failure's services (or of its team, if it has no service) in its env; latest
    /// first.
    fn of(&self, suspect: &Suspect<'_>) -> Vec<&Deployment> {
        let indexes: BTreeSet<usize> = if suspect.services.is_empty() {
            suspect.team.and_then(|team| self.by_team.get(team)).into_iter().flatten().copied().collect()
        } else {
            suspect.services.iter().filter_map(|name| self.by_service.get(name)).flatten().copied().collect()
        };
        let latest_first = indexes.into_iter().rev().map(|index| &self.all[index]);
        latest_first.filter(|deployment| deployment.env == suspect.env).collect()
    }

    /// The deployment that a failure is linked to: the one that was named, else the latest in the window.
    pub fn link(&self, suspect: &Suspect<'_>, link_window: Duration) -> Linked<'_> {
        if suspect.forbids_link() {
            return Linked::Forbidden;
        }
        if let Some((deployment, by)) = suspect.named.iter().find_map(|named| self.named(named, suspect).ok())
        {
            return Linked::Explicitly(deployment, by);
        }
        let earliest_end = suspect.created_at.saturating_sub(link_window);
        let in_window = self.of(suspect).into_iter().find(|deployment| {
            deployment.started_at <= suspect.created_at && deployment.finished_at >= earliest_end
        });
        in_window.map_or(Linked::NoneInWindow, Linked::Automatically)
    }

    /// The names that are not used, and why; not those after one that is.
    pub fn not_used<'s>(&self, suspect: &Suspect<'s>) -> Vec<(&'s str, NotUsed)> {
        if suspect.forbids_link() {
            return Vec::new();
        }
        suspect.named.iter().map_while(|named| Some((*named, self.named(named, suspect).err()?))).collect()
    }

    /// By id, then by commit, then by version; as it is written, then as it may be meant.
    fn named(&self, named: &str, suspect: &Suspect<'_>) -> Result<(&Deployment, KnownBy), NotUsed> {
        let mut not_used = NotUsed::Unknown;
        for by in KnownBy::ALL {
            for reading in readings(named) {
                match self.known_by(by, reading, suspect) {
                    Ok(deployment) => return Ok((deployment, by)),
                    Err(because) if not_used == NotUsed::Unknown => not_used = because,
                    Err(_) => {}
                }
            }
        }
        Err(not_used)
    }

    /// Of those that a name fits and that can be the cause: one that it fits best, of the failure's own before others,
    /// begun by its creation before later ones, the latest.
    fn known_by(&self, by: KnownBy, name: &str, suspect: &Suspect<'_>) -> Result<&Deployment, NotUsed> {
        let fitting = self.all.iter().filter_map(|deployment| {
            by.fits(name, deployment, suspect).map(|looseness| (looseness, deployment))
        });
        let (mut usable, mut not_used) = (Vec::new(), NotUsed::Unknown);
        for (looseness, deployment) in fitting {
            match suspect.objection(deployment) {
                None => usable.push((looseness, deployment)),
                Some(objection) => not_used = objection,
            }
        }
        let order = |(looseness, deployment): &(u8, &Deployment)| {
            let began_later = deployment.started_at > suspect.created_at;
            (*looseness, !suspect.is_of(deployment), began_later)
        };
        // Of equals the last, which is the latest.
        let best = usable.iter().rev().min_by_key(|fitting| order(fitting)).ok_or(not_used)?;
        let is_other = |(looseness, deployment): &(u8, &Deployment)| {
            let of_same_kind = suspect.is_of(deployment) == suspect.is_of(best.1);
            *looseness > 0 && of_same_kind && !same_commit(deployment, best.1)
        };
        // A text that several commits begin with names none of them.
        if by == KnownBy::CommitSha && best.0 > 0 && usable.iter().any(is_other) {
            return Err(NotUsed::NotUnique);
        }
        Ok(best.1)
    }

    /// `true` if a deployment is a rollback: its version (or commit) was deployed before to its service and env,
    /// and not just before it.
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

fn same_commit(a: &Deployment, b: &Deployment) -> bool {
    let lower = |deployment: &Deployment| deployment.commit_sha.as_deref().map(str::to_ascii_lowercase);
    lower(a) == lower(b)
}

#[cfg(test)]
pub(crate) mod tests;
