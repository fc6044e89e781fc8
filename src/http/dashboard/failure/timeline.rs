//! Timeline of a failure: deployment, trigger, acknowledgement, resolution, reopening, fix.

use maud::{Markup, html};

use crate::domain::deployment::Deployment;
use crate::domain::failure::{Failure, FailureState};
use crate::domain::human_duration::human_duration;
use crate::domain::timestamp::Timestamp;
use crate::http::dashboard::parts::links::name_or_id;
use crate::http::dashboard::parts::site::Site;
use crate::store::ReceivedEvent;

/// Kind of a step. The order is that of steps at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Deployed,
    Started,
    Triggered,
    Acknowledged,
    Changed,
    Reopened,
    Fixed,
    Resolved,
}

impl Kind {
    /// Class of the step in the style sheet.
    const fn class(self) -> &'static str {
        match self {
            Self::Deployed | Self::Fixed => "deployed",
            Self::Started | Self::Triggered | Self::Reopened => "broken",
            Self::Acknowledged | Self::Changed => "neutral",
            Self::Resolved => "restored",
        }
    }
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Step {
    at: Timestamp,
    kind: Kind,
    says: String,
    /// Id of the deployment that it is about.
    deployment: Option<String>,
}

/// The deployments that a failure is linked to, as far as they are known.
pub(super) struct Linked<'a> {
    /// The deployment that caused it.
    pub(super) cause: Option<&'a Deployment>,
    /// The deployment that fixed it.
    pub(super) fix: Option<&'a Deployment>,
}

/// The timeline as a list.
pub(super) fn timeline(
    site: &Site,
    failure: &Failure,
    events: &[ReceivedEvent],
    linked: &Linked<'_>,
) -> Markup {
    html! {
        ol.timeline.card {
            @for step in steps(failure, events, linked) {
                li.(step.kind.class()) {
                    span.when {
                        (site.zone().exact(step.at)) " "
                        span.quiet { (distance(step.at, failure.started_at)) }
                    }
                    span.what { @match &step.deployment {
                        Some(id) => { a href=(site.deployment(id)) { bdi { (step.says) } } }
                        None => { (step.says) }
                    } }
                }
            }
            @if failure.state == FailureState::Open { li.broken { span.when { "now" } span.what { "It is still open." } } }
        }
    }
}

/// Time from the start of the failure: `+ 12m 03s`.
fn distance(at: Timestamp, start: Timestamp) -> String {
    let length = |later: Timestamp, earlier| human_duration(later.duration_since(earlier).as_secs_f64());
    match at.cmp(&start) {
        std::cmp::Ordering::Less => format!("− {}", length(start, at)),
        std::cmp::Ordering::Equal => String::new(),
        std::cmp::Ordering::Greater => format!("+ {}", length(at, start)),
    }
}

fn steps(failure: &Failure, events: &[ReceivedEvent], linked: &Linked<'_>) -> Vec<Step> {
    let mut steps: Vec<Step> = events.iter().filter_map(of_event).collect();
    steps.extend(linked.cause.map(|cause| deployed(cause, Kind::Deployed, "caused")));
    steps.extend(linked.fix.map(|fix| deployed(fix, Kind::Fixed, "fixed")));
    let is_told = |steps: &[Step], kind, at| steps.iter().any(|step| step.kind == kind && step.at == at);
    if !is_told(&steps, Kind::Triggered, failure.started_at) {
        steps.push(Step {
            at: failure.started_at,
            kind: Kind::Started,
            says: "The failure started".to_owned(),
            deployment: None,
        });
    }
    let acknowledged_at = failure.acknowledged_at.filter(|at| !is_told(&steps, Kind::Acknowledged, *at));
    steps.extend(acknowledged_at.map(|at| Step {
        at,
        kind: Kind::Acknowledged,
        says: "Acknowledged".to_owned(),
        deployment: None,
    }));
    if let Some(at) = failure.finished_at
        && !is_told(&steps, Kind::Resolved, at)
    {
        steps.push(Step { at, kind: Kind::Resolved, says: "The failure ended".to_owned(), deployment: None });
    }
    steps.sort_by_key(|step| (step.at, step.kind));
    // The same fact may have been told by a webhook and read from the API.
    steps.dedup();
    steps
}

