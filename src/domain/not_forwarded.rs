//! Reasons why a failure was not sent to a backend.

use super::failure::{Failure, FailureState};
use super::forwarding::{BackendEntry, BackendFilter, FailuresSent};
use super::timestamp::Timestamp;

/// A revision of a failure that was not attempted yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UntriedRevision {
    /// The backend that it is for.
    pub backend: String,
    /// Number of the revision.
    pub revision: i64,
    /// Time at which it is to be sent.
    pub due_at: Timestamp,
}

/// Facts about the forwarding of a failure.
#[derive(Debug, Clone, Copy)]
pub struct ForwardingFacts<'a> {
    /// The failure; `None` if no event with the incident's data was received.
    pub failure: Option<&'a Failure>,
    /// The backends for which the outbox has a revision.
    pub in_outbox: &'a [String],
    /// Revisions that wait for their first attempt.
    pub waiting: &'a [UntriedRevision],
    /// The backends that are configured.
    pub backend_entries: &'a [BackendEntry],
    /// `true` if it was imported from another system.
    pub is_imported: bool,
}

/// One sentence for each reason why the failure was not sent to a backend. Empty if it was sent to all.
pub fn not_forwarded(known: ForwardingFacts<'_>, now: Timestamp) -> Vec<String> {
    let ForwardingFacts { failure, in_outbox, waiting, backend_entries, is_imported } = known;
    if is_imported && in_outbox.is_empty() && waiting.is_empty() {
        return vec![
            "Not sent to any backend: it was imported from Datadog, and backends are not told.".to_owned(),
        ];
    }
    let mut sentences: Vec<String> =
        waiting.iter().map(|waiting| waits(waiting, backend_entries, now)).collect();
    let any_takes_open = backend_entries.iter().any(|entry| entry.failures == FailuresSent::OpenToo);
    let for_all = match failure.map(|failure| (failure.state, &failure.merged_into)) {
        Some((FailureState::Completed, _)) => {
            let failure = failure.into_iter();
            sentences.extend(failure.flat_map(|failure| left_out(failure, in_outbox, backend_entries)));
            return sentences;
        }
        _ if !in_outbox.is_empty() => return sentences,
        Some((FailureState::Open, _)) if any_takes_open => {
            "Not sent to any backend yet: the failure has not ended. A backend with `open = true` gets an open failure that \
             passes its filter, and that starts or changes after that was configured."
                .to_owned()
        }
        Some((FailureState::Open, _)) => "Not sent to any backend yet: the failure has not ended.".to_owned(),
        None => "Not sent to any backend: there is no failure.".to_owned(),
        Some((FailureState::Ignored, _)) => {
            "Not sent to any backend: an ignored failure does not count.".to_owned()
        }
        Some((FailureState::Merged, Some(target))) => {
            format!("Not sent to any backend: the incident was merged into {target}.")
        }
        Some((FailureState::Merged, None)) => {
            "Not sent to any backend: the incident was merged into another one.".to_owned()
        }
    };
    sentences.push(for_all);
    sentences
}

fn waits(
    UntriedRevision { backend, revision, due_at }: &UntriedRevision,
    backend_entries: &[BackendEntry],
    now: Timestamp,
) -> String {
    let not_sent = if *revision == 1 {
        format!("Not sent to backend {backend} yet")
    } else {
        format!("Revision {revision} not sent to backend {backend} yet")
    };
    if !backend_entries.iter().any(|entry| entry.name == *backend) {
        format!("{not_sent}: no [[backend]] of this configuration has that name.")
    } else if *due_at > now {
        format!("{not_sent}: it waits for failure.settle, until {due_at}.")
    } else {
        format!("{not_sent}: it waits in the outbox.")
    }
}

/// Reasons for the backends that have no revision of a completed failure in the outbox.
fn left_out(failure: &Failure, in_outbox: &[String], backend_entries: &[BackendEntry]) -> Vec<String> {
    if backend_entries.is_empty() && in_outbox.is_empty() {
        return vec!["Not sent to any backend: no [[backend]] is configured.".to_owned()];
    }
    let left_out = backend_entries.iter().filter(|entry| !in_outbox.contains(&entry.name));
    let sentence = |entry: &BackendEntry| match not_taken(entry, failure) {
        Some(why) => format!("Not sent to backend {}: {why}.", entry.name),
        None => format!(
            "Not sent to backend {}: the failure was completed before the daemon ran with this backend as it is \
             configured now. Failures that are completed after that are sent.",
            entry.name
        ),
    };
    left_out.map(sentence).collect()
}

