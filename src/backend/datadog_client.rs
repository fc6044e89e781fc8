//! Common parts of all requests to Datadog: the keys, the envelope, and the limits of tags.

use reqwest::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};

use super::answer;
use super::credentials::Credentials;
use super::probe::Probe;
use super::probe_request::{ProbeAnswer, ask};
use super::protocol::Reply;
use super::setup::{SetupError, header};
use super::text::{shown, unique_within};
use crate::config;
use crate::domain::retry::Verdict;
use crate::domain::timestamp::Timestamp;
use crate::http_client::Outgoing;

const API_KEY: HeaderName = HeaderName::from_static("dd-api-key");
const APPLICATION_KEY: HeaderName = HeaderName::from_static("dd-application-key");

/// Paths that test the API key, and both keys (Datadog: Validate API key; Validate API and application keys).
const VALIDATE: &str = "/api/v1/validate";
const VALIDATE_KEYS: &str = "/api/v2/validate_keys";

/// Datadog: `custom_tags`, up to 100.
pub(super) const MOST_TAGS: usize = 100;
/// Datadog: a tag has up to 200 characters, with its key. Attributes that it shows as tags have the same limit.
pub(super) const LONGEST_TAG_CHARS: usize = 200;

/// HTTP client with Datadog's keys.
#[derive(Clone)]
pub(super) struct Client {
    api_key: HeaderValue,
    /// Without this key nothing can be deleted or marked.
    application_key: Option<HeaderValue>,
    /// Address that tests the API key.
    validate: reqwest::Url,
    /// Address that tests both keys.
    validate_keys: reqwest::Url,
    http: reqwest::Client,
}

impl Client {
    pub(super) fn from_config(
        entry: &config::BackendSection,
        outgoing: &Outgoing,
    ) -> Result<Self, SetupError> {
        let api_key = header("api_key", "", entry.api_key.as_ref())?;
        Ok(Self {
            api_key: api_key.ok_or(SetupError::Missing("api_key"))?,
            application_key: header("application_key", "", entry.application_key.as_ref())?,
            validate: entry.url.join(VALIDATE),
            validate_keys: entry.url.join(VALIDATE_KEYS),
            http: outgoing.client(entry.timeout.get(), &entry.url.get())?,
        })
    }

    /// The same client, with the keys tested by this API.
    pub(super) fn validating_at(self, api: &reqwest::Url) -> Self {
        let at = |path| {
            let mut url = api.clone();
            url.set_path(path);
            url
        };
        Self { validate: at(VALIDATE), validate_keys: at(VALIDATE_KEYS), ..self }
    }

    /// `true` if records can be deleted and marked.
    pub(super) fn has_application_key(&self) -> bool {
        self.application_key.is_some()
    }

    /// Sends a whole record.
    pub(super) async fn post(&self, url: &reqwest::Url, body: Vec<u8>, now: Timestamp) -> Reply {
        let request = self.http.post(url.clone()).header(API_KEY, self.api_key.clone());
        let request = request.header(CONTENT_TYPE, "application/json").body(body);
        answer::reply(request.send().await, now).await
    }

    /// Deletes a record. A 404 counts as success: the record is gone.
    pub(super) async fn delete(&self, url: &reqwest::Url, id: &str, now: Timestamp) -> Reply {
        match self.with_both_keys(self.http.delete(record_url(url, id)), now).await {
            reply @ Reply { status: Some(404), .. } => Reply { verdict: Verdict::Sent, error: None, ..reply },
            reply => reply,
        }
    }

    /// Changes an existing record. Without an id, the body says which one.
    pub(super) async fn patch(
        &self,
        url: &reqwest::Url,
        id: Option<&str>,
        body: Vec<u8>,
        now: Timestamp,
    ) -> Reply {
        let url = id.map_or_else(|| url.clone(), |id| record_url(url, id));
        let request = self.http.patch(url).header(CONTENT_TYPE, "application/json");
        self.with_both_keys(request.body(body), now).await
    }

    /// Datadog's statement about the API key, and the whole answer. The statement is `None` if the answer says something
    /// else.
    pub(super) async fn ask_about_api_key(
        &self,
        credentials: &Credentials,
    ) -> Result<(Option<bool>, ProbeAnswer), Probe> {
        let api_key = self.http.get(self.validate.clone()).header(API_KEY, self.api_key.clone());
        let answer = ask(api_key, credentials).await?;
        Ok((is_key_valid(&answer), answer))
    }

    /// Asks Datadog whether it accepts the keys.
    pub(super) async fn probe(&self, credentials: &Credentials) -> Probe {
        let (is_valid, answer) = match self.ask_about_api_key(credentials).await {
            Ok(asked) => asked,
            Err(probe) => return probe,
        };
        let (path, words) = (self.validate.path(), answer.in_words());
        match is_valid {
            Some(true) => self.probe_application_key(credentials).await,
            Some(false) => Probe::Unusable(format!(
                "does not accept api_key ({words}): put a valid API key where this entry says. A key is good for one site of \
                 Datadog, so check url, too"
            )),
            None if answer.is_success() => Probe::Unusable(format!(
                "is not Datadog's API: it answers GET {path} with {words}. Correct url, or the proxy in between"
            )),
            None => Probe::Doubtful(format!(
                "can be reached, but answers GET {path} with {words}, so api_key was not tested. Another copy of this \
                 program answers 404. Otherwise correct url, or the proxy in between"
            )),
        }
    }

