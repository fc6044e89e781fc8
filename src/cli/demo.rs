//! `demo`: a daemon, a metrics backend and PagerDuty, all of them here, at work on a made-up day.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use clap::Args;
use glob::Pattern;
use reqwest::Url;
use secrecy::SecretString;
use serde::Deserialize;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use super::failures::table;
use super::send::Sender;
use super::serve::ordered_to_stop;
use super::table::{say, width};
use super::{Failed, runtime};
use crate::backend;
use crate::clock::SystemClock;
use crate::config::{Config, Secret};
use crate::domain::explain::Why;
use crate::domain::failure::{Failure, State};
use crate::pagerduty::payload;
use crate::store::{ForwardState, ListedFailure, Page, Story};
use crate::{Listeners, RunError, Shutdown};

#[derive(Args)]
pub(super) struct Options {
    /// Exit when the story is told, instead of staying up until Ctrl-C
    #[arg(long)]
    once: bool,

    /// Where the daemon takes webhooks
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
}

/// What PagerDuty is made to send, and what to look out for.
struct Chapter {
    says: &'static str,
    webhooks: &'static [&'static str],
}

macro_rules! webhooks {
    ($($name:literal),+) => {
        &[$(include_str!(concat!("../../fixtures/story/", $name, ".json"))),+]
    };
}

const STORY: [Chapter; 10] = [
    Chapter {
        says: "An incident from trigger to resolve. Being acknowledged does not end it, a note changes nothing,\n\
               and the resolve that is delivered twice counts once.",
        webhooks: webhooks![
            "01-plain-triggered",
            "02-plain-acknowledged",
            "03-plain-note",
            "04-plain-resolved",
            "05-plain-resolved-again"
        ],
    },
    Chapter {
        says: "One whose events arrive in the wrong order. Its service and team are in the software catalog.",
        webhooks: webhooks![
            "06-out-of-order-resolved",
            "07-out-of-order-acknowledged",
            "08-out-of-order-triggered"
        ],
    },
    Chapter {
        says: "One whose priority is raised on the way: the last one makes the severity.",
        webhooks: webhooks!["09-raised-triggered", "10-raised-priority", "11-raised-resolved"],
    },
    Chapter {
        says: "One that began before anybody listened. Its resolve alone tells it all.",
        webhooks: webhooks!["12-resolve-alone"],
    },
    Chapter {
        says: "One that is reopened: the backend is told again, and ends up with the real end.",
        webhooks: webhooks![
            "13-reopened-triggered",
            "14-reopened-resolved",
            "15-reopened-reopened",
            "16-reopened-resolved-for-good"
        ],
    },
    Chapter {
        says: "One that lasts, so that no backend is told yet; and PagerDuty's test event.",
        webhooks: webhooks!["17-open-triggered", "18-open-acknowledged", "19-ping"],
    },
    Chapter {
        says: "Noise: a rule says that reminders of low urgency do not count. It is kept, and no backend is told.",
        webhooks: webhooks!["20-noise-triggered", "21-noise-resolved"],
    },
    Chapter {
        says: "Two for the same outage, one of them merged into the other: one failure, from the earlier start.",
        webhooks: webhooks![
            "22-merged-source-triggered",
            "23-merged-target-triggered",
            "24-merged-source-merged",
            "25-merged-target-resolved"
        ],
    },
    Chapter {
        says: "One that was over in less than failure.min_duration: it does not count either.",
        webhooks: webhooks!["26-short-triggered", "27-short-resolved"],
    },
    Chapter {
        says: "One that the backend was told of before it was reopened and merged: it is deleted there.",
        webhooks: webhooks![
            "28-late-triggered",
            "29-late-target-triggered",
            "30-late-resolved",
            "31-late-reopened",
            "32-late-merged",
            "33-late-target-resolved"
        ],
    },
];

/// What a configuration would say of the story: severities, a rule, services. Search is in the catalog.
const CONFIGURED: &str = r#"
[failure.severity]
P1 = "SEV-1"
P2 = "SEV-2"
P3 = "SEV-3"

[[rule]]
name = "reminders are noise"
urgency = ["low"]
title = ['expires in \d+ days']
action = "ignore"

[[service]]
pagerduty = "PSVC001"
services = ["checkout"]
team = "payments"

[[service]]
pagerduty = "Mail delivery"
services = ["mail"]
team = "platform"
"#;

const CATALOG: &str = include_str!("../../fixtures/catalog/datadog-v2.yaml");

/// How long the backend may take to hold what it should.
const PATIENCE: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(10);

pub(super) fn run(options: &Options) -> Result<(), Failed> {
    Ok(runtime()?.block_on(show(options))?)
}

async fn show(options: &Options) -> anyhow::Result<()> {
    let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
    let secret = write_secret(folder.path(), "signing-secret")?;
    let key = write_secret(folder.path(), "events-api-key")?;
    let backend = Instance::start(&backend_config(folder.path(), &secret, &key)).await?;
    let daemon =
        Instance::start(&daemon_config(folder.path(), &secret, &key, options.listen, &backend)?).await?;
    say(format_args!("webhooks go to    {}", daemon.webhooks));
    say(format_args!("the JSON API is   {}\n", daemon.failures_url()));

    tell_story(&daemon, secret.fetch(1)?).await?;
    let listed = settled(&daemon).await?;
    say(format_args!("What it came to:\n\n{}", table(&listed, width())));
    say("Why:\n");
    for failure in &listed {
        say(reason(&daemon.story(&failure.failure).await?));
    }
    say("");
    say(verdict(&listed, &backend.failures().await?)?);
    if !options.once {
        say("\nStill up; Ctrl-C ends it.");
        ordered_to_stop()?.await;
    }
    daemon.stop().await?;
    backend.stop().await
}

