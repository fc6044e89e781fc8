//! Decisions about failures, made by the people who run the program.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::catalog::Catalog;
use super::name::trimmed;
use super::pagerduty_ref::PagerDutyRef;
use super::rule::Rule;
use super::timestamp::Timestamp;

/// Rules by which an incident becomes a failure, as configured.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    /// Event that counts as the start.
    pub start: Start,
    /// Way of counting the time to restore of a reopened incident.
    pub reopened: Reopened,
    /// Service that counts when an incident was moved.
    pub service: WhichService,
    /// The env of a failure whose service entry names none.
    pub default_env: String,
    /// Least duration: an incident that ended sooner does not count.
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
    /// Services of the software catalog.
    pub catalog: Catalog,
}

impl Policy {
    /// Team of a service, by the service's name in the figures: the team of its entry, else of the catalog.
    pub fn team_of_service(&self, service: &str) -> Option<&str> {
        let service = trimmed(service);
        let entry = self.services.iter().find(|entry| entry.services.iter().any(|name| name == service));
        let of_catalog = || self.catalog.service(service)?.team.as_deref();
        entry.and_then(|entry| entry.team.as_deref()).or_else(of_catalog)
    }

    /// Severity that `[failure.severity]` gives to a priority. `None`: the priority is not listed, and keeps its
    /// own name.
    pub fn severity_of(&self, priority: &str) -> Option<&String> {
        self.severities.get(trimmed(priority))
    }

    /// Time at which backends are told (rule 12): a while after the end, or after the end was heard of if that was
    /// earlier; without an end, at once.
    pub fn forward_at(&self, end: Option<Timestamp>, now: Timestamp) -> Timestamp {
        end.map_or(now, |end| end.min(now).saturating_add(self.settle).max(now))
    }

    /// Tells two policies apart, also those of two processes of the same version.
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
    /// The first acknowledgement before the first end.
    Acknowledged,
}

/// `failure.reopened`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reopened {
    /// From the start to the end, pauses included.
    #[default]
    WallClock,
    /// The sum of the stretches in which it was open.
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

/// One `[[service]]`: a PagerDuty service and what the metrics call it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServiceEntry {
    /// The PagerDuty service: its id, its exact name, or its URL.
    pub pagerduty: PagerDutyRef,
    /// The services that it stands for; empty: the catalog's, else PagerDuty's own name.
    pub services: Vec<String>,
    /// The team; `None`: the catalog's, else PagerDuty's first team.
    pub team: Option<String>,
    /// The env; `None`: `failure.default_env`.
    pub env: Option<String>,
    /// The repository.
    pub repository_url: Option<String>,
    /// `key:value` tags sent along.
    pub tags: Vec<String>,
}
