//! Load of the benchmark: signed webhooks, no two alike, prepared before the clock runs.

use std::fmt::Write;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use pagerduty_dora::sources::pagerduty::signature::sign;
use secrecy::SecretString;

/// Signing secret of the bodies.
pub(crate) const SECRET: &str = "a-signing-secret-for-the-benchmark";

/// The two sizes of body: usual, and with many assignees.
pub(crate) const BODY_BYTES: [usize; 2] = [1_700, 3_700];

/// Events that are sent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Load {
    /// `incident.triggered`, each of an incident of its own.
    Triggered,
    /// All events of an incident: triggered, acknowledged, resolved.
    Lives,
}

impl Load {
    /// Argument that chooses the load.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Triggered => "triggered",
            Self::Lives => "lives",
        }
    }

    /// Heading of the load.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Triggered => "incident.triggered of distinct incidents, no backend",
            Self::Lives => "whole lives (triggered, acknowledged, resolved), one backend",
        }
    }

    const fn events(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Triggered => &[("triggered", "triggered")],
            Self::Lives => {
                &[("triggered", "triggered"), ("acknowledged", "acknowledged"), ("resolved", "resolved")]
            }
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
                *incident = incident_id();
            }
            let size = BODY_BYTES[turn % BODY_BYTES.len()];
            requests.push(request(&secret, &body(incident, event_type, status, size)));
        }
    }
    requests
}

fn request(secret: &SecretString, body: &[u8]) -> Vec<u8> {
    let signature = sign(secret, body);
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

/// A random incident id: PagerDuty's ids have no known order.
fn incident_id() -> String {
    let letter = |_| char::from(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"[fastrand::usize(..36)]);
    std::iter::once('Q').chain((0..13).map(letter)).collect()
}

fn body(incident: &str, event_type: &str, status: &str, size: usize) -> Vec<u8> {
    let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
    // A millisecond for every event, so that times grow with ids.
    let (second, milli) = (serial / 1_000, serial % 1_000);
    let (day, hour, minute) = (second / 86_400 % 28 + 1, second / 3_600 % 24, second / 60 % 60);
    let time = format!("2026-11-{day:02}T{hour:02}:{minute:02}:{:02}", second % 60);
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

fn reference(kind: &str, path: &str, id: &str, name: &str) -> String {
    format!(
        r#"{{"html_url":"https://acme.pagerduty.com/{path}/{id}","id":"{id}","self":"https://api.pagerduty.com/{path}/{id}","summary":"{name}","type":"{kind}_reference"}}"#
    )
}
