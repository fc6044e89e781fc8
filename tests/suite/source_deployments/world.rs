//! Two made-up sources of deployments, named like the real ones, whose bodies are simple; and random months of events.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use fastrand::Rng;
use pagerduty_dora::domain::deployment::Deployment;
use pagerduty_dora::domain::deployment_event::{AboutDeployment, DeploymentFacts, DeploymentState};
use pagerduty_dora::domain::event::{Event, EventSubject, Heading, Origin};
use pagerduty_dora::domain::id::{DeploymentId, SourceDeploymentId};
use pagerduty_dora::domain::source::{Source, Sources};
use pagerduty_dora::domain::source_name::SourceName;
use pagerduty_dora::domain::timestamp::Timestamp;
use pagerduty_dora::store::Delivery;
use serde::{Deserialize, Serialize};

use crate::harness::time;

pub(super) static GITHUB: Source = source("github", heading_of_github, github);
pub(super) static GITLAB: Source = source("gitlab", heading_of_gitlab, gitlab);
static TABLE: &[&Source] = &[&GITHUB, &GITLAB];
pub(super) const SOURCES: Sources = Sources::new(TABLE);

const fn source(
    name: &'static str,
    heading: fn(&[u8]) -> Result<Heading, String>,
    parse: fn(&[u8]) -> Option<Event>,
) -> Source {
    Source {
        name: SourceName::new(name),
        incidents_of: None,
        title: "A source of deployments",
        heading,
        parse,
    }
}

/// An event about a deployment; its JSON is the body.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Told {
    pub(super) source: String,
    /// Number of the deployment.
    pub(super) number: u64,
    pub(super) state: DeploymentState,
    /// Minutes after the beginning of the month.
    pub(super) minute: u64,
    pub(super) repository: String,
    pub(super) environment: Option<String>,
    pub(super) commit_sha: Option<String>,
    pub(super) created: Option<u64>,
}

impl Told {
    pub(super) fn id(&self) -> String {
        format!("{}:{}:{:?}:{}", self.source, self.number, self.state, self.minute)
    }

    pub(super) fn deployment_id(&self) -> String {
        format!("{}:example.com:deployment:{}", self.source, self.number)
    }

    fn event(&self, source: &Source) -> Option<Event> {
        let facts = DeploymentFacts {
            repository: Some(format!("acme/{}", self.repository)),
            environment: self.environment.clone(),
            commit_sha: self.commit_sha.clone(),
            created_at: self.created.map(minute),
            ..DeploymentFacts::default()
        };
        let deployment = SourceDeploymentId::new(&source.name, "example.com", self.number)?;
        let about = AboutDeployment { deployment, state: self.state, facts };
        Some(Event {
            id: self.id(),
            event_type: "deployment".to_owned(),
            occurred_at: minute(self.minute),
            origin: Origin::Sent,
            subject: Some(EventSubject::Deployment(Box::new(about))),
        })
    }

    pub(super) fn heading(&self) -> Heading {
        (self.source().heading)(&self.body()).unwrap()
    }

    pub(super) fn delivery(&self, received_at: Timestamp) -> Delivery {
        let body = Bytes::from(self.body());
        Delivery { source: self.source(), id: None, received_at, body, reservation: None }
    }

    fn source(&self) -> &'static Source {
        SOURCES.named(&self.source).unwrap()
    }

    fn body(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap()
    }
}

fn parse(source: &Source, body: &[u8]) -> Option<Event> {
    serde_json::from_slice::<Told>(body).ok()?.event(source)
}

fn github(body: &[u8]) -> Option<Event> {
    parse(&GITHUB, body)
}

fn gitlab(body: &[u8]) -> Option<Event> {
    parse(&GITLAB, body)
}

fn heading(event: Option<Event>) -> Result<Heading, String> {
    Ok(event.ok_or("no event")?.heading())
}

fn heading_of_github(body: &[u8]) -> Result<Heading, String> {
    heading(github(body))
}

