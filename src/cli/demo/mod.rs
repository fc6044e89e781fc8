//! `demo`: a daemon, a metrics backend and PagerDuty, all of them here, at work on a made-up day.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use clap::Args;
use glob::Pattern;
use reqwest::{StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use self::story::{CATALOG, CONFIGURED, DEPLOYMENTS, Deployed, STORY};
use super::failures::table;
use super::report;
use super::send::Sender;
use super::serve::ordered_to_stop;
use super::table::{say, width};
use super::{Failed, runtime};
use crate::Embedded;
use crate::backend;
use crate::clock::{Clock, ManualClock, SystemClock};
use crate::config::{Config, Secret};
use crate::domain::explain::Why;
use crate::domain::failure::{Failure, Source, State};
use crate::domain::figures::Report;
use crate::domain::timestamp::Timestamp;
use crate::pagerduty::payload;
use crate::random;
use crate::store::{ListedFailure, OutboxPage, OutboxRow, Page, RowState, Story};

mod past;
mod story;

#[derive(Args)]
pub(super) struct Options {
    /// Exit when the story is told, instead of staying up until Ctrl-C
    #[arg(long)]
    once: bool,

    /// Where the daemon takes webhooks
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
}

/// How long the backend may take to hold what it should.
const PATIENCE: Duration = Duration::from_secs(10);
const MORNING: &str = "2026-11-02T08:00:00Z";
const LOOK_EVERY: Duration = Duration::from_millis(10);

pub(super) fn run(options: &Options) -> Result<(), Failed> {
    Ok(runtime()?.block_on(show(options))?)
}

async fn show(options: &Options) -> anyhow::Result<()> {
    let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
    let secret = write_secret(folder.path(), "signing-secret")?;
    let key = write_secret(folder.path(), "events-api-key")?;
    // The day has passed long ago: its clock is turned by hand, so that five minutes take no time.
    let clock = ManualClock::at(Timestamp::parse(MORNING)?);
    let backend = Instance::start(backend_config(folder.path(), &secret, &key), clock.clone()).await?;
    let config = daemon_config(folder.path(), &secret, &key, options.listen, &backend)?;
    let daemon = Instance::start(config, clock.clone()).await?;
    say(format_args!("webhooks go to    {}", daemon.webhooks()?));
    say(format_args!("the JSON API is   {}", daemon.api("failures")));
    say(format_args!("the dashboard is  http://{}/\n", daemon.daemon.admin));

    let pagerduty = Sender::new(daemon.webhooks()?, secret.fetch(1)?)?;
    let (to_come, known) = (VecDeque::from_iter(DEPLOYMENTS), BTreeMap::new());
    let pipeline = Pipeline { key: key.fetch(1)?, to_come, known };
    let mut day = Day { daemon: &daemon, clock: &clock, pagerduty, pipeline, told: BTreeSet::new() };
    day.remember().await?;
    day.tell().await?;
    let mut listed = daemon.failures().await?;
    let verdict = verdict(&listed, &backend.failures().await?)?;
    listed.retain(|listed| listed.failure.source == Source::Pagerduty);
    say(format_args!("What it came to:\n\n{}", table(&listed, width())));
    say("Why:\n");
    for failure in &listed {
        say(reason(&daemon.story(&failure.failure).await?));
    }
    say("\nThe figures of the day:\n");
    let report = daemon.get::<Report>(&format!("report?since={MORNING}")).await?;
    say(report::table(&report, &[], width()));
    say(verdict);
    let at_backend = backend.get::<Report>(&format!("report?since={MORNING}")).await?;
    say(verdict_on_deployments(&report, &at_backend)?);
    if !options.once {
        say("\nStill up; Ctrl-C ends it.");
        tokio::select! {
            () = ordered_to_stop()? => {}
            () = go_on(&clock) => {}
        }
    }
    daemon.stop().await?;
    backend.stop().await
}

/// Plays the pipeline that tells of deployments.
struct Pipeline {
    key: SecretString,
    to_come: VecDeque<Deployed>,
    /// The versions of those that were told of, by the ids that they got.
    known: BTreeMap<String, &'static str>,
}

impl Pipeline {
    /// The next deployment, where it ends by then.
    fn next_before(&mut self, then: Timestamp) -> anyhow::Result<Option<Deployed>> {
        let is_next = match self.to_come.front() {
            Some(deployed) => Timestamp::parse(deployed.finished_at)? <= then,
            None => false,
        };
        Ok(if is_next { self.to_come.pop_front() } else { None })
    }
}

/// The day, as the daemon lives through it.
struct Day<'a> {
    daemon: &'a Instance,
    clock: &'a ManualClock,
    pagerduty: Sender,
    pipeline: Pipeline,
    /// The outbox rows that were told of.
    told: BTreeSet<i64>,
}

