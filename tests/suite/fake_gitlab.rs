//! A fake of GitLab: deployments with their statuses, as its REST API and its webhooks tell of them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, Response, Uri};
use pagerduty_dora::domain::timestamp::Timestamp;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::fake_github::{Faults, page, query_of};
use crate::harness::time;

/// Token that the API accepts.
pub(crate) const TOKEN: &str = "canary-token-of-gitlab-api";

/// A deployment of a project.
#[derive(Debug, Clone)]
pub(crate) struct FakeDeployment {
    pub(crate) id: u64,
    pub(crate) project: String,
    pub(crate) environment: &'static str,
    /// `false`: it was made through the API, and has no job.
    pub(crate) has_job: bool,
    /// Each status with its time, oldest first.
    pub(crate) statuses: Vec<(&'static str, Timestamp)>,
}

impl FakeDeployment {
    fn status(&self) -> &'static str {
        self.statuses.last().unwrap().0
    }

    fn updated_at(&self) -> Timestamp {
        self.statuses.last().unwrap().1
    }

    fn at(&self, wanted: &[&str]) -> Option<Timestamp> {
        self.statuses.iter().find(|(status, _)| wanted.contains(status)).map(|(_, at)| *at)
    }
}

/// Environments with their tiers. The number of one is its place.
const TIERS: [(&str, &str); 4] = [
    ("production", "production"),
    ("live-eu", "production"),
    ("staging", "staging"),
    ("review/feature", "development"),
];

/// What GitLab has, and what it has been asked.
#[derive(Debug, Default)]
pub(crate) struct World {
    pub(crate) deployments: Vec<FakeDeployment>,
    /// Paths of projects that exist. Others are answered 404.
    pub(crate) projects: Vec<String>,
    /// Greatest length of a page; 0: what is asked for.
    pub(crate) most_per_page: usize,
    pub(crate) faults: Faults,
    pub(crate) requests: Vec<String>,
    pub(crate) now: Option<Timestamp>,
    /// Description of the token. `None`: an old GitLab that has none.
    pub(crate) token: Option<Value>,
}

/// A running GitLab, below the path `/git`.
pub(crate) struct FakeGitLab {
    pub(crate) address: SocketAddr,
    world: Arc<Mutex<World>>,
}

impl FakeGitLab {
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

    /// Address of the GitLab.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/git", self.address)
    }

    /// The section of a daemon that receives webhooks and reads the API.
    pub(crate) fn section(&self) -> String {
        let secret = crate::deployment_webhooks::GITLAB_SECRET;
        format!(
            "[gitlab]\nsigning_secrets = [{{ value = \"{secret}\" }}]\nurl = \"{}\"\ntoken = {{ value = \"{TOKEN}\" }}\n",
            self.url()
        )
    }

    /// Address of a project's page.
    pub(crate) fn page(&self, project: &str) -> String {
        format!("{}/{project}", self.url())
    }

    /// The webhook of each status that GitLab sends one for.
    pub(crate) fn webhooks(&self) -> Vec<String> {
        let world = self.world();
        let of = |deployment: &FakeDeployment| {
            let sent =
                deployment.statuses.iter().filter(|(status, _)| !["created", "skipped"].contains(status));
            sent.map(|status| self.webhook(deployment, *status).to_string()).collect::<Vec<_>>()
        };
        world.deployments.iter().flat_map(of).collect()
    }

    /// The webhook of a status. It has the time in the zone of the server.
    pub(crate) fn webhook(&self, deployment: &FakeDeployment, (status, at): (&str, Timestamp)) -> Value {
        let page = self.page(&deployment.project);
        let local = at.saturating_add(Duration::from_hours(1)).to_string();
        let local = local.replace('T', " ").replace('Z', " +0100");
        json!({
            "object_kind": "deployment", "status": status, "status_changed_at": local,
            "deployment_id": deployment.id, "deployable_id": 7, "environment": deployment.environment,
            "environment_tier": TIERS.iter().find(|(name, _)| *name == deployment.environment).unwrap().1,
            "project": project_json(&deployment.project, self.address), "short_sha": &sha(deployment)[..8],
            "user": { "id": 1, "name": "Ada", "username": user(deployment) },
            "commit_url": format!("{page}/-/commit/{}", sha(deployment)), "commit_title": "Charge once",
        })
    }
}

fn sha(deployment: &FakeDeployment) -> String {
    format!("{:040x}", deployment.id)
}

/// Who started the job, if there is one: not who created the deployment.
fn user(deployment: &FakeDeployment) -> &'static str {
    if deployment.has_job { "ada" } else { "creator" }
}

fn project_json(project: &str, address: SocketAddr) -> Value {
    json!({ "id": 30, "path_with_namespace": project, "web_url": format!("http://{address}/git/{project}") })
}

