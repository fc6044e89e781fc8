//! Datadog's metrics `dora.incidents.count`, `dora.time_to_restore` and `dora.deployments.count`, for accounts that
//! take no incident events.
//!
//! A completed failure has one sample for each service, in two requests, or in more where one would be too long. A
//! deployment has one sample. A sample cannot be removed: a later correction is shown as `cannot_be_corrected`, and
//! nothing is sent. After an unclear answer a sample may count twice.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::body;
use super::credentials::Credentials;
use super::datadog_client::{Client, MOST_TAGS, tag, tag_value};
use super::probe::Probing;
use super::protocol::{Attempt, Protocol, Reply, Sending};
use super::setup::SetupError;
use crate::config;
use crate::domain::deployment::Deployment;
use crate::domain::failure::{Evaluated, FailureState, seconds};
use crate::domain::forwarding::{Action, PreparedRequest, RevisionContext, Subject};
use crate::domain::retry::Verdict;
use crate::domain::timestamp::Timestamp;
use crate::http_client::Outgoing;

/// Datadog drops points that are older than this, or farther in the future than [`NEWEST_POINT_SECONDS`].
const OLDEST_POINT_SECONDS: i64 = 60 * 60;
const NEWEST_POINT_SECONDS: i64 = 10 * 60;
/// Datadog: `type` of a count in `/api/v2/series`.
const COUNT: u8 = 1;
/// Datadog accepts at most 512,000 bytes in a request.
const LARGEST_REQUEST_BYTES: usize = 500_000;
/// Most bytes of a point besides its tags.
const POINT_BYTES: usize = 300;

/// A `[[backend]]` of kind `datadog-metrics`.
pub(super) struct DatadogMetrics {
    series: reqwest::Url,
    distribution_points: reqwest::Url,
    client: Client,
    /// Seconds that have a count. A restart forgets them.
    seconds: Mutex<CountSeconds>,
}

impl DatadogMetrics {
    pub(super) fn from_config(
        entry: &config::BackendSection,
        outgoing: &Outgoing,
    ) -> Result<Self, SetupError> {
        Ok(Self {
            series: entry.url.join("/api/v2/series"),
            distribution_points: entry.url.join("/api/v1/distribution_points"),
            client: Client::from_config(entry, outgoing)?,
            seconds: Mutex::default(),
        })
    }

    async fn post(&self, url: &reqwest::Url, body: &Value, now: Timestamp) -> Reply {
        self.client.post(url, body.to_string().into_bytes(), now).await
    }

    /// Sends the counts, then the times to restore, each in as many requests as needed. A failure with doubtful times
    /// has no times to restore. Requests that Datadog accepted before are not sent again.
    async fn send_sample(&self, attempt: Attempt) -> Reply {
        let Ok(sample) = serde_json::from_slice::<Sample>(&attempt.prepared.body) else {
            return Reply::unreadable();
        };
        let (now, parts) = (attempt.now, sample.parts());
        let counts = parts.iter().map(|part| (MetricName::Count, *part));
        let times = parts.iter().map(|part| (MetricName::TimeToRestore, *part));
        let requests = counts.chain(times.filter(|_| sample.time_to_restore_seconds.is_some()));
        let mut reply = Reply::nothing_to_send();
        let mut taken = attempt.taken;
        for (metric, part) in requests.skip(taken as usize) {
            reply = match metric {
                MetricName::TimeToRestore => {
                    self.post(&self.distribution_points, &sample.time_to_restore(part, now), now).await
                }
                MetricName::Count => {
                    let owner = (attempt.subject.clone(), attempt.revision);
                    let Some(at) = self.second(&sample, &owner, now) else {
                        let error =
                            Some("every second of the last hour has a count with these tags".to_owned());
                        return Reply { verdict: Verdict::Retry(None), status: None, error, taken };
                    };
                    self.post(&self.series, &sample.count(part, at, now), now).await
                }
            };
            if reply.verdict != Verdict::Sent {
                return Reply { taken, ..reply };
            }
            taken = taken.saturating_add(1);
        }
        Reply { taken, ..reply }
    }

    /// Unix time of the counts of a sample, the same for all its services.
    fn second(&self, sample: &Sample, owner: &CountOwner, now: Timestamp) -> Option<i64> {
        self.seconds.lock().unwrap_or_else(PoisonError::into_inner).reserve(sample, owner, now)
    }
}

/// The two metrics of a sample.
#[derive(Clone, Copy)]
enum MetricName {
    Count,
    TimeToRestore,
}

impl Protocol for DatadogMetrics {
    fn prepare(&self, evaluated: &Evaluated, context: RevisionContext) -> PreparedRequest {
        prepared(Sample::of(evaluated).as_ref(), context)
    }

    fn prepare_deployment(
        &self,
        deployment: &Deployment,
        context: RevisionContext,
    ) -> Option<PreparedRequest> {
        Some(prepared(Some(&Sample::of_deployment(deployment)), context))
    }

    /// A sample cannot be taken back, and has no id.
    fn counts_each_request(&self) -> bool {
        true
    }

