//! `send`: signs payloads and posts them as PagerDuty does.

mod shift;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use reqwest::Url;
use secrecy::SecretString;

use super::table::{say, tell};
use super::{Failed, runtime};
use crate::clock::{Clock, SystemClock};
use crate::config::Secret;
use crate::http_client;
use crate::pagerduty::signature::{SIGNATURE_HEADER, sign};

/// PagerDuty waits that long for an answer.
const PAGERDUTY_TIMEOUT: Duration = Duration::from_secs(5);

/// Note on a webhook that was quarantined: its 202 looks like success, but no failure comes of it.
const QUARANTINED: &str =
    "it was not understood, or its event id came before with other facts; no failure comes of it";

#[derive(Args)]
pub(super) struct Options {
    /// Payloads, each a file with the JSON body of one webhook
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    /// Address that the webhooks are posted to
    #[arg(long, value_name = "URL", value_parser = http_url)]
    url: Url,

    /// Sign with the secret in this file
    #[arg(long, value_name = "F", conflicts_with = "secret_env")]
    secret_file: Option<PathBuf>,

    /// Sign with the secret in this environment variable
    #[arg(long, value_name = "NAME", default_value = "PAGERDUTY_SIGNING_SECRET")]
    secret_env: String,

    /// Move all times so that the last event happened just now, and give each event a new id
    #[arg(long)]
    now: bool,
}

fn http_url(text: &str) -> Result<Url, String> {
    let url: Url = text.parse().map_err(|error| format!("{error}"))?;
    let is_http = matches!(url.scheme(), "http" | "https");
    if is_http { Ok(url) } else { Err("it must begin with http:// or https://".to_owned()) }
}

/// Answer to a webhook.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: String,
}

impl Answer {
    fn is_quarantined(&self) -> bool {
        let answer: Option<serde_json::Value> = serde_json::from_str(&self.body).ok();
        answer.is_some_and(|answer| answer["status"] == "quarantined")
    }
}

pub(super) fn run(options: &Options) -> Result<(), Failed> {
    let (option, secret) = match &options.secret_file {
        Some(file) => ("--secret-file", Secret::File { file: file.clone() }),
        None => ("--secret-env", Secret::Env { env: options.secret_env.clone() }),
    };
    let secret = secret.fetch(1);
    let secret = secret.map_err(|error| Failed::Usage(anyhow::Error::from(error).context(option)))?;
    // All are read before the first is sent: a misspelt name sends nothing.
    let read =
        |file: &PathBuf| std::fs::read(file).with_context(|| format!("cannot read {}", file.display()));
    let mut bodies = options.files.iter().map(read).collect::<anyhow::Result<Vec<_>>>()?;
    if options.now {
        bodies = shift::to_now(&bodies, SystemClock.now())?;
    }
    runtime()?.block_on(async {
        let sender = Sender::new(options.url.clone(), secret)?;
        let mut refused = 0;
        for (file, body) in options.files.iter().zip(bodies) {
            let shown = file.display();
            let answer = sender.send(body).await.with_context(|| format!("cannot send {shown}"))?;
            say(format_args!("{}  {}  {shown}", answer.status, answer.body.trim()));
            if answer.is_quarantined() {
                tell(format_args!("{shown}: kept in quarantine: {QUARANTINED}"));
            }
            refused += usize::from(!(200..300).contains(&answer.status));
        }
        if refused > 0 {
            let all = options.files.len();
            return Err(Failed::Tried(anyhow::anyhow!("{refused} of {all} were not accepted")));
        }
        Ok(())
    })
}

/// Plays PagerDuty.
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
    pub(super) async fn send(&self, body: Vec<u8>) -> anyhow::Result<Answer> {
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
        Ok(Answer { status, body: response.text().await.map_err(reqwest::Error::without_url)? })
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