/// Reason why a backend does not get a failure. `None` if it does.
fn not_taken(entry: &BackendEntry, failure: &Failure) -> Option<String> {
    match entry.failures {
        FailuresSent::None => Some("it has `failures = false`".to_owned()),
        FailuresSent::Completed | FailuresSent::OpenToo => not_named(&entry.filter, failure),
    }
}

/// Reason why a backend's filter leaves out a failure. `None` if the failure passes.
fn not_named(filter: &BackendFilter, failure: &Failure) -> Option<String> {
    let Failure { services, team, env, .. } = failure;
    if !filter.passes_services(services) {
        return Some(match services.as_slice() {
            [] => "its `services` are set, and the failure has no service".to_owned(),
            [service] => format!("its `services` do not name {service}"),
            services => format!("its `services` name none of {}", services.join(", ")),
        });
    }
    if !filter.passes_team(team.as_ref()) {
        return Some(match team {
            None => "its `teams` are set, and the failure has no team".to_owned(),
            Some(team) => format!("its `teams` do not name {team}"),
        });
    }
    (!filter.passes_env(env)).then(|| format!("its `envs` do not name {env}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::failure::tests::completed;

    const NOW: Timestamp = Timestamp::from_nanos(1_800_000_000_000_000_000);

    fn entry(name: &str, services: &[&str], teams: &[&str], envs: &[&str]) -> BackendEntry {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let filter = BackendFilter { services: names(services), teams: names(teams), envs: names(envs) };
        let (deployments, marks_by) = (false, None);
        BackendEntry {
            name: name.to_owned(),
            filter,
            deployments,
            marks_by,
            failures: if name == "witness" { FailuresSent::None } else { FailuresSent::Completed },
        }
    }

    #[test]
    fn each_backend_has_a_reason_of_its_own() {
        let failure = completed().failure;
        let backend_entries = [
            entry("has-it", &[], &[], &[]),
            entry("new", &["checkout"], &[], &[]),
            entry("search", &["search"], &[], &[]),
            entry("web", &[], &["storefront"], &[]),
            entry("eu", &[], &[], &["staging"]),
            entry("settles", &[], &[], &[]),
            entry("due", &[], &[], &[]),
            entry("witness", &[], &[], &[]),
        ];
        let in_outbox = ["has-it", "settles", "due", "removed"].map(str::to_owned);
        let waiting =
            |backend: &str, due_at| UntriedRevision { backend: backend.to_owned(), revision: 1, due_at };
        let later = NOW.saturating_add(std::time::Duration::from_mins(5));
        let waiting = [waiting("settles", later), waiting("due", NOW), waiting("removed", NOW)];
        let known = ForwardingFacts {
            failure: Some(&failure),
            in_outbox: &in_outbox,
            waiting: &waiting,
            backend_entries: &backend_entries,
            is_imported: false,
        };
        insta::assert_snapshot!(not_forwarded(known, NOW).join("\n"), @r"
        Not sent to backend settles yet: it waits for failure.settle, until 2027-01-15T08:05:00Z.
        Not sent to backend due yet: it waits in the outbox.
        Not sent to backend removed yet: no [[backend]] of this configuration has that name.
        Not sent to backend new: the failure was completed before the daemon ran with this backend as it is configured now. Failures that are completed after that are sent.
        Not sent to backend search: its `services` do not name checkout.
        Not sent to backend web: its `teams` do not name payments.
        Not sent to backend eu: its `envs` do not name production.
        Not sent to backend witness: it has `failures = false`.
        ");
        let no_backend = ForwardingFacts { in_outbox: &[], waiting: &[], backend_entries: &[], ..known };
        assert_eq!(
            not_forwarded(no_backend, NOW),
            ["Not sent to any backend: no [[backend]] is configured."]
        );
        let imported = ForwardingFacts { is_imported: true, ..no_backend };
        assert!(not_forwarded(imported, NOW)[0].contains("imported from Datadog"));
        let mut open = failure.clone();
        open.state = FailureState::Open;
        let takes_open = [BackendEntry { failures: FailuresSent::OpenToo, ..entry("events", &[], &[], &[]) }];
        let is_open = ForwardingFacts { failure: Some(&open), backend_entries: &takes_open, ..no_backend };
        assert!(not_forwarded(is_open, NOW)[0].contains("`open = true`"));
        let sent = ForwardingFacts { waiting: &[], backend_entries: &backend_entries[..1], ..known };
        assert_eq!(not_forwarded(sent, NOW), Vec::<String>::new());
    }
}
