//! Links of a failure: the deployment that caused it, and the deployment that fixed it. Only this module decides them.
//! The store keeps the result for each failure.

use std::collections::BTreeSet;
use std::time::Duration;

use super::deployment::{Deployment, Deployments};
use super::named::{begins_commit, is_none, readings, version_key};
use super::open_period::Pause;
use super::timestamp::Timestamp;

/// Facts of a failure that decide its links.
#[derive(Debug, Clone)]
pub struct LinkQuery<'a> {
    /// Creation time of the incident in PagerDuty, for every value of `failure.start`.
    pub created_at: Timestamp,
    /// Start of the failure.
    pub started_at: Timestamp,
    /// End of the failure; `None` while it lasts.
    pub ended_at: Option<Timestamp>,
    /// `true` if it counts and has ended. Other failures have no remediation.
    pub is_restored: bool,
    /// Pauses between its start and its end, in which it was not open.
    pub pauses: &'a [Pause],
    /// Its services.
    pub services: &'a [String],
    /// Its team. Deployments are compared with it only if the failure has no service.
    pub team: Option<&'a str>,
    /// Its env.
    pub env: &'a str,
    /// Names that somebody gave for the deployment: an id, a commit sha or the beginning of one, a version, or
    /// `none`. The first that can be used counts.
    pub named: Vec<&'a str>,
}

impl LinkQuery<'_> {
    /// `true` if somebody named `none`: no deployment is the cause.
    pub fn names_none(&self) -> bool {
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

    /// Reason why a deployment that was named cannot be the cause. `None` if it can.
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
    /// It was deployed to this env, which is not the failure's.
    OtherEnv(String),
    /// It started after the failure had ended.
    StartedLater,
}

/// The deployment that caused a failure and how it was found, or the reason why there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause<'a> {
    /// Found by time: the latest deployment before the failure, within the window.
    Automatic(&'a Deployment),
    /// Somebody named the deployment by this property.
    Named(&'a Deployment, MatchedBy),
    /// Somebody named `none`.
    Forbidden,
    /// No deployment of its services (or team) lies in the window.
    NoneInWindow,
}

/// Property by which a deployment was named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MatchedBy {
    /// Its id.
    Id,
    /// Its commit sha, or a beginning of it that no other commit has.
    CommitSha,
    /// Its version. A version names deployments of the failure's own services (or team) only.
    Version,
}

impl MatchedBy {
    /// All of them, in the order in which they are tried.
    const ALL: [Self; 3] = [Self::Id, Self::CommitSha, Self::Version];

    /// Distance between a name and a deployment: 0 is an exact match. `None` if the name does not fit.
    fn fits(self, name: &str, deployment: &Deployment, query: &LinkQuery<'_>) -> Option<u8> {
        let ignoring_case = |known: &str| {
            if known == name { Some(0) } else { (known.to_lowercase() == name.to_lowercase()).then_some(1) }
        };
        match self {
            Self::Id => ignoring_case(deployment.id.as_str()),
            Self::CommitSha => {
                let commit_sha = deployment.commit_sha.as_deref()?;
                let is_whole = commit_sha.eq_ignore_ascii_case(name);
                if is_whole { Some(0) } else { begins_commit(commit_sha, name).then_some(1) }
            }
            Self::Version if query.is_of(deployment) => {
                let version = deployment.version.as_deref()?;
                ignoring_case(version).or_else(|| (version_key(version) == version_key(name)).then_some(2))
            }
            Self::Version => None,
        }
    }
}

impl<'a> Cause<'a> {
    /// The deployment, if there is one.
    pub const fn deployment(self) -> Option<&'a Deployment> {
        match self {
            Self::Automatic(deployment) | Self::Named(deployment, _) => Some(deployment),
            Self::Forbidden | Self::NoneInWindow => None,
        }
    }

    /// Way in which the cause was found, or the reason why there is none.
    pub const fn how(self) -> LinkReason {
        match self {
            Self::Automatic(_) => LinkReason::Automatic,
            Self::Named(_, by) => LinkReason::Named(by),
            Self::Forbidden => LinkReason::Forbidden,
            Self::NoneInWindow => LinkReason::NotLinked,
        }
    }
}

/// Way in which the cause of a failure was found, or the reason why there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkReason {
    /// Found by time: the latest deployment before the failure, within the window.
    Automatic,
    /// Somebody named the deployment by this property.
    Named(MatchedBy),
    /// There is none: somebody named `none`.
    Forbidden,
    /// There is none: no deployment of its services (or team) lies in the window.
    NotLinked,
}

impl LinkReason {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Automatic,
        Self::Named(MatchedBy::Id),
        Self::Named(MatchedBy::CommitSha),
        Self::Named(MatchedBy::Version),
        Self::Forbidden,
        Self::NotLinked,
    ];

    /// The word for it in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Automatic => "automatic",
            Self::Named(MatchedBy::Id) => "id",
            Self::Named(MatchedBy::CommitSha) => "commit",
            Self::Named(MatchedBy::Version) => "version",
            Self::Forbidden => "forbidden",
            Self::NotLinked => "none",
        }
    }
}