impl Day<'_> {
    /// Tells of the weeks before.
    async fn remember(&mut self) -> anyhow::Result<()> {
        let past = past::past()?;
        for (kind, attributes) in &past {
            self.event_api(kind, attributes).await?;
        }
        // All of it is due at once, and nobody wants a line for each.
        timeout(PATIENCE, self.forwarded(false)).await.context("the past was not forwarded in time")??;
        let deployments = past.iter().filter(|(kind, _)| *kind == "deployment").count();
        let failures = past.len() - deployments;
        say(format_args!(
            "The weeks before, from another tool by the event API: {deployments} deployments, {failures} failures.\n"
        ));
        Ok(())
    }

    async fn tell(&mut self) -> anyhow::Result<()> {
        for chapter in STORY {
            say(chapter.says);
            for &webhook in chapter.webhooks {
                self.deliver(webhook).await?;
            }
            self.pass(None).await?;
            say("");
        }
        Ok(())
    }

    async fn deliver(&mut self, webhook: &str) -> anyhow::Result<()> {
        let event = payload::parse(webhook.as_bytes())?;
        while let Some(deployed) = self.pipeline.next_before(event.occurred_at)? {
            self.pass(Some(Timestamp::parse(deployed.finished_at)?)).await?;
            self.deploy(&deployed).await?;
        }
        self.pass(Some(event.occurred_at)).await?;
        let answer = self.pagerduty.send(webhook.as_bytes().to_vec()).await?;
        ensure!(answer.status == 202, "a webhook was answered {}: {}", answer.status, answer.body);
        let Status { status } = serde_json::from_str(&answer.body)?;
        let incident = event.subject.map(|subject| subject.incident.to_string()).unwrap_or_default();
        let said = format!("{} {status}", answer.status);
        line(event.occurred_at, &event.event_type, &incident, &said);
        Ok(())
    }

    async fn deploy(&mut self, deployed: &Deployed) -> anyhow::Result<()> {
        let Deployed { service, started_at, finished_at, version } = deployed;
        let attributes = json!({
            "service": service, "started_at": started_at, "finished_at": finished_at, "version": version,
        });
        let (status, id) = self.event_api("deployment", &attributes).await?;
        line(Timestamp::parse(finished_at)?, "deployment", version, status.as_str());
        self.pipeline.known.insert(id, version);
        Ok(())
    }

    /// Tells the event API of a `deployment` or a `failure`.
    async fn event_api(&self, kind: &str, attributes: &Value) -> anyhow::Result<(StatusCode, String)> {
        let url = format!("http://{}/api/v2/dora/{kind}", self.daemon.daemon.public);
        let request = self.daemon.client.post(url).header("dd-api-key", self.pipeline.key.expose_secret());
        let answer = request.body(json!({ "data": { "attributes": attributes } }).to_string()).send().await?;
        ensure!(answer.status().is_success(), "a {kind} was answered {}", answer.status());
        Ok((answer.status(), serde_json::from_str::<Answer>(&answer.text().await?)?.data.id))
    }

    /// Lets time pass until then, or until nothing is left to be forwarded; what is due on the way is forwarded.
    async fn pass(&mut self, until: Option<Timestamp>) -> anyhow::Result<()> {
        while let Some(due_at) = self.next_due_at().await? {
            if until.is_some_and(|until| due_at > until) {
                break;
            }
            self.clock.advance_to(due_at);
            timeout(PATIENCE, self.forwarded(true))
                .await
                .context("the failures were not forwarded in time")??;
        }
        if let Some(until) = until {
            self.clock.advance_to(until);
        }
        Ok(())
    }

    async fn next_due_at(&self) -> anyhow::Result<Option<Timestamp>> {
        Ok(self.daemon.outbox().await?.iter().filter_map(|row| row.next_attempt_at).min())
    }

    /// Waits until nothing is due, and may tell what was forwarded meanwhile.
    async fn forwarded(&mut self, tells: bool) -> anyhow::Result<()> {
        loop {
            let (rows, now) = (self.daemon.outbox().await?, self.clock.now());
            let sent = rows.iter().filter(|row| row.state == RowState::Sent);
            for row in sent.filter(|row| self.told.insert(row.id) && tells) {
                let incident = row.subject().trim_start_matches("pagerduty:");
                let what = self.pipeline.known.get(incident).copied().unwrap_or(incident);
                line(now, "  told the backend", what, &format!("revision {}", row.revision));
            }
            if !rows.iter().any(|row| row.next_attempt_at.is_some_and(|due_at| due_at <= now)) {
                return Ok(());
            }
            sleep(LOOK_EVERY).await;
        }
    }
}

