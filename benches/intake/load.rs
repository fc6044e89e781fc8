//! Load of the benchmark: signed webhooks, no two alike, prepared before the clock runs.

use std::fmt::Write;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use pagerduty_dora::sources::{github, pagerduty};
use secrecy::SecretString;

/// Signing secret of the bodies.
pub(crate) const SECRET: &str = "a-signing-secret-for-the-benchmark";

/// The two sizes of body: usual, and with many assignees.
pub(crate) const BODY_BYTES: [usize; 2] = [1_700, 3_700];
/// Size of a webhook of GitHub about a deployment.
const DEPLOYMENT_BYTES: usize = 12_000;

/// Events that are sent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Load {
    /// `incident.triggered`, each of an incident of its own.
    Triggered,
    /// All events of an incident: triggered, acknowledged, resolved.
    Lives,
    /// `deployment_status` of GitHub: the start and the success of each deployment.
    Deployments,
}

impl Load {
    /// Argument that chooses the load.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Triggered => "triggered",
            Self::Lives => "lives",
            Self::Deployments => "deployments",
        }
    }

    /// Heading of the load.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Triggered => "incident.triggered of distinct incidents, no backend",
            Self::Lives => "whole lives (triggered, acknowledged, resolved), one backend",
            Self::Deployments => "deployments of GitHub (in progress, success), no backend",
        }
    }

    const fn events(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Triggered => &[("triggered", "triggered")],
            Self::Lives => {
                &[("triggered", "triggered"), ("acknowledged", "acknowledged"), ("resolved", "resolved")]
            }
            Self::Deployments => &[("deployment_status", "in_progress"), ("deployment_status", "success")],
        }
    }
}

/// Serial number of the next event. Event ids grow with it, as PagerDuty's ids do.
static SERIAL: LazyLock<AtomicU64> = LazyLock::new(|| {
    // From the clock, because a store that is kept has the ids of earlier runs.
    let since_epoch = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
    AtomicU64::new(u64::try_from(since_epoch.as_micros()).unwrap_or_default())
});

/// Whole HTTP requests, ready to be written: `count` in all, in a list for each connection. The connections take
/// turns, so that ids grow over all of them.
pub(crate) fn requests(load: Load, connections: usize, count: usize) -> Vec<Vec<Vec<u8>>> {
    let secret = SecretString::from(SECRET);
    let events = load.events();
    let lives = count / connections / events.len();
    let mut requests = vec![Vec::with_capacity(lives * events.len()); connections];
    let mut incidents = vec![String::new(); connections];
    for turn in 0..lives * events.len() {
        let (event_type, status) = events[turn % events.len()];
        for (requests, incident) in requests.iter_mut().zip(&mut incidents) {
            if turn % events.len() == 0 {
                *incident = if load == Load::Deployments { deployment_id() } else { incident_id() };
            }
            requests.push(if load == Load::Deployments {
                deployment_request(&secret, &deployment_body(incident, status))
            } else {
                let size = BODY_BYTES[turn % BODY_BYTES.len()];
                request(&secret, &body(incident, event_type, status, size))
            });
        }
    }
    requests
}

fn request(secret: &SecretString, body: &[u8]) -> Vec<u8> {
    let signature = pagerduty::signature::sign(secret, body);
    let head = format!(
        "POST /webhooks/pagerduty HTTP/1.1\r\nhost: 127.0.0.1\r\nuser-agent: PagerDuty-Webhook/V3.0\r\n\
         content-type: application/json\r\naccept: application/json\r\nx-webhook-subscription: PSUBSCR\r\n\
         x-webhook-id: {:032x}\r\nx-pagerduty-signature: {signature}\r\ncontent-length: {}\r\n\r\n",
        fastrand::u128(..),
        body.len()
    );
    let mut request = head.into_bytes();
    request.extend_from_slice(body);
    request
}

fn deployment_request(secret: &SecretString, body: &[u8]) -> Vec<u8> {
    let signature = github::signature::sign(secret, body);
    let head = format!(
        "POST /webhooks/github HTTP/1.1\r\nhost: 127.0.0.1\r\nuser-agent: GitHub-Hookshot/0000000\r\n\
         content-type: application/json\r\naccept: */*\r\nx-github-event: deployment_status\r\n\
         x-github-delivery: {:032x}\r\nx-hub-signature-256: {signature}\r\ncontent-length: {}\r\n\r\n",
        fastrand::u128(..),
        body.len()
    );
    let mut request = head.into_bytes();
    request.extend_from_slice(body);
    request
}

