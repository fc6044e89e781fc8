//! `subscription`: PagerDuty's webhook subscription, through PagerDuty's REST API.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use clap::{ArgGroup, Args, Subcommand};
use reqwest::Url;
use secrecy::ExposeSecret;

use super::command_error::CommandError;
use super::daemon::DaemonClient;
use super::examples;
use super::failures::second;
use super::options::{FormatOption, OutputFormat};
use super::runtime::runtime;
use super::store_reader::{existing_store, reader_with_password};
use super::table::{print_err, print_json, print_out};
use crate::config::{Config, Name};
use crate::domain::printable::printable;
use crate::domain::timestamp::Timestamp;
use crate::run::{outgoing, rest_client};
use crate::sources::pagerduty;
use crate::sources::pagerduty::own_subscription::{OwnSubscription, SubscriptionState, wanted_events};
use crate::sources::pagerduty::rest::{
    FilterKind, NewSubscription, RestClient, RestError, Subscription, SubscriptionFilter,
};

/// Time that a test event may take.
const LONGEST_TEST: Duration = Duration::from_mins(1);
/// Time between two looks for the test event.
const PAUSE: Duration = Duration::from_millis(200);
/// Type of the test event.
const TEST_EVENT: &str = "pagey.ping";

#[derive(Args)]
pub(super) struct SubscriptionOptions {
    #[command(subcommand)]
    command: SubscriptionCommand,
}

#[derive(Subcommand)]
enum SubscriptionCommand {
    /// Show whether the subscription is active, which events it sends, and when the last webhook came
    #[command(after_help = examples::SUBSCRIPTION_STATUS)]
    Status {
        #[command(flatten)]
        format: FormatOption,
    },
    /// Enable a subscription that PagerDuty has disabled
    #[command(after_help = examples::SUBSCRIPTION_ENABLE)]
    Enable,
    /// Create a subscription with all events that failures follow from; its secret goes to a file only
    #[command(
        group(ArgGroup::new("about").args(["service", "team"])),
        after_help = examples::SUBSCRIPTION_CREATE
    )]
    Create {
        /// Address that PagerDuty sends webhooks to: that of your proxy, with pagerduty.path
        #[arg(long, value_name = "URL")]
        url: Url,
        /// New file for the signing secret, readable for its owner only
        #[arg(long, value_name = "F")]
        secret_file: PathBuf,
        /// Only incidents of this service, by its id
        #[arg(long, value_name = "ID")]
        service: Option<String>,
        /// Only incidents of this team, by its id
        #[arg(long, value_name = "ID")]
        team: Option<String>,
    },
    /// Have PagerDuty send a test event, and wait until the daemon has received it
    #[command(after_help = examples::SUBSCRIPTION_TEST)]
    Test,
}

/// Advice if PagerDuty's REST API is not configured.
pub(super) const API_IS_MISSING: &str = "[pagerduty.api] is not configured. Add to the configuration, with a file that \
                                         has an API key of PagerDuty:\n\n[pagerduty.api]\ntoken = { file = \"pagerduty-token\" }";

pub(super) fn run(options: &SubscriptionOptions, config: &Config) -> Result<(), CommandError> {
    let Some(client) = rest_client(config, &outgoing(config)?)? else {
        return Err(CommandError::Usage(anyhow!(API_IS_MISSING)));
    };
    runtime()?.block_on(async {
        match &options.command {
            SubscriptionCommand::Status { format } => status(&client, config, format.format).await,
            SubscriptionCommand::Enable => enable(&client, config).await,
            SubscriptionCommand::Create { url, secret_file, service, team } => {
                let filter = filter(service.as_deref(), team.as_deref());
                warn_of_url(url, config);
                refuse_second(&client, url, config).await?;
                create(&client, url, secret_file, filter).await
            }
            SubscriptionCommand::Test => test(&client, config).await,
        }
    })?;
    Ok(())
}

/// The subscription of this program.
async fn own(client: &RestClient, config: &Config) -> anyhow::Result<Subscription> {
    only_one(search(client, config).await?, config)
}

/// Searches for the subscription of this program.
///
/// # Errors
/// There is no usable answer.
pub(super) async fn search(client: &RestClient, config: &Config) -> Result<OwnSubscription, RestError> {
    client.own_subscription(configured_id(config), config.pagerduty.path.as_str()).await
}

fn configured_id(config: &Config) -> Option<&str> {
    config.pagerduty.api.as_ref()?.subscription.as_ref().map(Name::as_str)
}