/// The links of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Links<'a> {
    /// The deployment that caused it.
    pub cause: Cause<'a>,
    /// The deployment that fixed it.
    pub remediation: Option<&'a Deployment>,
}

impl Deployments {
    /// Deployments of any of the failure's services (or of its team, if it has no service) in its env; latest
    /// first.
    fn of(&self, query: &LinkQuery<'_>) -> Vec<&Deployment> {
        let indexes: BTreeSet<usize> = if query.services.is_empty() {
            query.team.and_then(|team| self.by_team.get(team)).into_iter().flatten().copied().collect()
        } else {
            query.services.iter().filter_map(|name| self.by_service.get(name)).flatten().copied().collect()
        };
        let latest_first = indexes.into_iter().rev().map(|index| &self.all[index]);
        latest_first.filter(|deployment| deployment.env == query.env).collect()
    }

    /// Decides the links of a failure. `self` must have all deployments that can matter to it.
    pub fn links(&self, query: &LinkQuery<'_>, link_window: Duration) -> Links<'_> {
        let cause = self.cause(query, link_window);
        Links { cause, remediation: self.remediation(query, cause.deployment()) }
    }

    /// The cause of a failure: the deployment that was named, else the latest one in the window.
    pub fn cause(&self, query: &LinkQuery<'_>, link_window: Duration) -> Cause<'_> {
        if query.names_none() {
            return Cause::Forbidden;
        }
        if let Some((deployment, by)) = query.named.iter().find_map(|named| self.named(named, query).ok()) {
            return Cause::Named(deployment, by);
        }
        let earliest_end = query.created_at.saturating_sub(link_window);
        let in_window = self.of(query).into_iter().find(|deployment| {
            deployment.started_at <= query.created_at && deployment.finished_at >= earliest_end
        });
        in_window.map_or(Cause::NoneInWindow, Cause::Automatic)
    }

    /// The remediation of a failure that has ended: the last deployment of its services (or team) that started while it
    /// was open, other than its cause.
    fn remediation(&self, query: &LinkQuery<'_>, cause: Option<&Deployment>) -> Option<&Deployment> {
        let end = query.ended_at.filter(|_| query.is_restored)?;
        let could_fix = |deployment: &&Deployment| {
            let at = deployment.started_at;
            query.started_at < at
                && at < end
                && !query.pauses.iter().any(|pause| pause.contains(at))
                && cause.is_none_or(|cause| cause.id != deployment.id)
        };
        self.of(query).into_iter().find(could_fix)
    }

    /// Names that are not used, with the reasons. Names after a used one are left out.
    pub fn not_used<'s>(&self, query: &LinkQuery<'s>) -> Vec<(&'s str, NotUsed)> {
        if query.names_none() {
            return Vec::new();
        }
        query.named.iter().map_while(|named| Some((*named, self.named(named, query).err()?))).collect()
    }

    /// Finds the deployment that a name means: by id, then by commit, then by version. Each time, the name as it was
    /// written is tried before its other readings.
    fn named(&self, named: &str, query: &LinkQuery<'_>) -> Result<(&Deployment, MatchedBy), NotUsed> {
        let mut not_used = NotUsed::Unknown;
        for by in MatchedBy::ALL {
            for reading in readings(named) {
                match self.matched_by(by, reading, query) {
                    Ok(deployment) => return Ok((deployment, by)),
                    Err(because) if not_used == NotUsed::Unknown => not_used = because,
                    Err(_) => {}
                }
            }
        }
        Err(not_used)
    }

    /// Chooses among the deployments that a name fits and that can be the cause. These criteria decide, in this order:
    /// the closest match, the failure's own services (or team), a start before the creation, the latest start.
    fn matched_by(&self, by: MatchedBy, name: &str, query: &LinkQuery<'_>) -> Result<&Deployment, NotUsed> {
        let fitting = self
            .all
            .iter()
            .filter_map(|deployment| by.fits(name, deployment, query).map(|distance| (distance, deployment)));
        let (mut usable, mut not_used) = (Vec::new(), NotUsed::Unknown);
        for (distance, deployment) in fitting {
            match query.objection(deployment) {
                None => usable.push((distance, deployment)),
                Some(objection) => not_used = objection,
            }
        }
        let order = |(distance, deployment): &(u8, &Deployment)| {
            let began_later = deployment.started_at > query.created_at;
            (*distance, !query.is_of(deployment), began_later)
        };
        // Among equals, the last one has the latest start.
        let best = usable.iter().rev().min_by_key(|fitting| order(fitting)).ok_or(not_used)?;
        let is_other = |(distance, deployment): &(u8, &Deployment)| {
            let of_same_kind = query.is_of(deployment) == query.is_of(best.1);
            *distance > 0 && of_same_kind && !same_commit(deployment, best.1)
        };
        // A beginning that several commits share is ambiguous.
        if by == MatchedBy::CommitSha && best.0 > 0 && usable.iter().any(is_other) {
            return Err(NotUsed::NotUnique);
        }
        Ok(best.1)
    }
}

fn same_commit(a: &Deployment, b: &Deployment) -> bool {
    let lower = |deployment: &Deployment| deployment.commit_sha.as_deref().map(str::to_ascii_lowercase);
    lower(a) == lower(b)
}

#[cfg(test)]
pub(crate) mod tests;
