//! A fake of GitHub: deployments with their statuses, as its REST API and its webhooks tell of them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::response::Builder;
use axum::http::{HeaderMap, HeaderValue, Response, Uri};
use pagerduty_dora::domain::timestamp::Timestamp;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::fake_pagerduty::HalfBody;
use crate::harness::time;

/// Token that the API accepts.
pub(crate) const TOKEN: &str = "canary-token-of-github-api";

/// A deployment of a repository.
#[derive(Debug, Clone)]
pub(crate) struct FakeDeployment {
    pub(crate) id: u64,
    pub(crate) repository: String,
    pub(crate) environment: String,
    pub(crate) sha: String,
    pub(crate) created_at: Timestamp,
    /// Number, state and time of each status, oldest first.
    pub(crate) statuses: Vec<(u64, &'static str, Timestamp)>,
}

/// Answer to a request that fails.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fault {
    pub(crate) status: u16,
    pub(crate) headers: &'static [(&'static str, &'static str)],
    pub(crate) body: &'static str,
}

impl Fault {
    /// Half of an answer, after which the connection is closed.
    pub(crate) const CUT: Self = Self { status: 0, headers: &[], body: r#"{"message": "cut"}"# };

    pub(crate) const fn status(status: u16) -> Self {
        Self { status, headers: &[], body: r#"{"message": "scripted"}"# }
    }
}

/// Answers in place of the usual ones.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    /// The answer to all requests.
    pub(crate) all: Option<Fault>,
    /// Answers to the requests with these numbers, from 1 on.
    pub(crate) numbered: BTreeMap<usize, Fault>,
    /// Answers to all requests whose addresses contain a text.
    pub(crate) containing: Vec<(&'static str, Fault)>,
}

impl Faults {
    /// An answer with the time.
    pub(crate) fn response(now: Option<Timestamp>) -> Builder {
        let date = now.map(|now| {
            let since = std::time::Duration::from_nanos(u64::try_from(now.as_nanos()).unwrap());
            httpdate::fmt_http_date(std::time::UNIX_EPOCH + since)
        });
        date.into_iter().fold(Response::builder(), |response, date| response.header("date", date))
    }

    /// The answer to the request with this number, if it fails.
    pub(crate) fn answer(
        &mut self,
        number: usize,
        uri: &Uri,
        now: Option<Timestamp>,
    ) -> Option<Response<Body>> {
        let uri = uri.to_string();
        let containing =
            || self.containing.iter().find(|(text, _)| uri.contains(text)).map(|(_, fault)| *fault);
        let fault = self.all.or_else(containing).or_else(|| self.numbered.remove(&number))?;
        let response = fault
            .headers
            .iter()
            .fold(Self::response(now), |response, (name, value)| response.header(*name, *value));
        if fault.status == Fault::CUT.status {
            let body = Body::new(HalfBody::of(&fault.body.into()));
            return Some(response.header("content-length", fault.body.len()).body(body).unwrap());
        }
        Some(response.status(fault.status).body(fault.body.into()).unwrap())
    }
}

/// What GitHub has, and what it has been asked.
#[derive(Debug, Default)]
pub(crate) struct World {
    pub(crate) deployments: Vec<FakeDeployment>,
    /// Names of repositories that exist. Others are answered 404.
    pub(crate) repositories: Vec<String>,
    /// Greatest length of a page; 0: what is asked for.
    pub(crate) most_per_page: usize,
    pub(crate) faults: Faults,
    pub(crate) requests: Vec<String>,
    pub(crate) now: Option<Timestamp>,
}

/// A running GitHub.
pub(crate) struct FakeGitHub {
    pub(crate) address: SocketAddr,
    world: Arc<Mutex<World>>,
}

impl FakeGitHub {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let now = Some(time("2026-11-20T00:00:00Z"));
        let world = Arc::new(Mutex::new(World { now, ..World::default() }));
        let fake = Self { address, world: Arc::clone(&world) };
        let router = Router::new().fallback(answer).with_state((world, address));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        fake
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    /// The section of a daemon that receives webhooks and reads the API.
    pub(crate) fn section(&self) -> String {
        let secret = crate::deployment_webhooks::GITHUB_SECRET;
        format!(
            "[github]\nsigning_secrets = [{{ value = \"{secret}\" }}]\nurl = \"http://{}/api/v3\"\n\
             token = {{ value = \"{TOKEN}\" }}\n",
            self.address
        )
    }

    /// Address of a repository's page.
    pub(crate) fn page(&self, repository: &str) -> String {
        format!("http://{}/{repository}", self.address)
    }

    /// The webhook of each status that GitHub sends one for.
    pub(crate) fn webhooks(&self) -> Vec<String> {
        let world = self.world();
        let of = |deployment: &FakeDeployment| {
            let sent = deployment.statuses.iter().filter(|(_, state, _)| *state != "inactive");
            sent.map(|status| self.webhook(deployment, *status).to_string()).collect::<Vec<_>>()
        };
        world.deployments.iter().flat_map(of).collect()
    }

    /// The webhook of a status.
    pub(crate) fn webhook(
        &self,
        deployment: &FakeDeployment,
        status: (u64, &'static str, Timestamp),
    ) -> Value {
        json!({
            "action": "created",
            "deployment_status": status_json(status, deployment),
            "deployment": deployment_json(deployment),
            "repository": repository_json(&deployment.repository, self.address),
            "sender": { "login": "deploy-bot" },
        })
    }
}

fn status_json((id, state, at): (u64, &'static str, Timestamp), deployment: &FakeDeployment) -> Value {
    json!({
        "id": id, "state": state, "environment": deployment.environment, "description": "",
        "creator": { "login": "deploy-bot" }, "created_at": at.to_string(), "updated_at": at.to_string(),
    })
}

fn deployment_json(deployment: &FakeDeployment) -> Value {
    let updated_at = deployment.statuses.last().map_or(deployment.created_at, |(_, _, at)| *at);
    json!({
        "id": deployment.id, "sha": deployment.sha, "ref": "main", "task": "deploy", "payload": {},
        "environment": deployment.environment, "original_environment": deployment.environment,
        "creator": { "login": "deploy-bot", "id": 7 }, "created_at": deployment.created_at.to_string(),
        "updated_at": updated_at.to_string(), "transient_environment": false,
        "production_environment": deployment.environment == "production",
    })
}

fn repository_json(repository: &str, address: SocketAddr) -> Value {
    json!({ "id": 5, "full_name": repository, "html_url": format!("http://{address}/{repository}") })
}

type Shared = (Arc<Mutex<World>>, SocketAddr);

async fn answer(State((world, address)): State<Shared>, uri: Uri, headers: HeaderMap) -> Response<Body> {
    let mut world = world.lock().unwrap();
    world.requests.push(uri.to_string());
    let (number, now) = (world.requests.len(), world.now);
    if let Some(response) = world.faults.answer(number, &uri, now) {
        return response;
    }
    let mut response = Faults::response(now);
    let authorization = HeaderValue::from_str(&format!("Bearer {TOKEN}")).unwrap();
    if headers.get("authorization") != Some(&authorization) {
        return response.status(401).body(r#"{"message": "Bad credentials"}"#.into()).unwrap();
    }
    match world.reply(&uri, address) {
        Some((body, has_next)) => {
            if has_next {
                response = response.header("link", format!("<http://{address}{uri}>; rel=\"next\""));
            }
            response.body(body.to_string().into()).unwrap()
        }
        None => response.status(404).body(r#"{"message": "Not Found"}"#.into()).unwrap(),
    }
}

impl World {
    /// Body of the answer, and `true` if there is another page.
    fn reply(&self, uri: &Uri, address: SocketAddr) -> Option<(Value, bool)> {
        let path: Vec<&str> = uri.path().strip_prefix("/api/v3/")?.split('/').collect();
        let ["repos", owner, name, rest @ ..] = path.as_slice() else {
            return (path == ["rate_limit"]).then(|| (json!({ "resources": {} }), false));
        };
        let wanted = format!("{owner}/{name}").to_lowercase();
        let repository = self.repositories.iter().find(|name| name.to_lowercase() == wanted)?;
        let of_repository = || self.deployments.iter().filter(|one| one.repository == *repository);
        let numbered = |id: &str| of_repository().find(|one| one.id.to_string() == id);
        Some(match rest {
            [] => (repository_json(repository, address), false),
            ["deployments"] => {
                let mut listed: Vec<&FakeDeployment> = of_repository().collect();
                listed.sort_by_key(|one| std::cmp::Reverse((one.created_at, one.id)));
                page(uri, self.most_per_page, listed.into_iter().map(deployment_json).collect())
            }
            ["deployments", id] => (deployment_json(numbered(id)?), false),
            ["deployments", id, "statuses"] => {
                let one = numbered(id)?;
                let statuses = one.statuses.iter().rev().map(|status| status_json(*status, one));
                page(uri, self.most_per_page, statuses.collect())
            }
            _ => return None,
        })
    }
}

/// Keys and values of a query, as they are written.
pub(crate) fn query_of(uri: &Uri) -> BTreeMap<String, String> {
    let pairs = uri.query().unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

/// The page of a list that is asked for, and `true` if there is another one. `most`: its greatest length, if not 0.
pub(crate) fn page(uri: &Uri, most: usize, entries: Vec<Value>) -> (Value, bool) {
    let query = query_of(uri);
    let number =
        |key: &str, otherwise: usize| query.get(key).map_or(otherwise, |value| value.parse().unwrap());
    let asked = number("per_page", 20).min(100);
    let length = if most == 0 { asked } else { asked.min(most) };
    let begin = (number("page", 1) - 1) * length;
    let has_next = entries.len() > begin + length;
    (Value::Array(entries.into_iter().skip(begin).take(length).collect()), has_next)
}
