//! `send`: signs payloads and posts them as PagerDuty does.

mod shift;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, anyhow};
use clap::Args;
use reqwest::Url;
use secrecy::SecretString;

use super::command_error::CommandError;
use super::runtime::runtime;
use super::table::{print_err, print_out};
use crate::clock::{Clock, SystemClock};
use crate::config::{Secret, SecretError};
use crate::domain::address::without_credentials;
use crate::domain::name::trimmed;
use crate::http_client;
use crate::sources::pagerduty::signature::{SIGNATURE_HEADER, sign};

/// Environment variable that has the secret if no option names another source.
const USUAL_VARIABLE: &str = "PAGERDUTY_SIGNING_SECRET";

/// Time that PagerDuty waits for an answer.
const PAGERDUTY_TIMEOUT: Duration = Duration::from_secs(5);

/// Note on a webhook in quarantine: it is answered 202, which looks like success, but changes no failure.
const QUARANTINED: &str =
    "it was not understood, or another event with the same id was received before; it changes no failure";

#[derive(Args)]
pub(super) struct SendOptions {
    /// Payloads, each a file with the JSON body of one webhook
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    /// Address that the webhooks are posted to
    #[arg(long, value_name = "URL")]
    url: String,

    /// Sign with the secret in this file
    #[arg(long, value_name = "F", conflicts_with = "secret_env")]
    secret_file: Option<PathBuf>,

    /// Variable of the secret
    #[arg(
        long,
        value_name = "NAME",
        help = "Sign with the secret in this environment variable [default: PAGERDUTY_SIGNING_SECRET]"
    )]
    secret_env: Option<String>,

    /// Move all times so that the last event happened just now, and give each event a new id
    #[arg(long)]
    now: bool,
}

/// Reads the address in `--url`. Clap does not check it, because clap's messages repeat the value, which may hold
/// credentials.
fn http_url(text: &str) -> Result<Url, CommandError> {
    let wrong = |reason: &str| {
        CommandError::Usage(anyhow!("--url: cannot post to {:?}: {reason}", without_credentials(text)))
    };
    let lower = trimmed(text).to_ascii_lowercase();
    if !["http://", "https://"].iter().any(|scheme| lower.starts_with(scheme)) {
        return Err(wrong("it must begin with http:// or https://"));
    }
    trimmed(text).parse().map_err(|error| wrong(&format!("{error}")))
}

/// Fetches the secret that the options name, else the one in the usual variable.
fn secret(options: &SendOptions) -> anyhow::Result<SecretString> {
    if let Some(file) = &options.secret_file {
        return Secret::File { file: file.clone() }.fetch(1).context("--secret-file");
    }
    if let Some(env) = &options.secret_env {
        return Secret::Env { env: env.clone() }.fetch(1).context("--secret-env");
    }
    Secret::Env { env: USUAL_VARIABLE.to_owned() }.fetch(1).map_err(|error| match error {
        SecretError::NotSet(_) | SecretError::Empty(_) => {
            anyhow!("{error}: set it to the subscription's signing secret, or name a file with --secret-file")
        }
        error => error.into(),
    })
}

/// Answer to a webhook.
pub(super) struct WebhookAnswer {
    pub(super) status: u16,
    pub(super) body: String,
}

impl WebhookAnswer {
    fn is_quarantined(&self) -> bool {
        let answer: Option<serde_json::Value> = serde_json::from_str(&self.body).ok();
        answer.is_some_and(|answer| answer["status"] == "quarantined")
    }
}

pub(super) fn run(options: &SendOptions) -> Result<(), CommandError> {
    let url = http_url(&options.url)?;
    let secret = secret(options).map_err(CommandError::Usage)?;
    // All files are read before the first is sent, so that a misspelt name sends nothing.
    let read =
        |file: &PathBuf| std::fs::read(file).with_context(|| format!("cannot read {}", file.display()));
    let mut bodies = options.files.iter().map(read).collect::<anyhow::Result<Vec<_>>>()?;
    if options.now {
        bodies = shift::to_now(&bodies, SystemClock.now())?;
    }
    runtime()?.block_on(async {
        let sender = Sender::new(url, secret)?;
        let mut refused = 0;
        for (file, body) in options.files.iter().zip(bodies) {
            let shown = file.display();
            let sent = sender.send(body).await.map_err(|error| sender.explained(error));
            let answer = sent.with_context(|| format!("cannot send {shown}"))?;
            print_out(format_args!("{}  {}  {shown}", answer.status, answer.body.trim()));
            if answer.is_quarantined() {
                print_err(format_args!("{shown}: kept in quarantine: {QUARANTINED}"));
            }
            refused += usize::from(!(200..300).contains(&answer.status));
        }
        if refused > 0 {
            let all = options.files.len();
            return Err(CommandError::Failed(anyhow::anyhow!("{refused} of {all} were not accepted")));
        }
        Ok(())
    })
}

/// Sends webhooks as PagerDuty does.
pub(super) struct Sender {
    client: reqwest::Client,
    url: Url,
    secret: SecretString,
}

impl Sender {
    pub(super) fn new(url: Url, secret: SecretString) -> anyhow::Result<Self> {
        Ok(Self { client: http_client::client(PAGERDUTY_TIMEOUT, &url)?, url, secret })
    }

    /// Sends one payload, with PagerDuty's headers and an `X-Webhook-Id` of its own.
    pub(super) async fn send(&self, body: Vec<u8>) -> reqwest::Result<WebhookAnswer> {
        let response = self
            .client
            .post(self.url.clone())
            .header("user-agent", "PagerDuty-Webhook/V3.0")
            .header("content-type", "application/json")
            .header("accept", "application/json")
            .header("x-webhook-id", webhook_id())
            .header("x-webhook-subscription", "PSENDER")
            .header(SIGNATURE_HEADER, sign(&self.secret, &body))
            .body(body)
            .send()
            .await
            // The address may hold credentials.
            .map_err(reqwest::Error::without_url)?;
        let status = response.status().as_u16();
        Ok(WebhookAnswer { status, body: response.text().await.map_err(reqwest::Error::without_url)? })
    }

    /// Adds the address to an error, and what to check if nothing answers.
    fn explained(&self, error: reqwest::Error) -> anyhow::Error {
        let address = match (self.url.host_str(), self.url.port_or_known_default()) {
            (Some(host), Some(port)) => format!("{host}:{port}"),
            _ => "the address".to_owned(),
        };
        let reason = if error.is_connect() {
            format!("cannot connect to {address}: is `pagerduty-dora serve` running there?")
        } else if error.is_timeout() {
            format!("{address} did not answer within {} s", PAGERDUTY_TIMEOUT.as_secs())
        } else {
            format!("no complete answer from {address}")
        };
        anyhow::Error::from(error).context(reason)
    }
}

/// A random UUID.
fn webhook_id() -> String {
    let bits = fastrand::u128(..) & !(0xf << 76) & !(0b11 << 62) | 4 << 76 | 0b10 << 62;
    let hex = format!("{bits:032x}");
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

#[cfg(test)]
mod tests {
    #[test]
    fn webhook_ids_are_uuids() {
        for _ in 0..100 {
            let id = super::webhook_id();
            assert_eq!((id.len(), &id[14..15]), (36, "4"), "{id}");
            assert!("89ab".contains(&id[19..20]), "{id}");
        }
    }
}
