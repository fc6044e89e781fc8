//! Policy: the configuration's decisions about failures.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::catalog::Catalog;
use super::deployment_table::DeploymentTable;
use super::name::trimmed;
use super::pagerduty_ref::PagerDutyRef;
use super::rule::Rule;
use super::timestamp::Timestamp;

/// Decisions of the configuration about how an incident becomes a failure.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    /// Time that counts as the start.
    pub start: Start,
    /// Way of counting the time to restore of a reopened incident.
    pub reopened: Reopened,
    /// Service that counts if an incident was moved to another service.
    pub service: WhichService,
    /// Env of a failure whose service entry names no env.
    pub default_env: String,
    /// Minimum duration: a shorter failure does not count.
    pub min_duration: Duration,
    /// Time between a failure's end and its first request to backends.
    pub settle: Duration,
    /// Longest time from the end of a deployment to a failure that it caused.
    pub link_window: Duration,
    /// Rules that decide which failures count: the first that matches decides.
    pub rules: Vec<Rule>,
    /// PagerDuty priority → severity; a priority that is not listed keeps its name.
    pub severities: BTreeMap<String, String>,
    /// Service entries (`[[service]]`), in the order of the file.
    pub services: Vec<ServiceEntry>,
    /// `[[deployment]]` tables, in the order of the file: the first one that matches a deployment of a source decides.
    pub deployments: Vec<DeploymentTable>,
    /// Services of the software catalog.
    pub catalog: Catalog,
}

impl Policy {
    /// Team of a service, by the service's name in the figures: from its service entry, else from the catalog.
    pub fn team_of_service(&self, service: &str) -> Option<&str> {
        let service = trimmed(service);
        let entry = self.services.iter().find(|entry| entry.services.iter().any(|name| name == service));
        let of_catalog = || self.catalog.service(service)?.team.as_deref();
        entry.and_then(|entry| entry.team.as_deref()).or_else(of_catalog)
    }

    /// Severity that `[failure.severity]` gives to a priority. `None` if the priority is not listed; then its own name
    /// is the severity.
    pub fn severity_of(&self, priority: &str) -> Option<&String> {
        self.severities.get(trimmed(priority))
    }

    /// Time at which a failure is sent to backends (rule 12): `settle` after its end (or after `now`, if the end is
    /// later), but not before `now`. Without an end, at once.
    pub fn forward_at(&self, end: Option<Timestamp>, now: Timestamp) -> Timestamp {
        end.map_or(now, |end| end.min(now).saturating_add(self.settle).max(now))
    }

    /// Fingerprint that differs between policies. Processes of the same version compute the same one for the same
    /// policy.
    pub fn fingerprint(&self) -> String {
        let hash = Sha256::digest(format!("{self:?}"));
        let first = hash.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        format!("{first:016x}")
    }
}

/// `failure.start`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Start {
    /// PagerDuty's `created_at`: whole seconds.
    #[default]
    Created,
    /// Time of the trigger, in milliseconds.
    Triggered,
    /// The first acknowledgement, before the first resolve.
    Acknowledged,
}

/// `failure.reopened`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reopened {
    /// From the start to the end, pauses included.
    #[default]
    WallClock,
    /// The sum of the periods in which it was open.
    ActiveTime,
}

/// `failure.service`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhichService {
    /// Last service of the incident.
    #[default]
    Last,
    /// First service of the incident.
    First,
}

/// One `[[service]]`: a PagerDuty service and its names in the metrics.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServiceEntry {
    /// The PagerDuty service: its id, its exact name, or its URL.
    pub pagerduty: PagerDutyRef,
    /// Services in the metrics. If empty, the catalog decides, else PagerDuty's own name is used.
    pub services: Vec<String>,
    /// The team. If `None`, the catalog decides, else PagerDuty's first team is used.
    pub team: Option<String>,
    /// The env. If `None`, `failure.default_env` is used.
    pub env: Option<String>,
    /// The repository.
    pub repository_url: Option<String>,
    /// `key:value` tags that are sent with the failure.
    pub tags: Vec<String>,
}
