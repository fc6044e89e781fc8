//! Repair of lost webhooks about deployments: the API of GitHub or GitLab tells what they have missed.
//!
//! A reading reads each repository from the time of its last good reading. What is read becomes events of a source of its
//! own, with ids that are the same in each reading. So a webhook that was lost is repaired, and one that comes later
//! changes nothing.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::deployments_log::DeploymentsLog;
use super::deployments_reading::{DeploymentsError, DeploymentsReading};
use super::deployments_waits::DeploymentsWaits;
use crate::clock::Clock;
use crate::domain::event::ReadEvent;
use crate::domain::repository_address::name_on;
use crate::domain::timestamp::Timestamp;
use crate::sources::deployment_api::{ApiError, ApiProblem, DeploymentApi, ReadRepository, Window};
use crate::store::{ReadDeployments, ReadError, Reader, Store, UnfinishedDeployment};
use crate::telemetry::metrics::Metrics;

/// Time before the last reading that the next one covers again: clocks differ, and the last minutes are left to webhooks.
const OVERLAP: Duration = Duration::from_mins(10);
/// Time that the first reading of a repository covers.
const FIRST_READING: Duration = Duration::from_hours(24);
/// Time after a change in which its webhook usually comes. It tells more than the API.
const DELIVERY: Duration = Duration::from_mins(2);
/// Age up to which deployments without an end are read again. GitHub ends those that wait for an approval after 30 days.
const LONGEST_UNFINISHED: Duration = Duration::from_hours(35 * 24);
/// Number of events that are stored in one transaction, so that webhooks do not wait long.
const STORED_AT_ONCE: usize = 50;

/// Repositories that the configuration names.
#[derive(Debug, Clone, Default)]
pub struct NamedRepositories {
    /// Full names of repositories on the host of the API.
    pub certain: Vec<String>,
    /// Full names of repositories that may be on another host. It is no problem if the API does not have them.
    pub possible: Vec<String>,
    /// Their addresses. Those on other hosts are left out.
    pub addresses: Vec<String>,
}

/// Reads deployments from an API from time to time.
#[derive(Clone)]
pub struct DeploymentReader<A> {
    /// Client of the API.
    pub api: A,
    /// Store, for new events.
    pub store: Store,
    /// Reader, for the repositories and the progress.
    pub reader: Reader,
    /// Clock for the waits.
    pub clock: Arc<dyn Clock>,
    /// Metrics and the state that the dashboard shows.
    pub metrics: Arc<Metrics>,
    /// Time between two readings.
    pub every: Duration,
    /// Repositories that are read, besides those that events told of.
    pub named: NamedRepositories,
}

/// A repository that has to be read.
struct Repository {
    name: String,
    /// `true` if it may be on another host. Then it is no problem if the API does not have it.
    is_only_possible: bool,
    /// Name of its progress in the store.
    key: String,
    since: Timestamp,
    unfinished: BTreeSet<u64>,
}