/// Has the story's clock go on from the evening, so that its figures stay those of the last weeks.
async fn go_on(clock: &ManualClock) {
    let (evening, began) = (clock.now(), SystemClock.now());
    loop {
        clock.advance_to(evening.saturating_add(SystemClock.now().duration_since(began)));
        sleep(LOOK_EVERY).await;
    }
}

fn line(at: Timestamp, what: &str, incident: &str, said: &str) {
    say(format_args!("  {:<24}  {what:<26} {incident:<14}  {said}", at.to_string()));
}

/// What tells most about a failure, in a line; `explain` has all of it.
fn reason(story: &Story) -> String {
    let about = |about: &str| story.why.iter().find(|why| why.about == about);
    let telling = about("merged_into")
        .or_else(|| about("counts").filter(|why| why.value == "no"))
        .or_else(|| about("merged").and_then(|_| about("started_at")))
        .or_else(|| about("reopened"))
        .or_else(|| about("state"));
    let incident = story.failure.as_ref().and_then(|listed| listed.failure.incident.as_ref());
    let name = incident.map(ToString::to_string).unwrap_or_default();
    match telling {
        Some(Why { about, value, because }) => format!("  {name}  {about} {value}: {because}"),
        None => format!("  {name}"),
    }
}

/// Whether the backend holds what it should: each completed failure once, with the same start and end.
fn verdict(listed: &[ListedFailure], at_backend: &[ListedFailure]) -> anyhow::Result<String> {
    let facts = |failures: &[ListedFailure]| -> Vec<_> {
        let completed = failures.iter().filter(|listed| listed.failure.state == State::Completed);
        completed
            .map(|listed| (listed.failure.id.clone(), listed.failure.started_at, listed.failure.finished_at))
            .collect()
    };
    let (completed, held) = (facts(listed), facts(at_backend));
    if completed != held || held.len() != at_backend.len() {
        bail!(
            "the metrics backend holds something else than was forwarded: {held:?} instead of {completed:?}"
        );
    }
    Ok(format!(
        "The metrics backend holds {} failures: each completed one once, with the same start and end.",
        held.len()
    ))
}