    fn send(&self, attempt: Attempt) -> Sending<'_> {
        match attempt.prepared.action {
            Action::Replace => Box::pin(self.send_sample(attempt)),
            _ => Box::pin(async { Reply::nothing_to_send() }),
        }
    }

    fn probe<'a>(&'a self, credentials: &'a Credentials) -> Probing<'a> {
        Box::pin(self.client.probe(credentials))
    }
}

/// Request for a sample. A correction has none, because Datadog cannot change a count that it has.
fn prepared(
    sample: Option<&Sample>,
    RevisionContext { is_correction, .. }: RevisionContext,
) -> PreparedRequest {
    match sample {
        Some(sample) if !is_correction => {
            PreparedRequest { action: Action::Replace, body: body::json(sample) }
        }
        _ => PreparedRequest { action: Action::CannotCorrect, body: Vec::new() },
    }
}

/// Sample of a completed failure or a deployment. The time of its points is chosen when they are sent.
#[derive(Serialize, Deserialize)]
struct Sample {
    /// Name of the metric that counts it.
    metric: Cow<'static, str>,
    finished_at: Timestamp,
    /// `None` for a deployment, and for a failure with doubtful times, which counts but is in no statistic of
    /// durations (rule 14).
    time_to_restore_seconds: Option<f64>,
    /// Empty: one point without a service.
    services: Vec<String>,
    /// Tags that every point has.
    tags: Vec<String>,
}

impl Sample {
    fn of(evaluated: &Evaluated) -> Option<Self> {
        let Evaluated { failure, details } = evaluated;
        // The failure counts even if its open time is not known.
        let end = failure.finished_at.filter(|_| failure.state == FailureState::Completed);
        let finished_at = evaluated.restored_at().or(end)?;
        let (team, severity) = (failure.team.as_ref(), failure.severity.as_ref());
        let known = [("team", team), ("env", Some(&failure.env)), ("severity", severity)];
        Some(Self {
            metric: "dora.incidents.count".into(),
            finished_at,
            time_to_restore_seconds: failure
                .has_good_times()
                .then(|| seconds(finished_at.nanos_since(failure.started_at))),
            services: failure.services.iter().map(|service| tag_value("service", service)).collect(),
            tags: tags(&known, &details.tags),
        })
    }

    fn of_deployment(deployment: &Deployment) -> Self {
        let known = [("team", deployment.team.as_ref()), ("env", Some(&deployment.env))];
        Self {
            metric: "dora.deployments.count".into(),
            finished_at: deployment.finished_at,
            time_to_restore_seconds: None,
            services: vec![tag_value("service", &deployment.service)],
            tags: tags(&known, &deployment.tags),
        }
    }

    /// `true` if Datadog would drop a point at the time of the end.
    fn is_late(&self, now: Timestamp) -> bool {
        let (end, now) = (self.finished_at.as_seconds(), now.as_seconds());
        !(now - OLDEST_POINT_SECONDS..=now + NEWEST_POINT_SECONDS).contains(&end)
    }

    /// Preferred Unix time of the points: the end, or now if the sample is late.
    fn wanted_second(&self, now: Timestamp) -> i64 {
        if self.is_late(now) { now.as_seconds() } else { self.finished_at.as_seconds() }
    }

    /// The services in parts. The points of a part fit into one request. Every attempt has the same parts.
    fn parts(&self) -> Vec<&[String]> {
        if self.services.is_empty() {
            return vec![&[]];
        }
        let bytes = |text: &String| body::json(text).len() + 1;
        let tags: usize = self.tags.iter().map(bytes).sum();
        let longest = self.services.iter().map(bytes).fold(0, usize::max);
        self.services.chunks((LARGEST_REQUEST_BYTES / (POINT_BYTES + tags + longest)).max(1)).collect()
    }

    /// Tags of each point. Each service has one point.
    fn tags(&self, services: &[String], now: Timestamp) -> Vec<Vec<String>> {
        let late = self.is_late(now).then(|| "late:true".to_owned());
        let tags = |service: Option<&String>| {
            let service = service.map(|service| format!("service:{service}"));
            service.into_iter().chain(self.tags.iter().cloned()).chain(late.clone()).collect()
        };
        match services {
            [] => vec![tags(None)],
            services => services.iter().map(|service| tags(Some(service))).collect(),
        }
    }

    fn count(&self, services: &[String], second: i64, now: Timestamp) -> Value {
        let series = self.tags(services, now).into_iter().map(|tags| {
            json!({
                "metric": self.metric,
                "type": COUNT,
                "interval": 1,
                "points": [{ "timestamp": second, "value": 1 }],
                "tags": tags,
            })
        });
        json!({ "series": series.collect::<Vec<_>>() })
    }

    fn time_to_restore(&self, services: &[String], now: Timestamp) -> Value {
        let series = self.tags(services, now).into_iter().map(|tags| {
            json!({
                "metric": "dora.time_to_restore",
                "type": "distribution",
                "points": [[self.wanted_second(now), [self.time_to_restore_seconds]]],
                "tags": tags,
            })
        });
        json!({ "series": series.collect::<Vec<_>>() })
    }
}