impl<A: DeploymentApi> DeploymentReader<A> {
    /// Reads until `stop` is set: at once, then from time to time, and soon after a webhook was answered 503 or 401.
    pub async fn run(self, mut stop: watch::Receiver<bool>, mut wanted: watch::Receiver<u64>) {
        let mut log = DeploymentsLog::of(A::SENT.title);
        let mut waits = DeploymentsWaits::new(self.every);
        loop {
            wanted.mark_unchanged();
            // An error means that the sender of the signal was dropped, which counts as the signal, too.
            let result = tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => return,
                result = self.read_all() => result,
            };
            log.note(&result);
            let (now, readings) = (self.clock.now(), &self.metrics.deployment_readings);
            match &result {
                Ok(reading) => {
                    readings.succeeded(A::SENT, now, reading.gaps());
                }
                Err(error) => readings.failed(A::SENT, now, error.to_string()),
            }
            let wait = waits.after(result.as_ref().err());
            tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => return,
                () = self.next_is_due(wait, &mut waits, &mut wanted) => {}
            }
        }
    }

    async fn next_is_due(
        &self,
        wait: Duration,
        waits: &mut DeploymentsWaits,
        wanted: &mut watch::Receiver<u64>,
    ) {
        let shortest = waits.before_asked(wait);
        self.clock.sleep(shortest).await;
        let is_wanted = async {
            if wanted.changed().await.is_err() {
                // The source was removed, and nobody can ask any more.
                std::future::pending::<()>().await;
            }
        };
        let began_at = self.clock.now();
        tokio::select! {
            () = self.clock.sleep(wait.saturating_sub(shortest)) => waits.note_unasked(wait),
            () = is_wanted => waits.note_asked(self.clock.now().duration_since(began_at)),
        }
    }

    /// One reading. What was stored before an error stays.
    async fn read_all(&self) -> Result<DeploymentsReading, DeploymentsError> {
        // So that the repositories that webhooks told of are known.
        self.store.wait_until_folded().await;
        let (mut reading, mut failed) = (DeploymentsReading::default(), None);
        for repository in self.repositories().await? {
            match self.repair(&repository, &mut reading).await {
                Ok(()) => reading.repositories += 1,
                Err(DeploymentsError::Api(ApiError { problem: ApiProblem::NotFound, .. }))
                    if repository.is_only_possible => {}
                Err(DeploymentsError::Api(error)) if error.is_about_repository() => {
                    reading.unreadable.insert(repository.name, error.to_string());
                }
                // The other repositories may be read.
                Err(DeploymentsError::Api(error)) if !error.is_about_all() => {
                    failed.get_or_insert(error);
                }
                Err(error) => return Err(error),
            }
        }
        if let Some(error) = failed {
            return Err(error.into());
        }
        match reading.unreadable.values().next() {
            Some(first) if reading.repositories == 0 => {
                Err(DeploymentsError::NoneReadable(reading.unreadable.len(), first.clone()))
            }
            None if reading.repositories == 0 => {
                reading.none_on = Some(self.api.host().to_owned());
                Ok(reading)
            }
            _ => Ok(reading),
        }
    }

    /// The repositories that have to be read: those that the configuration names, and those that events told of.
    async fn repositories(&self) -> Result<Vec<Repository>, DeploymentsError> {
        let (reader, now, host) = (self.reader.clone(), self.clock.now(), self.api.host().to_owned());
        let NamedRepositories { certain, possible, addresses } = self.named.clone();
        let read = move || -> Result<Vec<Repository>, ReadError> {
            let told = reader.repositories_of(&A::SENT.name)?;
            let on_host = addresses.iter().chain(&told).filter_map(|address| name_on(address, &host));
            let certain = certain.iter().map(|name| name.to_lowercase());
            let certain: BTreeSet<String> = certain.chain(on_host).collect();
            let possible = possible.iter().map(|name| name.to_lowercase());
            let possible: BTreeSet<String> = possible.filter(|name| !certain.contains(name)).collect();
            let certain = certain.into_iter().map(|name| (name, false));
            let unfinished =
                reader.unfinished_deployments(&A::SENT.name, now.saturating_sub(LONGEST_UNFINISHED))?;
            let mut repositories = Vec::new();
            for (name, is_only_possible) in certain.chain(possible.into_iter().map(|name| (name, true))) {
                let key = format!("{host}/{name}");
                let up_to = reader.deployments_read_up_to(&key)?;
                // The clock may have been set back since the last reading.
                let since = up_to.map_or(now.saturating_sub(FIRST_READING), |up_to| {
                    up_to.min(now).saturating_sub(OVERLAP)
                });
                let unfinished = numbers(&unfinished, &host, &name);
                repositories.push(Repository { name, is_only_possible, key, since, unfinished });
            }
            Ok(repositories)
        };
        Ok(tokio::task::spawn_blocking(read).await??)
    }

    /// Reads a repository, and stores what is new. After an error the next reading covers the same time again.
    async fn repair(
        &self,
        repository: &Repository,
        reading: &mut DeploymentsReading,
    ) -> Result<(), DeploymentsError> {
        let Repository { name, key, since, unfinished, .. } = repository;
        let began_at = self.clock.now();
        let window = Window { since: *since, left_to_webhooks: DELIVERY, unfinished };
        let ReadRepository { events, at, left_out, failed } = self.api.read(name, window).await?;
        for events in events.chunks(STORED_AT_ONCE) {
            reading.events += self.store_new(events.to_vec()).await?;
        }
        reading.left_out.extend(left_out.iter().map(|record| format!("{name}, {record}")));
        if let Some(error) = failed.into_iter().next() {
            return Err(error.into());
        }
        // This machine's clock may be ahead: what happens before the API's gets there is read by later readings.
        let up_to = at.map_or(began_at, |at| at.min(began_at));
        self.store.set_deployments_read(key.clone(), up_to).await?;
        Ok(())
    }

    async fn store_new(&self, events: Vec<ReadEvent>) -> Result<usize, DeploymentsError> {
        let (sent_by, read_at) = (A::SENT.name.clone(), self.clock.now());
        let read = ReadDeployments { source: A::READ, sent_by, events, read_at };
        let new = self.store.record_read_deployments(read).await?;
        self.metrics.deployment_readings.repaired(A::SENT, new);
        Ok(new)
    }
}

/// Numbers of the unfinished deployments of a repository.
fn numbers(unfinished: &BTreeSet<UnfinishedDeployment>, host: &str, name: &str) -> BTreeSet<u64> {
    let name = name.to_lowercase();
    let of_repository = unfinished
        .iter()
        .filter(|deployment| name_on(&deployment.repository_url, host).is_some_and(|other| other == name));
    of_repository.filter_map(|deployment| deployment.id.as_str().rsplit(':').next()?.parse().ok()).collect()
}