/// The step that an event tells. Most events tell none.
fn of_event(event: &ReceivedEvent) -> Option<Step> {
    let (kind, says) = match event.event_type.rsplit('.').next()? {
        "triggered" => (Kind::Triggered, "Triggered"),
        "acknowledged" => (Kind::Acknowledged, "Acknowledged"),
        "unacknowledged" => (Kind::Changed, "No longer acknowledged"),
        "escalated" => (Kind::Changed, "Escalated"),
        "delegated" => (Kind::Changed, "Delegated"),
        "reassigned" => (Kind::Changed, "Reassigned"),
        "reopened" => (Kind::Reopened, "Reopened"),
        "resolved" => (Kind::Resolved, "Resolved"),
        _ => return None,
    };
    Some(Step { at: event.occurred_at, kind, says: says.to_owned(), deployment: None })
}

fn deployed(deployment: &Deployment, kind: Kind, did: &str) -> Step {
    Step {
        at: deployment.started_at,
        kind,
        says: format!("Deployment of {}, which {did} the failure", name_or_id(deployment)),
        deployment: Some(deployment.id.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::domain::failure::tests::completed;
    use crate::domain::id::DeploymentId;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(&format!("2026-11-01T{text}Z")).unwrap()
    }

    fn event(event_type: &str, time: &str) -> ReceivedEvent {
        ReceivedEvent {
            id: "E1".to_owned(),
            event_type: event_type.to_owned(),
            occurred_at: at(time),
            received_at: at(time),
            duplicates: 0,
            source: "pagerduty".to_owned(),
            state: None,
        }
    }

    fn deployment(version: &str, time: &str) -> Deployment {
        Deployment {
            id: DeploymentId::parse("deployment-000001").unwrap(),
            service: "checkout".to_owned(),
            team: None,
            env: "production".to_owned(),
            started_at: at(time),
            finished_at: at(time),
            version: Some(version.to_owned()),
            commit_sha: None,
            repository_url: None,
            tags: BTreeSet::new(),
        }
    }

    fn shown(failure: &Failure, events: &[ReceivedEvent], linked: &Linked<'_>) -> Vec<String> {
        let steps = steps(failure, events, linked).into_iter();
        steps.map(|step| format!("{} {}", step.at.to_string().split_at(11).1, step.says)).collect()
    }

    #[test]
    fn the_steps_are_in_the_order_in_which_they_happened() {
        let failure = Failure {
            started_at: at("10:00:00"),
            finished_at: Some(at("12:00:00")),
            acknowledged_at: Some(at("10:05:00")),
            ..completed().failure
        };
        let events = [
            event("incident.resolved", "12:00:00"),
            event("incident.reopened", "11:00:00"),
            event("incident.resolved", "10:30:00"),
            event("incident.annotated", "10:20:00"),
            event("incident.triggered", "10:00:00"),
            event("incident.triggered", "10:00:00"),
        ];
        let (cause, fix) = (deployment("v1", "09:55:00"), deployment("v2", "11:50:00"));
        let linked = Linked { cause: Some(&cause), fix: Some(&fix) };
        assert_eq!(
            shown(&failure, &events, &linked),
            [
                "09:55:00Z Deployment of checkout v1, which caused the failure",
                "10:00:00Z Triggered",
                "10:05:00Z Acknowledged",
                "10:30:00Z Resolved",
                "11:00:00Z Reopened",
                "11:50:00Z Deployment of checkout v2, which fixed the failure",
                "12:00:00Z Resolved",
            ]
        );
    }

    #[test]
    fn start_and_end_are_shown_without_their_events() {
        let failure = Failure {
            started_at: at("10:00:00"),
            finished_at: Some(at("12:00:00")),
            acknowledged_at: None,
            ..completed().failure
        };
        let steps = shown(&failure, &[], &Linked { cause: None, fix: None });
        assert_eq!(steps, ["10:00:00Z The failure started", "12:00:00Z The failure ended"]);
    }

    #[test]
    fn each_step_has_its_distance_from_the_start() {
        let start = at("10:00:00");
        let distances = ["09:55:00", "10:00:00", "10:42:11"].map(|time| distance(at(time), start));
        assert_eq!(distances, ["− 5m 00s", "", "+ 42m 11s"]);
    }
}
