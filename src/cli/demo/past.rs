//! Deployments and failures of the twelve weeks before the day of the demo, so that the dashboard shows a trend. A
//! made-up tool sends them to the event API.

use std::time::Duration;

use serde_json::{Value, json};

use crate::domain::timestamp::{Timestamp, TimestampError};

/// Monday of the first week.
const BEGINS: &str = "2026-08-10T00:00:00Z";
const WEEK: Duration = Duration::from_hours(7 * 24);
/// Hour of the first deployment of a week, on Monday. The next service deploys an hour later, and each service once a
/// day.
const FIRST_HOUR: u64 = 9;
/// Time from the end of a deployment to the start of its failure.
const TIME_TO_FAILURE: Duration = Duration::from_mins(11);
/// Time from the start of the remediation to the end of the failure.
const REMEDIATION: Duration = Duration::from_mins(15);

/// A service: its name, its team, the pattern of its versions, the number of the first version, and the minutes that
/// a deployment takes.
struct DemoService(&'static str, &'static str, &'static str, usize, u64);

const SERVICES: [DemoService; 3] = [
    DemoService("checkout", "payments", "1.{}.0", 3, 7),
    DemoService("search", "storefront", "{}", 177, 12),
    DemoService("mail", "platform", "3.7.{}", 1, 4),
];

/// A failure: the index of its service, the index of the service's deployment in the week that caused it, its length in
/// minutes, its name, and `true` if another deployment fixed it.
struct PastFailure(usize, u64, u64, &'static str, bool);

/// For each week: the number of deployments of each service, and the failures.
const WEEKS: [([u64; SERVICES.len()], &[PastFailure]); 12] = [
    (
        [2, 1, 1],
        &[
            PastFailure(0, 0, 184, "checkout: 5xx after a release", true),
            PastFailure(1, 0, 95, "search: stale results", false),
            PastFailure(0, 1, 130, "checkout: prices without VAT", false),
        ],
    ),
    (
        [2, 2, 0],
        &[
            PastFailure(1, 0, 240, "search: out of memory", true),
            PastFailure(0, 0, 75, "checkout: basket is slow", false),
        ],
    ),
    (
        [2, 2, 1],
        &[
            PastFailure(0, 0, 151, "checkout: sessions lost", true),
            PastFailure(2, 0, 66, "mail: bounces", false),
            PastFailure(1, 1, 90, "search: no results for umlauts", false),
        ],
    ),
    (
        [3, 2, 0],
        &[
            PastFailure(0, 1, 97, "checkout: vouchers refused", false),
            PastFailure(1, 0, 60, "search: 502 from shard 2", true),
        ],
    ),
    ([1, 2, 1], &[PastFailure(1, 0, 128, "search: no suggestions", false)]),
    (
        [3, 2, 1],
        &[
            PastFailure(0, 0, 74, "checkout: wrong currency", true),
            PastFailure(1, 1, 52, "search: wrong language", false),
        ],
    ),
    // In a week without deployments and failures the figures are empty, not zero.
    ([0, 0, 0], &[]),
    (
        [3, 3, 1],
        &[
            PastFailure(0, 2, 88, "checkout: charged twice", true),
            PastFailure(1, 0, 47, "search: index 20 min behind", false),
        ],
    ),
    ([4, 3, 0], &[PastFailure(1, 1, 41, "search: p99 above 2 s", false)]),
    ([4, 3, 1], &[]),
    ([4, 4, 1], &[PastFailure(0, 1, 36, "checkout: error rate above 5 %", true)]),
    ([5, 4, 1], &[PastFailure(1, 3, 27, "search: shard 1 is down", false)]),
];

/// Request to the event API: the end of the path, and the attributes.
pub(super) type EventsApiRequest = (&'static str, Value);

/// All requests, week by week.
pub(super) fn past() -> Result<Vec<EventsApiRequest>, TimestampError> {
    let mut requests = Vec::new();
    let mut deployed = [0; SERVICES.len()];
    let mut monday = Timestamp::parse(BEGINS)?;
    for (times, failures) in WEEKS {
        let mut deployments: Vec<(Timestamp, usize)> = (0..SERVICES.len())
            .flat_map(|service| (0..times[service]).map(move |n| (start(monday, service, n), service)))
            .collect();
        for &PastFailure(service, n, minutes, name, is_fixed) in failures {
            let started_at = end(start(monday, service, n), service).saturating_add(TIME_TO_FAILURE);
            let finished_at = started_at.saturating_add(Duration::from_mins(minutes));
            requests.push(failure(service, name, started_at, finished_at));
            deployments.extend(is_fixed.then(|| (finished_at.saturating_sub(REMEDIATION), service)));
        }
        deployments.sort_unstable();
        for (started_at, service) in deployments {
            requests.push(deployment(service, deployed[service], started_at));
            deployed[service] += 1;
        }
        monday = monday.saturating_add(WEEK);
    }
    Ok(requests)
}

fn start(monday: Timestamp, service: usize, n: u64) -> Timestamp {
    let hours = FIRST_HOUR + 24 * n + service as u64;
    monday.saturating_add(Duration::from_hours(hours))
}

fn end(started_at: Timestamp, service: usize) -> Timestamp {
    started_at.saturating_add(Duration::from_mins(SERVICES[service].4))
}

fn deployment(service: usize, n: usize, started_at: Timestamp) -> EventsApiRequest {
    let DemoService(name, team, version, first, _) = SERVICES[service];
    let version = version.replace("{}", &(first + n).to_string());
    let (started, finished) = (started_at.to_string(), end(started_at, service).to_string());
    let attributes = json!({
        "service": name, "team": team, "version": version, "started_at": started, "finished_at": finished,
    });
    ("deployment", attributes)
}

fn failure(service: usize, name: &str, started_at: Timestamp, finished_at: Timestamp) -> EventsApiRequest {
    let DemoService(service, team, ..) = SERVICES[service];
    let (started, finished) = (started_at.to_string(), finished_at.to_string());
    let attributes = json!({
        "services": [service], "team": team, "name": name, "severity": "SEV-2",
        "started_at": started, "finished_at": finished,
    });
    ("failure", attributes)
}