async fn tell_story(daemon: &Instance, secret: SecretString) -> anyhow::Result<()> {
    let pagerduty = Sender::new(daemon.webhooks.clone(), secret)?;
    for chapter in STORY {
        say(chapter.says);
        for &webhook in chapter.webhooks {
            let answer = pagerduty.send(webhook.as_bytes().to_vec()).await?;
            ensure!(answer.status == 202, "a webhook was answered {}: {}", answer.status, answer.body);
            let Status { status } = serde_json::from_str(&answer.body)?;
            let event = payload::parse(webhook.as_bytes())?;
            let incident = event.subject.map(|subject| subject.incident.to_string()).unwrap_or_default();
            let (at, event_type) = (event.occurred_at.to_string(), event.event_type);
            let line = format!("  {at:<24}  {event_type:<26} {incident:<14}  {} {status}", answer.status);
            say(line);
            // So that the story is true: who was told before, and is told again.
            settled(daemon).await?;
        }
        say("");
    }
    Ok(())
}

/// The daemon's failures, once nothing is left to be forwarded.
async fn settled(daemon: &Instance) -> anyhow::Result<Vec<ListedFailure>> {
    let settled = async {
        loop {
            let failures = daemon.failures().await?;
            let is_settled = |failure: &ListedFailure| {
                let is_sent = failure.forwarded.iter().all(|f| f.state == ForwardState::Sent);
                is_sent && (failure.failure.state != State::Completed || !failure.forwarded.is_empty())
            };
            if failures.iter().all(is_settled) {
                return Ok(failures);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    tokio::time::timeout(PATIENCE, settled).await.context("the failures were not forwarded in time")?
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

/// A daemon in this process.
struct Instance {
    webhooks: Url,
    private: SocketAddr,
    public: SocketAddr,
    client: reqwest::Client,
    stop: watch::Sender<bool>,
    running: JoinHandle<Result<(), RunError>>,
}

impl Instance {
    async fn start(config: &Config) -> anyhow::Result<Self> {
        let listeners = Listeners::bind(config).await?;
        let (public, private) = (listeners.public.local_addr()?, listeners.private.local_addr()?);
        let (stop, mut stopped) = watch::channel(false);
        let (ready, is_ready) = oneshot::channel();
        let shutdown = Shutdown {
            when: async move { drop(stopped.wait_for(|stop| *stop).await) },
            on_ready: Box::new(move || {
                // Whoever asked has given up.
                let _ = ready.send(());
            }),
        };
        let owned = config.clone();
        let clock = Arc::new(SystemClock);
        let running = tokio::spawn(async move { crate::run(&owned, clock, listeners, shutdown).await });
        if is_ready.await.is_err() {
            running.await??;
            bail!("the daemon ended before it was ready");
        }
        let webhooks = Url::parse(&format!("http://{public}{}", config.pagerduty.path.as_str()))?;
        Ok(Self { webhooks, private, public, client: backend::client(PATIENCE)?, stop, running })
    }

    fn failures_url(&self) -> String {
        format!("http://{}/api/v1/failures", self.private)
    }

    async fn failures(&self) -> anyhow::Result<Vec<ListedFailure>> {
        let answer = self.client.get(self.failures_url()).send().await?.text().await?;
        Ok(serde_json::from_str::<Page>(&answer)?.failures)
    }

    async fn story(&self, failure: &Failure) -> anyhow::Result<Story> {
        let url = format!("{}/{}", self.failures_url(), failure.id);
        Ok(serde_json::from_str(&self.client.get(url).send().await?.text().await?)?)
    }

    async fn stop(self) -> anyhow::Result<()> {
        self.stop.send_replace(true);
        Ok(self.running.await??)
    }
}

/// A random secret in a file that nobody else can read.
fn write_secret(folder: &Path, name: &str) -> anyhow::Result<Secret> {
    let file = folder.join(name);
    let mut created = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&file)?;
    created.write_all(format!("{:032x}{:032x}", fastrand::u128(..), fastrand::u128(..)).as_bytes())?;
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
        "[[backend]]\nname = \"metrics\"\nkind = \"datadog\"\nurl = \"http://{}\"\napi_key = {{ value = \"-\" }}",
        backend.public
    );
    let catalog = folder.join("catalog.yaml");
    std::fs::write(&catalog, CATALOG)?;
    let failure = format!(
        "[failure]\nmin_duration = \"1m\"\ncatalog = [{:?}]\n",
        Pattern::escape(&catalog.to_string_lossy())
    );
    let mut config = Config::parse(&format!("{failure}\n{CONFIGURED}\n{entry}"))?;
    for entry in &mut config.backend {
        entry.api_key = key.clone();
        entry.application_key = Some(key.clone());
    }
    config.server.listen = listen;
    config.admin.listen = (Ipv4Addr::LOCALHOST, 0).into();
    config.store.path = folder.join("daemon.db");
    config.pagerduty.signing_secrets = vec![secret.clone()];
    Ok(config)
}

#[derive(Deserialize)]
struct Status {
    status: String,
}
