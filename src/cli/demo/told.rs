//! Deployments of the demo that GitHub and GitLab tell of, and an incident after one of them.

use anyhow::{Context, ensure};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use secrecy::SecretString;

use super::instance::Instance;
use crate::domain::event::Event;
use crate::domain::source::Source;
use crate::sources::{github, gitlab};

/// Introduction that is printed before this part of the story.
pub(super) const SAYS: &str = "GitHub and GitLab tell of deployments by signed webhooks, without any work in the pipelines. A success in production\n\
     counts, as the repository's name. A preview does not. Then an incident: its cause is the deployment before it,\n\
     which Datadog is told, and its event intake gets an alert that ends with the incident.";

/// Webhooks about deployments, in the order in which they are sent.
pub(super) const TOLD: [(Forge, &str); 5] = [
    (Forge::Gitlab, include_str!("../../../fixtures/told/1-gitlab-running.json")),
    (Forge::Gitlab, include_str!("../../../fixtures/told/2-gitlab-success.json")),
    (Forge::Github, include_str!("../../../fixtures/told/3-github-preview.json")),
    (Forge::Github, include_str!("../../../fixtures/told/4-github-in-progress.json")),
    (Forge::Github, include_str!("../../../fixtures/told/5-github-success.json")),
];

/// Webhooks about the incident.
pub(super) const INCIDENT: [&str; 2] = [
    include_str!("../../../fixtures/told/6-incident-triggered.json"),
    include_str!("../../../fixtures/told/7-incident-resolved.json"),
];

/// Source of deployments.
#[derive(Debug, Clone, Copy)]
pub(super) enum Forge {
    Github,
    Gitlab,
}

impl Forge {
    const fn source(self) -> &'static Source {
        match self {
            Self::Github => &github::SOURCE,
            Self::Gitlab => &gitlab::SOURCE,
        }
    }

    /// Name in paths and in the output.
    pub(super) fn name(self) -> &'static str {
        self.source().name.as_str()
    }

    /// The event in a webhook.
    pub(super) fn event(self, webhook: &str) -> anyhow::Result<Event> {
        (self.source().parse)(webhook.as_bytes()).context("a webhook of the story is not understood")
    }
}

/// Secrets that GitHub and GitLab sign with.
pub(super) struct Forges {
    pub(super) github: SecretString,
    pub(super) gitlab: SecretString,
}

impl Forges {
    /// Sends a webhook, signed as its source signs it. Returns the answer's body.
    pub(super) async fn send(
        &self,
        daemon: &Instance,
        forge: Forge,
        webhook: &str,
    ) -> anyhow::Result<String> {
        let url = daemon.public_url(&format!("/webhooks/{}", forge.name()));
        let headers = self.headers(forge, webhook)?;
        let answer = daemon.client.post(url).headers(headers).body(webhook.to_owned()).send().await?;
        let status = answer.status();
        ensure!(status.as_u16() == 202, "a webhook of {} was answered {status}", forge.name());
        Ok(answer.text().await?)
    }

    fn headers(&self, forge: Forge, webhook: &str) -> anyhow::Result<HeaderMap> {
        let body = webhook.as_bytes();
        let headers = match forge {
            Forge::Github => {
                vec![(github::signature::SIGNATURE_HEADER, github::signature::sign(&self.github, body))]
            }
            Forge::Gitlab => {
                use gitlab::signature::{ID_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER, sign};
                let (id, time) = ("00000000-0000-4000-8000-000000000016", "1793653320");
                let signature = sign(&self.gitlab, id, time, body).context("no signing token")?;
                vec![
                    (ID_HEADER, id.to_owned()),
                    (TIMESTAMP_HEADER, time.to_owned()),
                    (SIGNATURE_HEADER, signature),
                ]
            }
        };
        let header = |(name, value): (&'static str, String)| {
            Ok((HeaderName::from_static(name), HeaderValue::from_str(&value)?))
        };
        headers.into_iter().map(header).collect()
    }
}