/// The next id of a deployment. GitHub's ids grow.
fn deployment_id() -> String {
    SERIAL.fetch_add(2, Ordering::Relaxed).to_string()
}

fn deployment_body(id: &str, state: &str) -> Vec<u8> {
    let serial: u64 = id.parse().unwrap_or_default();
    let is_success = state == "success";
    let second = serial / 1_000 + if is_success { 60 } else { 0 };
    let time = time_of(second);
    // The parts of a webhook that the program skips: links of the repository and of the people.
    let skipped = "x".repeat(DEPLOYMENT_BYTES - 1_000);
    format!(
        r#"{{"action":"created","deployment_status":{{"id":{status_id},"state":"{state}","environment":"production","created_at":"{time}Z","updated_at":"{time}Z"}},"deployment":{{"id":{id},"sha":"{serial:040x}","ref":"main","task":"deploy","payload":{{}},"environment":"production","creator":{{"login":"github-actions[bot]"}},"created_at":"{created}Z","transient_environment":false,"production_environment":true}},"check_run":{{"id":88,"name":"deploy"}},"workflow":{{"name":"Release","path":".github/workflows/release.yml"}},"workflow_run":{{"id":77,"event":"push","head_branch":"main"}},"repository":{{"id":501,"name":"service-{service}","full_name":"acme/service-{service}","html_url":"https://github.com/acme/service-{service}"}},"sender":{{"url":"{skipped}"}}}}"#,
        status_id = serial + u64::from(is_success),
        created = time_of(serial / 1_000 - 60),
        service = serial % 200,
    )
    .into_bytes()
}

/// A random incident id: PagerDuty's ids have no known order.
fn incident_id() -> String {
    let letter = |_| char::from(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"[fastrand::usize(..36)]);
    std::iter::once('Q').chain((0..13).map(letter)).collect()
}

fn body(incident: &str, event_type: &str, status: &str, size: usize) -> Vec<u8> {
    let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
    // A millisecond for every event, so that times grow with ids.
    let (time, milli) = (time_of(serial / 1_000), serial % 1_000);
    let mut text = format!(
        r#"{{"event":{{"id":"01KB{serial:022}","event_type":"incident.{event_type}","resource_type":"incident","occurred_at":"{time}.{milli:03}Z","agent":{user},"client":null,"data":{{"id":"{incident}","type":"incident","self":"https://api.pagerduty.com/incidents/{incident}","html_url":"https://acme.pagerduty.com/incidents/{incident}","number":{serial},"status":"{status}","incident_key":null,"created_at":"{time}Z","title":"checkout: error rate above 5 % ({serial})","service":{service},"escalation_policy":{policy},"teams":[{team}],"priority":{priority},"urgency":"high","conference_bridge":null,"resolve_reason":null,"reopened_at":null,"incident_type":{{"name":"incident_default"}},"assignees":["#,
        user = reference("user", "users", "PUSER01", "A. Engineer"),
        service = reference("service", "services", "PSVC001", "Checkout API"),
        policy = reference("escalation_policy", "escalation_policies", "PESC001", "Default"),
        team = reference("team", "teams", "PTEAM01", "Payments"),
        priority = reference("priority", "priorities", "PPRIO01", "P1"),
    );
    let assignee = reference("user", "users", "PUSER01", "A. Engineer");
    let _ = write!(text, "{assignee}");
    while text.len() + assignee.len() + 4 < size {
        let _ = write!(text, ",{assignee}");
    }
    text.push_str("]}}}");
    // White space after the last brace is valid JSON, and fills the body up to its size.
    while text.len() < size {
        text.push(' ');
    }
    text.into_bytes()
}

/// A time of November 2026.
fn time_of(second: u64) -> String {
    let (day, hour, minute) = (second / 86_400 % 28 + 1, second / 3_600 % 24, second / 60 % 60);
    format!("2026-11-{day:02}T{hour:02}:{minute:02}:{:02}", second % 60)
}

fn reference(kind: &str, path: &str, id: &str, name: &str) -> String {
    format!(
        r#"{{"html_url":"https://acme.pagerduty.com/{path}/{id}","id":"{id}","self":"https://api.pagerduty.com/{path}/{id}","summary":"{name}","type":"{kind}_reference"}}"#
    )
}
