//! Plays the day of the demo: sends webhooks and deployments to the daemon, and moves its clock.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use anyhow::{Context, ensure};
use reqwest::StatusCode;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use super::datadog::Datadog;
use super::instance::{Instance, MAX_WAIT, METRICS, POLL_INTERVAL};
use super::pagerduty_api::{PagerDutyApi, SUBSCRIPTION};
use super::past;
use super::story::{DEPLOYMENTS, DemoDeployment, GAP, GAP_CLOSED, LOST, STORY};
use super::told::{self, Forges, TOLD};
use crate::cli::send::Sender;
use crate::cli::table::print_out;
use crate::clock::{Clock, ManualClock};
use crate::domain::failure::FailureState;
use crate::domain::id::IncidentId;
use crate::domain::timestamp::Timestamp;
use crate::sources::pagerduty::payload;
use crate::store::RowState;

/// Time between two looks of the daemon at the subscription.
const CARE_EVERY: Duration = Duration::from_mins(5);

/// Sends deployments, as a pipeline does.
struct Pipeline {
    key: SecretString,
    /// Deployments that are not sent yet.
    to_come: VecDeque<DemoDeployment>,
    /// Services and versions of the deployments that were sent, by the ids that the daemon gave them.
    known: BTreeMap<String, String>,
}

impl Pipeline {
    fn new(key: SecretString) -> Self {
        Self { key, to_come: VecDeque::from_iter(DEPLOYMENTS), known: BTreeMap::new() }
    }

    /// Takes the next deployment, if it ends at `then` or earlier.
    fn next_before(&mut self, then: Timestamp) -> anyhow::Result<Option<DemoDeployment>> {
        let is_next = match self.to_come.front() {
            Some(deployed) => Timestamp::parse(deployed.finished_at)? <= then,
            None => false,
        };
        Ok(if is_next { self.to_come.pop_front() } else { None })
    }
}

/// State of the day.
pub(super) struct Day<'a> {
    daemon: &'a Instance,
    clock: &'a ManualClock,
    pagerduty: Sender,
    api: PagerDutyApi,
    pipeline: Pipeline,
    /// Ids of outbox rows that were printed.
    printed: BTreeSet<i64>,
}

impl<'a> Day<'a> {
    /// A day that has not begun. `key`: the API key of the pipeline.
    pub(super) fn new(
        daemon: &'a Instance,
        clock: &'a ManualClock,
        (pagerduty, api): (Sender, PagerDutyApi),
        key: SecretString,
    ) -> Self {
        Self { daemon, clock, pagerduty, api, pipeline: Pipeline::new(key), printed: BTreeSet::new() }
    }

    /// Sends the failures and deployments of the weeks before.
    pub(super) async fn send_past(&mut self) -> anyhow::Result<()> {
        let past = past::past()?;
        for (kind, attributes) in &past {
            self.send_to_events_api(kind, attributes).await?;
        }
        // The rows are not printed: there are too many.
        timeout(MAX_WAIT, self.forwarded(false)).await.context("the past was not forwarded in time")??;
        let deployments = past.iter().filter(|(kind, _)| *kind == "deployment").count();
        let failures = past.len() - deployments;
        print_out(format_args!(
            "The weeks before, sent to the event API by another tool: {deployments} deployments, {failures} failures.\n"
        ));
        Ok(())
    }

    /// Plays all chapters of the day.
    pub(super) async fn play(&mut self) -> anyhow::Result<()> {
        self.wait_until("the incidents were not compared in time", async |day| Ok(day.api.was_compared()))
            .await?;
        for chapter in STORY {
            print_out(chapter.says);
            for &webhook in chapter.webhooks {
                self.deliver(webhook).await?;
            }
            self.pass(None).await?;
            print_out("");
        }
        Ok(())
    }