/// The deployment as the API tells it: with fractions of seconds, and without the tier.
fn deployment_json(deployment: &FakeDeployment) -> Value {
    let precise = |at: Timestamp| at.to_string().replace('Z', ".345Z");
    let place = TIERS.iter().position(|(name, _)| *name == deployment.environment).unwrap();
    let job = deployment.has_job.then(|| {
        json!({
            "id": 796, "name": "deploy", "ref": "main", "user": { "username": "ada" },
            "started_at": deployment.at(&["running"]).map(precise),
            "finished_at": deployment.at(&["success", "failed", "canceled"]).map(precise),
        })
    });
    json!({
        "id": deployment.id, "iid": 3, "ref": "main", "sha": sha(deployment), "status": deployment.status(),
        "created_at": precise(deployment.statuses[0].1), "updated_at": precise(deployment.updated_at()),
        "user": { "username": "creator" }, "environment": { "id": place, "name": deployment.environment },
        "deployable": job,
    })
}

type Shared = (Arc<Mutex<World>>, SocketAddr);

async fn answer(
    State((world, address)): State<Shared>,
    uri: Uri,
    headers: HeaderMap,
) -> Response<axum::body::Body> {
    let mut world = world.lock().unwrap();
    world.requests.push(uri.to_string());
    let (number, now) = (world.requests.len(), world.now);
    if let Some(response) = world.faults.answer(number, &uri, now) {
        return response;
    }
    let response = Faults::response(now);
    if headers.get("private-token").is_none_or(|token| token != TOKEN) {
        return response.status(401).body(r#"{"message": "401 Unauthorized"}"#.into()).unwrap();
    }
    match world.reply(&uri, address) {
        Ok((body, has_next)) => {
            let link = format!("<http://{address}{uri}>; rel=\"next\"");
            let response = if has_next { response.header("link", link) } else { response };
            response.body(body.to_string().into()).unwrap()
        }
        Err((status, message)) => {
            response.status(status).body(json!({ "message": message }).to_string().into()).unwrap()
        }
    }
}

const NOT_FOUND: (u16, &str) = (404, "404 Not Found");

impl World {
    /// Body of the answer, and `true` if there is another page.
    fn reply(&self, uri: &Uri, address: SocketAddr) -> Result<(Value, bool), (u16, &'static str)> {
        let path = uri.path().strip_prefix("/git/api/v4/").ok_or(NOT_FOUND)?;
        let path: Vec<&str> = path.split('/').collect();
        let ["projects", project, rest @ ..] = path.as_slice() else {
            return match path[..] {
                ["personal_access_tokens", "self"] => {
                    self.token.clone().map(|token| (token, false)).ok_or(NOT_FOUND)
                }
                ["version"] => Ok((json!({ "version": "19.1.0" }), false)),
                _ => Err(NOT_FOUND),
            };
        };
        // The whole path is one segment.
        let wanted = project.replace("%2F", "/").to_lowercase();
        let project = self.projects.iter().find(|path| path.to_lowercase() == wanted).ok_or(NOT_FOUND)?;
        let of_project = || self.deployments.iter().filter(|one| one.project == *project);
        Ok(match rest {
            [] => (project_json(project, address), false),
            ["deployments"] => {
                let query = query_of(uri);
                page(uri, self.most_per_page, changed(of_project(), &query)?)
            }
            ["deployments", id] => {
                let one = of_project().find(|one| one.id.to_string() == *id).ok_or(NOT_FOUND)?;
                (deployment_json(one), false)
            }
            ["environments", id] => {
                let (name, tier) = id.parse().ok().and_then(|id: usize| TIERS.get(id)).ok_or(NOT_FOUND)?;
                (json!({ "id": id, "name": name, "tier": tier, "state": "available" }), false)
            }
            _ => return Err(NOT_FOUND),
        })
    }
}

/// The deployments that the query asks for. GitLab takes the filter and the order together only.
fn changed<'a>(
    deployments: impl Iterator<Item = &'a FakeDeployment>,
    query: &BTreeMap<String, String>,
) -> Result<Vec<Value>, (u16, &'static str)> {
    let mut listed: Vec<&FakeDeployment> = deployments.collect();
    match (query.get("updated_after"), query.get("order_by").map(String::as_str)) {
        (Some(since), Some("updated_at")) => {
            let since = time(&since.replace("%3A", ":"));
            listed.retain(|one| one.updated_at() >= since);
        }
        (None, None) => {}
        _ => return Err((400, "`updated_at` filter and `updated_at` sorting must be paired")),
    }
    listed.sort_by_key(|one| (one.updated_at(), std::cmp::Reverse(one.id)));
    if query.get("sort").is_some_and(|sort| sort == "desc") {
        listed.reverse();
    }
    Ok(listed.into_iter().map(deployment_json).collect())
}