fn heading_of_gitlab(body: &[u8]) -> Result<Heading, String> {
    heading(gitlab(body))
}

/// A moment of the month.
pub(super) fn minute(minute: u64) -> Timestamp {
    time("2026-11-01T00:00:00Z").saturating_add(Duration::from_mins(minute))
}

/// Everything that the sources and pipelines tell in a month.
pub(super) struct Month {
    pub(super) events: Vec<Told>,
    pub(super) submitted: Vec<Deployment>,
}

fn any<T: Copy>(rng: &mut Rng, of: &[T]) -> T {
    of[rng.usize(..of.len())]
}

fn commit(rng: &mut Rng) -> String {
    format!("{}{:0<39}", any(rng, &["a", "b", "c"]), rng.u8(..3))
}

impl Month {
    /// A random month: several sources tell of the same deployments, starts are lost, runs are repeated, and some fail.
    pub(super) fn random(rng: &mut Rng) -> Self {
        let mut month = Self { events: Vec::new(), submitted: Vec::new() };
        for number in 0..rng.u64(8..20) {
            let (begin, repository) = (rng.u64(..43_200), any(rng, &["cart", "search", "cart"]));
            let commit_sha = commit(rng);
            for source in ["github", "gitlab"] {
                if rng.u8(..3) > 0 {
                    month.tell(rng, source, number, (begin, repository, &commit_sha));
                }
            }
            if rng.u8(..3) == 0 {
                month.submit(rng, number, (begin, repository, &commit_sha));
            }
        }
        month
    }

    fn tell(
        &mut self,
        rng: &mut Rng,
        source: &str,
        number: u64,
        (begin, repository, commit_sha): (u64, &str, &str),
    ) {
        let begin = begin + any(rng, &[0, 0, 3, 8, 14]);
        let environment = any(rng, &["production", "Production", "staging", "production"]);
        let told = |state, minute| Told {
            source: source.to_owned(),
            number,
            state,
            minute,
            repository: repository.to_owned(),
            environment: Some(environment.to_owned()),
            commit_sha: Some(commit_sha.to_owned()),
            created: Some(begin.saturating_sub(9)),
        };
        let mut events = vec![
            told(DeploymentState::Waiting, begin.saturating_sub(5)),
            told(DeploymentState::InProgress, begin),
            told(DeploymentState::Succeeded, begin + rng.u64(..9)),
        ];
        match rng.u8(..8) {
            0 => events.push(told(DeploymentState::Failed, begin + 4)),
            1 => events[2].state = DeploymentState::Cancelled,
            // It runs and succeeds again.
            2 => events.extend(
                [DeploymentState::InProgress, DeploymentState::Succeeded]
                    .map(|state| told(state, begin + 30)),
            ),
            3 => events.push(told(DeploymentState::Inactive, begin + 600)),
            4 => drop(events.pop()),
            _ => {}
        }
        // Some are lost, and some do not know everything.
        events.retain(|_| rng.u8(..6) > 0);
        for event in &mut events {
            if rng.u8(..5) == 0 {
                (event.commit_sha, event.created) = (None, None);
            }
        }
        self.events.extend(events);
    }

    fn submit(&mut self, rng: &mut Rng, number: u64, (begin, repository, commit_sha): (u64, &str, &str)) {
        let begin = begin + any(rng, &[0, 1, 9, 12]);
        // Now and then under the id of a deployment of a source.
        let id = match rng.u8(..6) {
            0 => format!("github:example.com:deployment:{number}"),
            _ => format!("pipeline:{number:010}"),
        };
        self.submitted.push(Deployment {
            id: DeploymentId::parse(&id).unwrap(),
            service: repository.to_owned(),
            team: None,
            env: "production".to_owned(),
            started_at: minute(begin),
            finished_at: minute(begin + 5),
            version: None,
            commit_sha: Some(commit_sha.to_owned()).filter(|_| rng.u8(..4) > 0),
            repository_url: None,
            tags: BTreeSet::new(),
        });
    }
}