/// The subscription that was found.
///
/// # Errors
/// There is none, or there are several. The message says what to do.
pub(super) fn only_one(found: OwnSubscription, config: &Config) -> anyhow::Result<Subscription> {
    let path = config.pagerduty.path.as_str();
    match found {
        OwnSubscription::Found(subscription) => Ok(subscription),
        OwnSubscription::Missing => match configured_id(config) {
            Some(id) => {
                bail!("PagerDuty has no webhook subscription {id}: correct pagerduty.api.subscription")
            }
            None => bail!(
                "no webhook subscription of the account sends to {path}: create one with `subscription create`, or name \
                 it in pagerduty.api.subscription"
            ),
        },
        OwnSubscription::Several(several) => {
            let ids: Vec<&str> = several.iter().map(|subscription| subscription.id.as_str()).collect();
            bail!(
                "several webhook subscriptions send to {path}: name one in pagerduty.api.subscription: {}",
                ids.join(", ")
            )
        }
    }
}

async fn status(client: &RestClient, config: &Config, format: OutputFormat) -> anyhow::Result<()> {
    let subscription = own(client, config).await?;
    let (last, last_refused) = (last_webhook(config)?, last_refused(config).await?);
    let missing = subscription.missing_events();
    let state = match subscription.state() {
        SubscriptionState::Active => "active",
        SubscriptionState::Disabled => "disabled",
        SubscriptionState::SwitchedOff => "switched_off",
    };
    match format {
        OutputFormat::Json => print_json(&serde_json::json!({
            "id": subscription.id,
            "url": subscription.url,
            "state": state,
            "events": subscription.events,
            "missing_events": missing,
            "filter": subscription.filter,
            "last_webhook_at": last,
            "last_refused_at": last_refused,
        }))?,
        OutputFormat::Table => print_out(printable_lines(&subscription, &missing, (last, last_refused))),
    }
    if subscription.state() != SubscriptionState::Active {
        bail!("the subscription sends no webhooks");
    }
    Ok(())
}

fn printable_lines(
    subscription: &Subscription,
    missing: &[&str],
    (last, last_refused): (Option<Timestamp>, Option<Timestamp>),
) -> String {
    let state = match subscription.state() {
        SubscriptionState::Active => "active",
        SubscriptionState::Disabled => "disabled by PagerDuty: `pagerduty-dora subscription enable`",
        SubscriptionState::SwitchedOff => "switched off by a person: switch it on in PagerDuty",
    };
    let about = about(subscription);
    let events = if missing.is_empty() {
        "all that failures follow from".to_owned()
    } else {
        format!("not sent: {}", missing.join(", "))
    };
    let last = last.map_or_else(|| "none yet".to_owned(), second);
    let last_refused = last_refused.map_or_else(|| "none since the start of the daemon".to_owned(), second);
    [
        ("subscription", subscription.id.as_str()),
        ("url", subscription.url.as_str()),
        ("state", state),
        ("incidents", about.as_str()),
        ("events", events.as_str()),
        ("last accepted", last.as_str()),
        ("last refused", last_refused.as_str()),
    ]
    .map(|(what, is)| format!("{what:<15}{}", printable(is)))
    .join("\n")
}

/// Incidents that a subscription is about, in words.
pub(super) fn about(subscription: &Subscription) -> String {
    match (&subscription.filter.kind, &subscription.filter.id) {
        (FilterKind::Account, _) => "all incidents of the account".to_owned(),
        (kind, id) => format!("{} {}", String::from(kind.clone()), id.as_deref().unwrap_or("-")),
    }
}

/// Time of the last webhook in the store. `None` if there is no store, or none came.
fn last_webhook(config: &Config) -> anyhow::Result<Option<Timestamp>> {
    match existing_store(config).map_err(CommandError::into_error)? {
        Some(reader) => Ok(reader.last_received_from(&pagerduty::SOURCE.name)?),
        None => Ok(None),
    }
}

/// Time of the last webhook that the running daemon has refused, from its metrics. `None` if none was refused since its
/// start, or if no daemon runs.
async fn last_refused(config: &Config) -> anyhow::Result<Option<Timestamp>> {
    let Some(daemon) = DaemonClient::find(config).await? else { return Ok(None) };
    let name =
        format!("pagerduty_dora_last_refused_timestamp_seconds{{source=\"{}\"}} ", pagerduty::SOURCE.name);
    let metrics = daemon.get("/metrics").await?;
    let seconds = metrics.lines().find_map(|line| line.strip_prefix(&name)?.split('.').next()?.parse().ok());
    Ok(seconds.filter(|seconds| *seconds > 0).and_then(|seconds| Timestamp::from_unix(seconds).ok()))
}

async fn enable(client: &RestClient, config: &Config) -> anyhow::Result<()> {
    let subscription = own(client, config).await?;
    match subscription.state() {
        SubscriptionState::Active => {
            print_out(format_args!("{} is active already", printable(&subscription.id)));
        }
        SubscriptionState::SwitchedOff => {
            bail!("{} was switched off by a person: switch it on in PagerDuty", printable(&subscription.id))
        }
        SubscriptionState::Disabled => {
            client.enable(&subscription.id).await?;
            let then = match DaemonClient::find(config).await? {
                Some(_) => "the daemon reads what was lost",
                None => "no daemon runs: start it, or PagerDuty will disable the subscription again",
            };
            print_out(format_args!("{} is enabled; {then}", printable(&subscription.id)));
        }
    }
    Ok(())
}