/// Whether it holds every deployment of the day once, too.
fn verdict_on_deployments(report: &Report, at_backend: &Report) -> anyhow::Result<String> {
    let count = |report: &Report| report.rows.iter().map(|row| row.deployments).sum::<usize>();
    let (told, held) = (count(report), count(at_backend));
    ensure!(told == held, "the metrics backend holds {held} deployments instead of {told}");
    Ok(format!("And {held} deployments, each once."))
}

/// A daemon in this process, and what the demo asks of it.
struct Instance {
    daemon: Embedded,
    client: reqwest::Client,
}

impl Instance {
    async fn start(config: Config, clock: Arc<dyn Clock>) -> anyhow::Result<Self> {
        Ok(Self { daemon: Embedded::start(config, clock).await?, client: backend::client(PATIENCE)? })
    }

    fn webhooks(&self) -> anyhow::Result<Url> {
        let path = Config::default().pagerduty.path;
        Ok(Url::parse(&format!("http://{}{}", self.daemon.public, path.as_str()))?)
    }

    fn api(&self, path: &str) -> String {
        format!("http://{}/api/v1/{path}", self.daemon.admin)
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        let answer = self.client.get(self.api(path)).send().await?.text().await?;
        Ok(serde_json::from_str(&answer)?)
    }

    async fn failures(&self) -> anyhow::Result<Vec<ListedFailure>> {
        Ok(self.get::<Page>("failures?limit=1000").await?.failures)
    }

    async fn outbox(&self) -> anyhow::Result<Vec<OutboxRow>> {
        Ok(self.get::<OutboxPage>("outbox?limit=1000").await?.rows)
    }

    async fn story(&self, failure: &Failure) -> anyhow::Result<Story> {
        self.get(&format!("failures/{}", failure.id)).await
    }

    async fn stop(self) -> anyhow::Result<()> {
        self.daemon.stop().await
    }
}

/// A random secret in a file that nobody else can read.
fn write_secret(folder: &Path, name: &str) -> anyhow::Result<Secret> {
    let file = folder.join(name);
    let mut created = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&file)?;
    created.write_all(random::secret()?.as_bytes())?;
    Ok(Secret::File { file })
}

fn backend_config(folder: &Path, secret: &Secret, key: &Secret) -> Config {
    let mut config = Config::default();
    config.server.listen = (Ipv4Addr::LOCALHOST, 0).into();
    config.admin.listen = (Ipv4Addr::LOCALHOST, 0).into();
    config.store.path = folder.join("backend.db");
    config.pagerduty.signing_secrets = vec![secret.clone()];
    config.events_api.keys = vec![key.clone()];
    config
}

fn daemon_config(
    folder: &Path,
    secret: &Secret,
    key: &Secret,
    listen: SocketAddr,
    backend: &Instance,
) -> anyhow::Result<Config> {
    let entry = format!(
        "[[backend]]\nname = \"metrics\"\nkind = \"datadog\"\nurl = \"http://{}\"\napi_key = {{ value = \"-\" }}\ndeployments = true",
        backend.daemon.public
    );
    let catalog = folder.join("catalog.yaml");
    std::fs::write(&catalog, CATALOG)?;
    let catalog = Pattern::escape(&catalog.to_string_lossy());
    let failure = format!("[failure]\nmin_duration = \"1m\"\nsettle = \"5m\"\ncatalog = [{catalog:?}]\n");
    let mut config = Config::parse(&format!("{failure}\n{CONFIGURED}\n{entry}"))?;
    for entry in &mut config.backend {
        entry.api_key = Some(key.clone());
        entry.application_key = Some(key.clone());
    }
    config.server.listen = listen;
    config.admin.listen = (Ipv4Addr::LOCALHOST, 0).into();
    config.events_api.keys = vec![key.clone()];
    config.store.path = folder.join("daemon.db");
    config.pagerduty.signing_secrets = vec![secret.clone()];
    Ok(config)
}

/// What the event API answers.
#[derive(Deserialize)]
struct Answer {
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    id: String,
}

#[derive(Deserialize)]
struct Status {
    status: String,
}