    /// Asks Datadog about both keys, once the API key is known to be good.
    async fn probe_application_key(&self, credentials: &Credentials) -> Probe {
        let Some(application_key) = &self.application_key else {
            return Probe::Usable("accepts api_key".to_owned());
        };
        let both = self.http.get(self.validate_keys.clone()).header(API_KEY, self.api_key.clone());
        match ask(both.header(APPLICATION_KEY, application_key.clone()), credentials).await {
            Ok(answer) if answer.refuses_credentials() => Probe::Unusable(format!(
                "accepts api_key, but not application_key ({}), which deletions and marks need: put a valid application \
                 key of the same organization where this entry says",
                answer.in_words()
            )),
            Ok(answer) if answer.is_success() => Probe::Usable(
                "accepts api_key and application_key. Only the first deletion or mark shows whether the key has the \
                 permission dora_metrics_write"
                    .to_owned(),
            ),
            Ok(answer) => Probe::Doubtful(format!(
                "accepts api_key, but answers GET {} with {}, so application_key was not tested",
                self.validate_keys.path(),
                answer.in_words()
            )),
            Err(probe) => probe,
        }
    }

    /// Asks for a list, with both keys.
    pub(super) async fn ask_for_list(
        &self,
        url: &reqwest::Url,
        body: Vec<u8>,
    ) -> Result<reqwest::Response, reqwest::Error> {
        let request = self.http.post(url.clone()).header(CONTENT_TYPE, "application/json").body(body);
        self.both_keys(request).send().await
    }

    /// Sends both keys. A 401 or 403 does not say which one is refused, so it holds up only requests that need the
    /// application key.
    async fn with_both_keys(&self, request: reqwest::RequestBuilder, now: Timestamp) -> Reply {
        answer::reply(self.both_keys(request).send().await, now).await
    }

    fn both_keys(&self, request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
        let request = request.header(API_KEY, self.api_key.clone());
        match &self.application_key {
            Some(key) => request.header(APPLICATION_KEY, key.clone()),
            None => request,
        }
    }
}

/// Datadog's statement about the API key. `None` if the answer says something else.
fn is_key_valid(answer: &ProbeAnswer) -> Option<bool> {
    #[derive(Deserialize)]
    struct Validation {
        valid: bool,
    }
    if answer.refuses_credentials() {
        return Some(false);
    }
    let validation: Option<Validation> = serde_json::from_str(&answer.text).ok();
    validation.filter(|_| answer.is_success()).map(|validation| validation.valid)
}

/// URL of one record. The letters of an id need no escaping.
fn record_url(url: &reqwest::Url, id: &str) -> reqwest::Url {
    let mut url = url.clone();
    url.set_path(&format!("{}/{id}", url.path()));
    url
}

/// Envelope of every request body.
#[derive(Serialize)]
pub(super) struct RequestBody<A> {
    pub(super) data: RequestData<A>,
}

#[derive(Serialize)]
pub(super) struct RequestData<A> {
    pub(super) attributes: A,
}

/// Full commit and its repository, both or neither. Datadog: `^[a-fA-F0-9]{40,}$`.
#[derive(Serialize)]
pub(super) struct Git<'a> {
    repository_url: String,
    commit_sha: &'a str,
}

impl<'a> Git<'a> {
    pub(super) fn of(repository_url: Option<&'a String>, commit_sha: Option<&'a String>) -> Option<Self> {
        let is_full = |sha: &&String| sha.len() >= 40 && sha.bytes().all(|byte| byte.is_ascii_hexdigit());
        let (repository_url, commit_sha) = repository_url.zip(commit_sha.filter(is_full))?;
        Some(Self { repository_url: shown(repository_url), commit_sha })
    }
}

/// The tag, cut to Datadog's limit. Two tags still differ when they are cut.
pub(super) fn tag(tag: &str) -> String {
    unique_within(tag, LONGEST_TAG_CHARS)
}

/// Value of a tag with this key, cut to Datadog's limit.
pub(super) fn tag_value(key: &str, value: &str) -> String {
    unique_within(value, LONGEST_TAG_CHARS - key.len() - ":".len())
}

/// The tags that Datadog accepts: with a key, cut to its limit, each once, and at most [`MOST_TAGS`].
pub(super) fn accepted_tags(tags: impl Iterator<Item = String>) -> Vec<String> {
    let mut kept: Vec<String> = Vec::new();
    for whole in tags {
        let tag = tag(&whole);
        if kept.len() < MOST_TAGS && tag.contains(':') && !kept.contains(&tag) {
            kept.push(tag);
        }
    }
    kept
}