/// Tags that every point has: the known values, then the others. Room is left for `service` and `late`.
fn tags<'a>(known: &[(&str, Option<&String>)], others: impl IntoIterator<Item = &'a String>) -> Vec<String> {
    let known = known.iter().filter_map(|(key, value)| Some(format!("{key}:{}", tag_value(key, (*value)?))));
    known.chain(others.into_iter().map(|other| tag(other))).take(MOST_TAGS - 2).collect()
}

/// Subject and revision that a count is for.
type CountOwner = (Subject, i64);

/// Seconds that are in use for a count. If two counts have the same tags and second, Datadog keeps only the last one.
/// So each count gets a second of its own: that of the end, or the nearest free one before it.
#[derive(Default)]
struct CountSeconds(BTreeMap<(i64, String), CountOwner>);

impl CountSeconds {
    /// Second of a count, the same for every attempt of a revision. `None` if no second that Datadog accepts is free.
    fn reserve(&mut self, sample: &Sample, owner: &CountOwner, now: Timestamp) -> Option<i64> {
        let oldest = now.as_seconds() - OLDEST_POINT_SECONDS;
        // Older seconds are not needed any more.
        self.0 = self.0.split_off(&(oldest, String::new()));
        let series = |tags: &Vec<String>| format!("{}:{}", sample.metric, tags.join(","));
        let tags: Vec<String> = sample.tags(&sample.services, now).iter().map(series).collect();
        let is_free = |second: &i64| {
            tags.iter().all(|tags| self.0.get(&(*second, tags.clone())).is_none_or(|other| other == owner))
        };
        let second = (oldest..=sample.wanted_second(now)).rev().find(is_free)?;
        self.0.extend(tags.into_iter().map(|tags| ((second, tags), owner.clone())));
        Some(second)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::failure::Flag;
    use crate::domain::failure::tests::completed;

    fn subject() -> Subject {
        Subject::Failure("pagerduty:Q1".to_owned())
    }

    fn requests(now: &str) -> String {
        let mut failure = completed();
        failure.failure.services.push("cart".to_owned());
        let sample = Sample::of(&failure).unwrap();
        let now = Timestamp::parse(now).unwrap();
        let second = CountSeconds::default().reserve(&sample, &(subject(), 1), now).unwrap();
        let [part] = sample.parts()[..] else { panic!("one request is enough") };
        format!("{:#}\n{:#}", sample.count(part, second, now), sample.time_to_restore(part, now))
    }

    #[test]
    fn a_point_for_each_service_at_the_end() {
        let end = completed().failure.finished_at.unwrap().to_string();
        insta::assert_snapshot!(requests(&end));
    }

    #[test]
    fn a_point_that_datadog_would_drop_is_tagged_as_late() {
        let late = requests("2027-01-01T00:00:00Z");
        assert_eq!(late.matches("late:true").count(), 4, "{late}");
        assert!(late.contains("1798761600"), "{late}");
    }

    #[test]
    fn no_request_is_longer_than_datadog_accepts() {
        let mut failure = completed();
        failure.failure.services = (0..1_000).map(|n| format!("{n}-{}", "\u{1f525}".repeat(150))).collect();
        failure.details.tags = (0..100).map(|n| format!("{n}:{}", "\u{1f525}".repeat(150))).collect();
        let sample = Sample::of(&failure).unwrap();
        let (now, parts) = (sample.finished_at, sample.parts());
        assert!(parts.len() > 1 && parts.concat() == sample.services, "{}", parts.len());
        for part in parts {
            for request in [sample.count(part, 1_793_527_200, now), sample.time_to_restore(part, now)] {
                let bytes = request.to_string().len();
                assert!(bytes <= 512_000, "{bytes}");
            }
        }
    }

    #[test]
    fn a_failure_that_is_not_completed_has_no_sample() {
        for state in [FailureState::Open, FailureState::Ignored, FailureState::Merged] {
            let mut failure = completed();
            failure.failure.state = state;
            assert!(Sample::of(&failure).is_none());
        }
    }

    #[test]
    fn counts_with_the_same_tags_have_a_second_each() {
        let sample = Sample::of(&completed()).unwrap();
        let now = sample.finished_at;
        let mut seconds = CountSeconds::default();
        let mut reserve = |n: i64| seconds.reserve(&sample, &(subject(), n), now);
        let end = now.as_seconds();
        assert_eq!([reserve(1), reserve(2), reserve(1), reserve(3)], [end, end - 1, end, end - 2].map(Some));
        for n in 4..=3_601 {
            reserve(n).unwrap();
        }
        assert_eq!(reserve(3_602), None, "the count waits and takes no second of another");
    }

    #[test]
    fn rule_14_a_failure_with_doubtful_times_counts_and_has_no_duration() {
        let mut failure = completed();
        failure.failure.flags = vec![Flag::Approximate];
        let sample = Sample::of(&failure).unwrap();
        assert_eq!(sample.time_to_restore_seconds, None);
    }
}