    /// Loses some webhooks, and has the daemon find what they told of.
    pub(super) async fn lose_and_repair(&mut self) -> anyhow::Result<()> {
        print_out(GAP);
        let mut lost = None;
        for webhook in LOST {
            let heading = payload::heading(webhook.as_bytes())?;
            let occurred_at = heading.occurred_at.context(NO_TIME)?;
            self.pass(Some(occurred_at)).await?;
            self.api.happened(webhook, true)?;
            lost = heading.incident().cloned();
            let incident = lost.as_ref().map(IncidentId::to_string).unwrap_or_default();
            line(occurred_at, &heading.event_type, &incident, "lost");
        }
        self.api.disable();
        line(self.clock.now(), "subscription", SUBSCRIPTION, "disabled");
        let closed_at = Timestamp::parse(GAP_CLOSED)?;
        while !self.api.is_enabled() && self.clock.now() < closed_at {
            self.clock.advance_to(self.clock.now().saturating_add(CARE_EVERY).min(closed_at));
            sleep(POLL_INTERVAL * 10).await;
        }
        self.clock.advance_to(closed_at);
        self.wait_until("the subscription was not enabled in time", async |day| Ok(day.api.is_enabled()))
            .await?;
        line(closed_at, "subscription", SUBSCRIPTION, "enabled again");
        let lost = lost.context("the lost webhooks tell of no incident")?;
        self.wait_until("the lost incident was not read in time", async |day| {
            let failures = day.daemon.failures().await?;
            let failure =
                failures.iter().find(|listed| listed.failure.incident.as_deref() == Some(lost.as_str()));
            Ok(failure.is_some_and(|listed| listed.failure.state == FailureState::Completed))
        })
        .await?;
        line(closed_at, "read from PagerDuty", lost.as_str(), "repaired");
        self.pass(None).await?;
        print_out("");
        Ok(())
    }

    /// Has GitHub and GitLab tell of deployments, and an incident follow one of them.
    pub(super) async fn tell_deployments(
        &mut self,
        forges: &Forges,
        datadog: &Datadog,
    ) -> anyhow::Result<()> {
        print_out(told::SAYS);
        for (forge, webhook) in TOLD {
            let event = forge.event(webhook)?;
            self.pass(Some(event.occurred_at)).await?;
            let Status { status } = serde_json::from_str(&forges.send(self.daemon, forge, webhook).await?)?;
            let about = event.about_deployment().context("a webhook of the story is about no deployment")?;
            let id = about.deployment.as_str();
            let number = id.rsplit(':').next().unwrap_or(id);
            let what = format!("{}: deployment {number} {}", forge.name(), about.state.in_words());
            line(event.occurred_at, &what, "", &format!("202 {status}"));
        }
        for webhook in told::INCIDENT {
            self.deliver(webhook).await?;
        }
        self.pass(None).await?;
        let ignored: Value = self.daemon.get("deployments?ignored=true").await?;
        for deployment in ignored["deployments"].as_array().into_iter().flatten() {
            let text = |field: &str| deployment[field].as_str().unwrap_or_default();
            print_out(format_args!("  {} does not count: {}", text("id"), text("reason")));
        }
        let failures = self.daemon.failures().await?;
        // The newest failure comes first.
        let last = failures.first().context("there is no failure")?;
        let (incident, cause) = (last.failure.incident.as_deref(), last.failure.deployment.as_deref());
        let cause = cause.context("the last failure is linked to no deployment")?;
        let incident = incident.context("the last failure has no incident")?;
        print_out(format_args!("  {incident} was caused by {cause}"));
        let mark = if datadog.mark_of(cause)? { "a change failure" } else { "no change failure" };
        print_out(format_args!("  told Datadog: {cause} is {mark}"));
        let events = datadog.events_of(last.failure.id.as_str());
        ensure!(events == ["error", "ok"], "the events about the failure are {events:?}");
        print_out(format_args!(
            "  told Datadog's event intake about {incident}: {}\n",
            events.join(", then ")
        ));
        Ok(())
    }

    /// Waits until a condition holds, but no longer than `MAX_WAIT`.
    async fn wait_until(
        &self,
        otherwise: &'static str,
        holds: impl AsyncFn(&Self) -> anyhow::Result<bool>,
    ) -> anyhow::Result<()> {
        let wait = async {
            while !holds(self).await? {
                sleep(POLL_INTERVAL).await;
            }
            Ok(())
        };
        timeout(MAX_WAIT, wait).await.context(otherwise)?
    }

