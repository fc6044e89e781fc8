//! Datadog's metrics `dora.incidents.count` and `dora.time_to_restore`, for accounts that take no incident events.
//!
//! One sample a completed failure and service, in two requests. A sample cannot be taken back: what is corrected later
//! shows as `cannot_be_corrected`, and nothing is sent. After an unclear answer a sample may count twice.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use reqwest::header::{CONTENT_TYPE, HeaderValue};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::datadog::API_KEY;
use super::text::shown;
use super::{Attempt, Protocol, Reply, Sending, SetupError, answer, client, header};
use crate::config;
use crate::domain::failure::{Evaluated, State, seconds};
use crate::domain::forwarding::{Action, Frozen, Telling};
use crate::domain::retry::Verdict;
use crate::domain::timestamp::Timestamp;

/// Datadog drops points that are older, or farther ahead, than that.
const OLDEST_POINT_SECONDS: i64 = 60 * 60;
const NEWEST_POINT_SECONDS: i64 = 10 * 60;
/// Datadog: `type` of a count in `/api/v2/series`.
const COUNT: u8 = 1;

/// A `[[backend]]` of kind `datadog-metrics`.
pub(super) struct DatadogMetrics {
    series: reqwest::Url,
    distribution_points: reqwest::Url,
    api_key: HeaderValue,
    client: reqwest::Client,
    /// Failures and revisions that are counted, and whose time to restore is still to be told. A restart forgets them.
    counted: Mutex<HashSet<(String, i64)>>,
}

impl DatadogMetrics {
    pub(super) fn from_config(entry: &config::Backend) -> Result<Self, SetupError> {
        let api_key = header("api_key", "", entry.api_key.as_ref())?;
        Ok(Self {
            series: entry.url.join("/api/v2/series"),
            distribution_points: entry.url.join("/api/v1/distribution_points"),
            api_key: api_key.ok_or(SetupError::Missing("api_key"))?,
            client: client(entry.timeout.get())?,
            counted: Mutex::default(),
        })
    }

    async fn post(&self, url: &reqwest::Url, body: &Value, now: Timestamp) -> Reply {
        let request = self.client.post(url.clone()).header(API_KEY, self.api_key.clone());
        let request = request.header(CONTENT_TYPE, "application/json").body(body.to_string());
        answer::reply(request.send().await, now).await
    }

    async fn send_sample(&self, attempt: Attempt) -> Reply {
        let Ok(sample) = serde_json::from_slice::<Sample>(&attempt.frozen.body) else {
            return Reply::nothing_to_send();
        };
        let counted = || self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let which = (attempt.failure, attempt.revision);
        let is_counted = counted().contains(&which);
        if !is_counted {
            let reply = self.post(&self.series, &sample.count(attempt.now), attempt.now).await;
            if reply.verdict != Verdict::Sent {
                return reply;
            }
            counted().insert(which.clone());
        }
        let reply =
            self.post(&self.distribution_points, &sample.time_to_restore(attempt.now), attempt.now).await;
        if matches!(reply.verdict, Verdict::Sent | Verdict::Dead) {
            counted().remove(&which);
        }
        reply
    }
}

impl Protocol for DatadogMetrics {
    fn freeze(&self, evaluated: &Evaluated, Telling { is_correction, .. }: Telling) -> Frozen {
        match Sample::of(evaluated) {
            Some(sample) if !is_correction => {
                Frozen { action: Action::Replace, body: serde_json::to_vec(&sample).unwrap_or_default() }
            }
            _ => Frozen { action: Action::LeaveOpen, body: Vec::new() },
        }
    }

    fn send(&self, attempt: Attempt) -> Sending<'_> {
        match attempt.frozen.action {
            Action::Replace => Box::pin(self.send_sample(attempt)),
            Action::LeaveOpen | Action::Delete => Box::pin(async { Reply::nothing_to_send() }),
        }
    }
}

/// A completed failure, less the time that its points get: that is known when they are sent.
#[derive(Serialize, Deserialize)]
struct Sample {
    finished_at: Timestamp,
    time_to_restore_seconds: f64,
    /// Empty: one point without a service.
    services: Vec<String>,
    /// Those that every point has.
    tags: Vec<String>,
}

impl Sample {
    fn of(Evaluated { failure, details }: &Evaluated) -> Option<Self> {
        let finished_at = details.restored_at.filter(|_| failure.state == State::Completed)?;
        let tag = |key: &str, value: Option<&String>| Some(format!("{key}:{}", shown(value?)));
        let tags = [
            tag("team", failure.team.as_ref()),
            tag("env", Some(&failure.env)),
            tag("severity", failure.severity.as_ref()),
        ];
        Some(Self {
            finished_at,
            time_to_restore_seconds: seconds(finished_at.nanos_since(failure.started_at)),
            services: failure.services.iter().map(|service| shown(service)).collect(),
            tags: tags.into_iter().flatten().chain(details.tags.iter().map(|tag| shown(tag))).collect(),
        })
    }

    /// The Unix time of its points, and the tags of each.
    fn points(&self, now: Timestamp) -> (i64, Vec<Vec<String>>) {
        let (end, now) = (self.finished_at.as_seconds(), now.as_seconds());
        let is_taken = (now - OLDEST_POINT_SECONDS..=now + NEWEST_POINT_SECONDS).contains(&end);
        let late = (!is_taken).then(|| "late:true".to_owned());
        let tags = |service: Option<&String>| {
            let service = service.map(|service| format!("service:{service}"));
            service.into_iter().chain(self.tags.iter().cloned()).chain(late.clone()).collect()
        };
        let of_services = match self.services.as_slice() {
            [] => vec![tags(None)],
            services => services.iter().map(|service| tags(Some(service))).collect(),
        };
        (if is_taken { end } else { now }, of_services)
    }

    fn count(&self, now: Timestamp) -> Value {
        let (timestamp, tags) = self.points(now);
        let series = tags.into_iter().map(|tags| {
            json!({
                "metric": "dora.incidents.count",
                "type": COUNT,
                "interval": 1,
                "points": [{ "timestamp": timestamp, "value": 1 }],
                "tags": tags,
            })
        });
        json!({ "series": series.collect::<Vec<_>>() })
    }

    fn time_to_restore(&self, now: Timestamp) -> Value {
        let (timestamp, tags) = self.points(now);
        let series = tags.into_iter().map(|tags| {
            json!({
                "metric": "dora.time_to_restore",
                "type": "distribution",
                "points": [[timestamp, [self.time_to_restore_seconds]]],
                "tags": tags,
            })
        });
        json!({ "series": series.collect::<Vec<_>>() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::failure::tests::completed;

    fn requests(now: &str) -> String {
        let mut failure = completed();
        failure.failure.services.push("cart".to_owned());
        let sample = Sample::of(&failure).unwrap();
        let now = Timestamp::parse(now).unwrap();
        format!("{:#}\n{:#}", sample.count(now), sample.time_to_restore(now))
    }

    #[test]
    fn a_point_for_each_service_at_the_end() {
        let end = completed().failure.finished_at.unwrap().to_string();
        insta::assert_snapshot!(requests(&end));
    }

    #[test]
    fn what_datadog_would_drop_is_told_as_late() {
        let late = requests("2027-01-01T00:00:00Z");
        assert_eq!(late.matches("late:true").count(), 4, "{late}");
        assert!(late.contains("1798761600"), "{late}");
    }

    #[test]
    fn what_has_not_completed_makes_no_sample() {
        for state in [State::Open, State::Ignored, State::Merged] {
            let mut failure = completed();
            failure.failure.state = state;
            assert!(Sample::of(&failure).is_none());
        }
    }
}
