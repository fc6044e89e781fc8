//! Fakes of the APIs that deployments are read from, for tests that are the same for all of them.

use std::net::SocketAddr;
use std::time::Duration;

use fastrand::Rng;
use pagerduty_dora::clock::Clock as _;
use pagerduty_dora::domain::timestamp::Timestamp;
use serde_json::Value;

use crate::deployment_webhooks::{GITHUB_SECRET, GITLAB_SECRET, github_headers, gitlab_headers, post};
use crate::fake_github::{self, FakeGitHub, Fault, Faults};
use crate::fake_gitlab::{self, FakeGitLab};
use crate::harness::{Daemon, eventually, time};
use crate::reconcile_daemon::metric;

/// A fake with the repositories `Acme/shop` and `acme/cart`.
pub(super) trait FakeApi: Sized {
    /// Name of the source in metrics, paths and addresses.
    const SOURCE: &'static str;

    /// A fake without deployments.
    async fn start() -> Self;
    fn address(&self) -> SocketAddr;
    fn section(&self) -> String;
    fn page(&self, repository: &str) -> String;
    /// The webhooks of all statuses that one is sent for.
    fn webhooks(&self) -> Vec<String>;
    fn headers(body: &str) -> Vec<(&'static str, String)>;
    /// Adds deployments of a day: some fail, wait or are repeated. Pages are short.
    fn add_random(&self, rng: &mut Rng);
    /// Adds two deployments of different repositories that began in this minute. One succeeds.
    fn add_two(&self, first_id: u64, begin: u64);
    fn set_now(&self, now: Timestamp);
    fn change_faults(&self, change: impl FnOnce(&mut Faults));
    /// Number of requests.
    fn requests(&self) -> usize;

    /// A fake that refuses everything until [`Self::allow`].
    async fn refusing() -> Self {
        let fake = Self::start().await;
        fake.change_faults(|faults| faults.all = Some(Fault::status(401)));
        fake
    }

    fn allow(&self) {
        self.change_faults(|faults| *faults = Faults::default());
    }

    /// Configuration of a daemon that reads both repositories.
    fn configuration(&self) -> String {
        let services = ["shop", "cart"].map(|name| {
            let page = self.page(&format!("acme/{name}"));
            format!(
                "[[service]]\npagerduty = \"P{name}\"\nservices = [\"{name}\"]\nrepository_url = \"{page}\"\n"
            )
        });
        self.section() + &services.concat()
    }

    /// Sends a webhook. Returns the `status` of the answer.
    async fn tell(daemon: &Daemon, body: &str) -> String {
        let url = format!("http://{}/webhooks/{}", daemon.public, Self::SOURCE);
        let answer = post(url, &Self::headers(body), body).await;
        answer.json()["status"].as_str().unwrap_or_else(|| panic!("{answer:?}")).to_owned()
    }

    /// Value of a metric of this source.
    async fn metric(daemon: &Daemon, name: &str) -> f64 {
        metric(daemon, &format!("pagerduty_dora_{name}{{source=\"{}\"}}", Self::SOURCE)).await
    }

    /// Time of the last look that succeeded.
    #[expect(clippy::cast_possible_truncation, reason = "whole seconds")]
    async fn last_look(daemon: &Daemon) -> i64 {
        Self::metric(daemon, "deployments_read_timestamp_seconds").await as i64
    }

    async fn failed_looks(daemon: &Daemon) -> f64 {
        Self::metric(daemon, "deployment_reading_failures_total").await
    }

    /// Lets time pass until a look has succeeded that began after this call.
    async fn next_look(daemon: &Daemon) {
        let begin = daemon.clock.now().as_seconds();
        eventually("the next look", async || {
            daemon.clock.advance(Duration::from_secs(30));
            (Self::last_look(daemon).await > begin).then_some(())
        })
        .await;
    }
}

/// A time of the day before the daemon's clock begins.
pub(super) fn at(minute: u64) -> Timestamp {
    time("2026-11-19T02:00:00Z").saturating_add(Duration::from_mins(minute))
}

/// All deployments as the API lists them, those that count and those that do not. Those that wait for a day to be over are
/// not marked, because that depends on the clock.
pub(super) async fn listed(daemon: &Daemon) -> Vec<Value> {
    daemon.until_folded().await;
    let mut all = Vec::new();
    for ignored in ["false", "true"] {
        let page = daemon.get(&format!("/api/v1/deployments?limit=1000&ignored={ignored}")).await.json();
        all.extend(page["deployments"].as_array().unwrap().clone());
    }
    for deployment in &mut all {
        deployment["pending"] = Value::Null;
    }
    all.sort_by_key(|deployment| deployment["id"].to_string());
    all
}

/// A GitHub deployment with these states, a minute apart.
pub(super) fn on_github(
    id: u64,
    repository: &str,
    begin: u64,
    states: &[&'static str],
) -> fake_github::FakeDeployment {
    let statuses = states.iter().zip(0..).map(|(state, n)| (id * 100 + n, *state, at(begin + 1 + n)));
    fake_github::FakeDeployment {
        id,
        repository: repository.to_owned(),
        environment: "production".to_owned(),
        sha: format!("{id:040x}"),
        created_at: at(begin),
        statuses: statuses.collect(),
    }
}

/// A GitLab deployment with these statuses, a minute apart.
pub(super) fn on_gitlab(
    id: u64,
    project: &str,
    begin: u64,
    statuses: &[&'static str],
) -> fake_gitlab::FakeDeployment {
    let statuses = statuses.iter().zip(0..).map(|(status, n)| (*status, at(begin + 1 + n)));
    fake_gitlab::FakeDeployment {
        id,
        project: project.to_owned(),
        environment: "production",
        has_job: true,
        statuses: statuses.collect(),
    }
}

impl FakeApi for FakeGitHub {
    const SOURCE: &'static str = "github";

    async fn start() -> Self {
        let github = Self::start().await;
        github.world().repositories = vec!["Acme/shop".to_owned(), "acme/cart".to_owned()];
        github
    }

    fn address(&self) -> SocketAddr {
        self.address
    }

    fn section(&self) -> String {
        self.section()
    }

    fn page(&self, repository: &str) -> String {
        self.page(repository)
    }

    fn webhooks(&self) -> Vec<String> {
        self.webhooks()
    }

    fn headers(body: &str) -> Vec<(&'static str, String)> {
        github_headers(GITHUB_SECRET, body.as_bytes())
    }

    fn add_random(&self, rng: &mut Rng) {
        let mut world = self.world();
        for id in 1..=rng.u64(4..14) {
            let states: &[&'static str] = match rng.u8(..7) {
                0 => &["queued", "in_progress", "failure"],
                1 => &["waiting", "queued", "in_progress", "success", "inactive"],
                2 => &["success"],
                3 => &["in_progress", "success", "in_progress", "success"],
                4 => &["waiting"],
                5 => &["pending", "in_progress", "error"],
                _ => &["queued", "in_progress", "success"],
            };
            let name = if rng.bool() { "Acme/shop" } else { "acme/cart" };
            let mut one = on_github(id, name, rng.u64(..1_290), states);
            // Several states share a second.
            if rng.u8(..3) == 0 {
                let first = one.statuses[0].2;
                one.statuses.iter_mut().for_each(|status| status.2 = first);
            }
            if rng.u8(..3) == 0 {
                ["staging", "Production"][rng.usize(..2)].clone_into(&mut one.environment);
            }
            world.deployments.push(one);
        }
        world.most_per_page = rng.usize(1..5);
    }

    fn add_two(&self, first_id: u64, begin: u64) {
        self.world().deployments.extend([
            on_github(first_id, "Acme/shop", begin, &["queued", "in_progress", "success"]),
            on_github(first_id + 1, "acme/cart", begin + 10, &["in_progress", "failure"]),
        ]);
    }

    fn set_now(&self, now: Timestamp) {
        self.world().now = Some(now);
    }

    fn change_faults(&self, change: impl FnOnce(&mut Faults)) {
        change(&mut self.world().faults);
    }

    fn requests(&self) -> usize {
        self.world().requests.len()
    }
}

impl FakeApi for FakeGitLab {
    const SOURCE: &'static str = "gitlab";

    async fn start() -> Self {
        let gitlab = Self::start().await;
        gitlab.world().projects = vec!["Acme/shop".to_owned(), "acme/cart".to_owned()];
        gitlab
    }

    fn address(&self) -> SocketAddr {
        self.address
    }

    fn section(&self) -> String {
        self.section()
    }

    fn page(&self, repository: &str) -> String {
        self.page(repository)
    }

    fn webhooks(&self) -> Vec<String> {
        self.webhooks()
    }

    fn headers(body: &str) -> Vec<(&'static str, String)> {
        gitlab_headers(GITLAB_SECRET, body.as_bytes())
    }

    fn add_random(&self, rng: &mut Rng) {
        let mut world = self.world();
        for id in 1..=rng.u64(4..14) {
            let (statuses, has_job): (&[&'static str], bool) = match rng.u8(..10) {
                0 => (&["running", "failed"], true),
                1 => (&["blocked", "running", "success"], true),
                2 => (&["success"], false),
                3 => (&["blocked"], true),
                4 => (&["created"], true),
                5 => (&["created", "skipped"], true),
                6 => (&["canceled"], true),
                7 => (&["running"], true),
                _ => (&["created", "running", "success"], true),
            };
            let name = if rng.bool() { "Acme/shop" } else { "acme/cart" };
            let mut one = on_gitlab(id, name, rng.u64(..1_290), statuses);
            one.has_job = has_job;
            // Several statuses share a second.
            if rng.u8(..3) == 0 {
                let first = one.statuses[0].1;
                one.statuses.iter_mut().for_each(|status| status.1 = first);
            }
            if rng.bool() {
                one.environment = ["live-eu", "staging", "review/feature"][rng.usize(..3)];
            }
            world.deployments.push(one);
        }
        world.most_per_page = rng.usize(1..5);
    }

    fn add_two(&self, first_id: u64, begin: u64) {
        self.world().deployments.extend([
            on_gitlab(first_id, "Acme/shop", begin, &["running", "success"]),
            on_gitlab(first_id + 1, "acme/cart", begin + 10, &["running", "failed"]),
        ]);
    }

    fn set_now(&self, now: Timestamp) {
        self.world().now = Some(now);
    }

    fn change_faults(&self, change: impl FnOnce(&mut Faults)) {
        change(&mut self.world().faults);
    }

    fn requests(&self) -> usize {
        self.world().requests.len()
    }
}