    async fn deliver(&mut self, webhook: &str) -> anyhow::Result<()> {
        let heading = payload::heading(webhook.as_bytes())?;
        let occurred_at = heading.occurred_at.context(NO_TIME)?;
        while let Some(deployed) = self.pipeline.next_before(occurred_at)? {
            self.pass(Some(Timestamp::parse(deployed.finished_at)?)).await?;
            self.deploy(&deployed).await?;
        }
        self.pass(Some(occurred_at)).await?;
        self.api.happened(webhook, false)?;
        let answer = self.pagerduty.send(webhook.as_bytes().to_vec()).await?;
        ensure!(answer.status == 202, "a webhook was answered {}: {}", answer.status, answer.body);
        let Status { status } = serde_json::from_str(&answer.body)?;
        let incident = heading.subject.map(|subject| subject.to_string()).unwrap_or_default();
        let result = format!("{} {status}", answer.status);
        line(occurred_at, &heading.event_type, &incident, &result);
        Ok(())
    }

    async fn deploy(&mut self, deployed: &DemoDeployment) -> anyhow::Result<()> {
        let DemoDeployment { service, started_at, finished_at, version } = deployed;
        let attributes = json!({
            "service": service, "started_at": started_at, "finished_at": finished_at, "version": version,
        });
        let (status, id) = self.send_to_events_api("deployment", &attributes).await?;
        let name = format!("{service} {version}");
        line(Timestamp::parse(finished_at)?, "deployment", &name, status.as_str());
        self.pipeline.known.insert(id, name);
        Ok(())
    }

    /// Sends a `deployment` or a `failure` to the event API. Returns the status and the id.
    async fn send_to_events_api(
        &self,
        kind: &str,
        attributes: &Value,
    ) -> anyhow::Result<(StatusCode, String)> {
        let request = self
            .daemon
            .client
            .post(self.daemon.events_api_url(kind))
            .header("dd-api-key", self.pipeline.key.expose_secret());
        let answer = request.body(json!({ "data": { "attributes": attributes } }).to_string()).send().await?;
        ensure!(answer.status().is_success(), "a {kind} was answered {}", answer.status());
        Ok((answer.status(), serde_json::from_str::<EventsApiAnswer>(&answer.text().await?)?.data.id))
    }

    /// Lets time pass to `until`, or until nothing is left to forward. Rows that are due on the way are forwarded.
    async fn pass(&mut self, until: Option<Timestamp>) -> anyhow::Result<()> {
        // Reads the outbox first, even if nothing is due: it may have rows that were sent and not printed yet.
        while let Some(due_at) = self.forwarded_in_time().await? {
            if until.is_some_and(|until| due_at > until) {
                break;
            }
            self.clock.advance_to(due_at);
        }
        if let Some(until) = until {
            self.clock.advance_to(until);
        }
        Ok(())
    }

    /// Waits until nothing is due, but no longer than `MAX_WAIT`, and prints what was forwarded. Returns the next due
    /// time, if there is one.
    async fn forwarded_in_time(&mut self) -> anyhow::Result<Option<Timestamp>> {
        timeout(MAX_WAIT, self.forwarded(true)).await.context("the failures were not forwarded in time")?
    }

    /// Waits until nothing is due. Prints what was forwarded if `prints` is set. Returns the next due time, if there is
    /// one.
    async fn forwarded(&mut self, prints: bool) -> anyhow::Result<Option<Timestamp>> {
        loop {
            let (rows, now) = (self.daemon.outbox().await?, self.clock.now());
            let sent = rows.iter().filter(|row| row.state == RowState::Sent && row.backend == METRICS);
            for row in sent.filter(|row| self.printed.insert(row.id) && prints) {
                let incident = row.subject.id().trim_start_matches("pagerduty:");
                let what = self.pipeline.known.get(incident).map_or(incident, String::as_str);
                line(now, "  sent to the backend", what, &format!("revision {}", row.revision));
            }
            let next_due_at = rows.iter().filter_map(|row| row.next_attempt_at).min();
            if next_due_at.is_none_or(|due_at| due_at > now) {
                return Ok(next_due_at);
            }
            sleep(POLL_INTERVAL).await;
        }
    }
}

/// Error about a webhook of the story.
const NO_TIME: &str = "a webhook of the story has no time";

fn line(at: Timestamp, what: &str, subject: &str, result: &str) {
    let about = format!("{what:<26} {subject}");
    print_out(format_args!("  {:<24}  {:<41}  {result}", at.to_string(), about.trim_end()));
}

/// Answer of the event API.
#[derive(Deserialize)]
struct EventsApiAnswer {
    data: AnswerData,
}

#[derive(Deserialize)]
struct AnswerData {
    id: String,
}

#[derive(Deserialize)]
struct Status {
    status: String,
}
