//! Client of the running daemon, for commands that change something.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, bail};
use reqwest::{Response, Url};
use serde::Deserialize;

use crate::config::Config;
use crate::http_client;

/// Longest wait for an answer.
const MAX_WAIT: Duration = Duration::from_mins(1);

/// A daemon that answers on the admin listener of this configuration.
pub(super) struct DaemonClient {
    client: reqwest::Client,
    address: SocketAddr,
}

impl DaemonClient {
    /// Finds the daemon at `admin.listen`. `None` if nothing answers there.
    pub(super) async fn find(config: &Config) -> anyhow::Result<Option<Self>> {
        let address = config.admin.listen;
        let url = Url::parse(&format!("http://{address}/healthz"))?;
        let client = http_client::client(MAX_WAIT, &url)?;
        let Ok(answer) = client.get(url).send().await else {
            return Ok(None);
        };
        if answer.text().await?.trim() != r#"{"status":"ok"}"# {
            bail!(
                "another program answers at {address} (admin.listen): correct admin.listen, or stop that program"
            );
        }
        Ok(Some(Self { client, address }))
    }

    /// The body of the answer to a GET request.
    pub(super) async fn get(&self, path: &str) -> anyhow::Result<String> {
        let answer = self.client.get(format!("http://{}{path}", self.address)).send().await;
        answer.context("the daemon did not answer")?.text().await.context("the daemon's answer broke off")
    }

    /// `true` if the daemon is ready, and what it says about itself.
    pub(super) async fn readiness(&self) -> anyhow::Result<(bool, String)> {
        let answer = self.client.get(format!("http://{}/readyz", self.address)).send().await;
        let answer = answer.context("the daemon did not answer")?;
        let is_ready = answer.status().is_success();
        Ok((is_ready, answer.text().await.context("the daemon's answer broke off")?))
    }

    /// Sends a POST request without a body.
    pub(super) async fn post(&self, path_and_query: &str) -> anyhow::Result<Response> {
        self.post_within(path_and_query, MAX_WAIT).await
    }

    /// Sends a POST request without a body, and waits for at most this time.
    pub(super) async fn post_within(
        &self,
        path_and_query: &str,
        max_wait: Duration,
    ) -> anyhow::Result<Response> {
        let url = format!("http://{}{path_and_query}", self.address);
        self.client.post(url).timeout(max_wait).send().await.context("the daemon did not answer")
    }
}

/// The sentence for people in an answer of the daemon; the whole answer if it has none.
pub(super) fn detail(answer: &str) -> String {
    let answer_with_detail = serde_json::from_str(answer);
    answer_with_detail.map_or_else(|_| answer.to_owned(), |DaemonAnswer { detail }| detail)
}

/// Answer of the daemon with a sentence for people: the result, or the reason for a refusal.
#[derive(Debug, Deserialize)]
pub(super) struct DaemonAnswer {
    pub(super) detail: String,
}