fn filter(service: Option<&str>, team: Option<&str>) -> SubscriptionFilter {
    let (kind, id) = match (service, team) {
        (Some(service), _) => (FilterKind::Service, Some(service)),
        (None, Some(team)) => (FilterKind::Team, Some(team)),
        (None, None) => (FilterKind::Account, None),
    };
    SubscriptionFilter { kind, id: id.map(str::to_owned) }
}

/// Warns of an address that PagerDuty may not reach, or where the daemon may not answer.
fn warn_of_url(url: &Url, config: &Config) {
    let path = config.pagerduty.path.as_str();
    if url.scheme() != "https" {
        print_err(
            "warning: --url is not https: webhooks come through the internet, so a proxy should add TLS",
        );
    }
    if url.path().trim_end_matches('/') != path {
        print_err(format_args!(
            "warning: --url does not end with {path} (pagerduty.path), where the daemon takes webhooks: your proxy has \
             to change the path, and pagerduty.api.subscription has to name the subscription"
        ));
    }
}

/// Refuses to create a second subscription to the same address: every webhook would come twice, each with another secret.
async fn refuse_second(client: &RestClient, url: &Url, config: &Config) -> anyhow::Result<()> {
    let found = match search(client, config).await? {
        OwnSubscription::Found(subscription) => vec![subscription],
        OwnSubscription::Several(several) => several,
        OwnSubscription::Missing => Vec::new(),
    };
    let Some(same) = found.iter().find(|subscription| subscription.url == url.as_str()) else {
        return Ok(());
    };
    bail!(
        "{} sends to this address already: use it (`pagerduty-dora subscription status`), or delete it in PagerDuty \
         before you create another one",
        printable(&same.id)
    )
}

async fn create(
    client: &RestClient,
    url: &Url,
    file: &Path,
    filter: SubscriptionFilter,
) -> anyhow::Result<()> {
    // Opened before the request: PagerDuty tells the secret only once.
    let mut secret_file = new_file(file)?;
    let new = NewSubscription {
        url: url.to_string(),
        description: "pagerduty-dora".to_owned(),
        events: wanted_events().map(str::to_owned).collect(),
        filter,
    };
    let created = client.create(&new).await;
    if created.is_err() {
        // It is empty.
        let _ = std::fs::remove_file(file);
    }
    let (subscription, secret) = created?;
    let written = writeln!(secret_file, "{}", secret.expose_secret()).and_then(|()| secret_file.sync_all());
    written.with_context(|| {
        format!(
            "{} was created, but its secret could not be written to {}: delete it in PagerDuty, and create it again",
            printable(&subscription.id),
            file.display()
        )
    })?;
    // The paths of the configuration begin at its own folder.
    let file = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    print_out(format_args!(
        "{} was created, and its secret is in {}. Add {{ file = {:?} }} to the list pagerduty.signing_secrets, then \
         reload or restart the daemon",
        printable(&subscription.id),
        file.display(),
        file.display().to_string(),
    ));
    Ok(())
}

/// Makes a new file that only its owner can read.
fn new_file(file: &Path) -> anyhow::Result<File> {
    let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file);
    opened.with_context(|| {
        format!(
            "cannot make the file {} for the secret, so PagerDuty was not asked: name a file that does not exist yet, in \
             a folder that does",
            file.display()
        )
    })
}

async fn test(client: &RestClient, config: &Config) -> anyhow::Result<()> {
    let subscription = own(client, config).await?;
    if DaemonClient::find(config).await?.is_none() {
        bail!(
            "no daemon answers at {}: start it first, so that the test event can come in",
            config.admin.listen
        );
    }
    let reader = reader_with_password(config).map_err(CommandError::into_error)?;
    let (after, refused_before) = (reader.last_event()?, last_refused(config).await?);
    client.ping(&subscription.id).await?;
    print_err("PagerDuty was asked for a test event");
    let until = tokio::time::Instant::now() + LONGEST_TEST;
    while tokio::time::Instant::now() < until {
        if reader.has_event_after(after, TEST_EVENT)? {
            print_out("the test event has come in: the connection and the secret are right");
            return Ok(());
        }
        if last_refused(config).await? > refused_before {
            bail!(
                "the daemon has refused a webhook, perhaps the test event: the dashboard and the log say why. Mostly, \
                 pagerduty.signing_secrets lacks the secret of {}",
                printable(&subscription.id)
            );
        }
        tokio::time::sleep(PAUSE).await;
    }
    bail!(
        "no test event came within {} s: check that the daemon runs, its log for refused webhooks, and that {} leads to it",
        LONGEST_TEST.as_secs(),
        printable(&subscription.url)
    )
}
