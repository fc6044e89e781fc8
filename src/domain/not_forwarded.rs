//! Reasons for which a backend has been told nothing of a failure.

use super::failure::{Failure, FailureState};
use super::forwarding::{BackendFilter, Recipient};
use super::timestamp::Timestamp;

/// A revision of a failure that no attempt was made to send yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UntriedRevision {
    /// The backend that it is for.
    pub backend: String,
    /// Its revision.
    pub revision: i64,
    /// Time at which it is to be sent.
    pub due_at: Timestamp,
}

/// Facts about the forwarding of a failure.
#[derive(Debug, Clone, Copy)]
pub struct ForwardingFacts<'a> {
    /// The failure; `None`: no event has shown the incident.
    pub failure: Option<&'a Failure>,
    /// The backends that the outbox has a revision for.
    pub in_outbox: &'a [String],
    /// Revisions that wait for their first attempt.
    pub waiting: &'a [UntriedRevision],
    /// The backends that are configured.
    pub recipients: &'a [Recipient],
}

/// One sentence for each reason why a backend has been told nothing. Empty where all have been.
pub fn not_forwarded(known: ForwardingFacts<'_>, now: Timestamp) -> Vec<String> {
    const COUNTS_INSTEAD: &str = "which counts instead";
    let ForwardingFacts { failure, in_outbox, waiting, recipients } = known;
    let mut told: Vec<String> = waiting.iter().map(|waiting| waits(waiting, recipients, now)).collect();
    let of_all = match failure.map(|failure| (failure.state, &failure.merged_into)) {
        Some((FailureState::Completed, _)) => {
            let failure = failure.into_iter();
            told.extend(failure.flat_map(|failure| left_out(failure, in_outbox, recipients)));
            return told;
        }
        _ if !in_outbox.is_empty() => return told,
        Some((FailureState::Open, _)) => "No backend was told yet: it has not ended.".to_owned(),
        None => "No backend was told: there is no failure.".to_owned(),
        Some((FailureState::Ignored, _)) => {
            "No backend was told: an ignored failure does not count.".to_owned()
        }
        Some((FailureState::Merged, Some(target))) => {
            format!("No backend was told: it went on as {target}, {COUNTS_INSTEAD}.")
        }
        Some((FailureState::Merged, None)) => {
            format!("No backend was told: it went on as another incident, {COUNTS_INSTEAD}.")
        }
    };
    told.push(of_all);
    told
}

fn waits(
    UntriedRevision { backend, revision, due_at }: &UntriedRevision,
    recipients: &[Recipient],
    now: Timestamp,
) -> String {
    let what = if *revision == 1 {
        format!("Backend {backend} was not told yet")
    } else {
        format!("Backend {backend} was not told of revision {revision} yet")
    };
    if !recipients.iter().any(|recipient| recipient.name == *backend) {
        format!("{what}: no [[backend]] of this configuration has that name.")
    } else if *due_at > now {
        format!("{what}: it waits for failure.settle, until {due_at}.")
    } else {
        format!("{what}: it waits to be sent.")
    }
}

/// The backends that a completed failure is not in the outbox for.
fn left_out(failure: &Failure, in_outbox: &[String], recipients: &[Recipient]) -> Vec<String> {
    if recipients.is_empty() && in_outbox.is_empty() {
        return vec!["No backend was told: no [[backend]] is configured.".to_owned()];
    }
    let left_out = recipients.iter().filter(|recipient| !in_outbox.contains(&recipient.name));
    let sentence = |Recipient { name, filter }: &Recipient| match not_named(filter, failure) {
        Some(why) => format!("Backend {name} was not told: {why}."),
        None => format!(
            "Backend {name} was not told: the failure was completed before the daemon ran with this backend as it is \
             configured now. Failures that are completed from then on are sent."
        ),
    };
    left_out.map(sentence).collect()
}

/// The key of a backend's entry that leaves a failure out.
fn not_named(filter: &BackendFilter, failure: &Failure) -> Option<String> {
    let Failure { services, team, env, .. } = failure;
    if !filter.passes_services(services) {
        return Some(match services.as_slice() {
            [] => "its `services` are given, and the failure has none".to_owned(),
            [service] => format!("its `services` do not name {service}"),
            services => format!("its `services` name none of {}", services.join(", ")),
        });
    }
    if !filter.passes_team(team.as_ref()) {
        return Some(match team {
            None => "its `teams` are given, and the failure has none".to_owned(),
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

    fn recipient(name: &str, services: &[&str], teams: &[&str], envs: &[&str]) -> Recipient {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let filter = BackendFilter { services: names(services), teams: names(teams), envs: names(envs) };
        Recipient { name: name.to_owned(), filter }
    }

    #[test]
    fn each_backend_has_a_reason_of_its_own() {
        let failure = completed().failure;
        let recipients = [
            recipient("has-it", &[], &[], &[]),
            recipient("new", &["checkout"], &[], &[]),
            recipient("search", &["search"], &[], &[]),
            recipient("web", &[], &["storefront"], &[]),
            recipient("eu", &[], &[], &["staging"]),
            recipient("settles", &[], &[], &[]),
            recipient("due", &[], &[], &[]),
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
            recipients: &recipients,
        };
        insta::assert_snapshot!(not_forwarded(known, NOW).join("\n"), @r"
        Backend settles was not told yet: it waits for failure.settle, until 2027-01-15T08:05:00Z.
        Backend due was not told yet: it waits to be sent.
        Backend removed was not told yet: no [[backend]] of this configuration has that name.
        Backend new was not told: the failure was completed before the daemon ran with this backend as it is configured now. Failures that are completed from then on are sent.
        Backend search was not told: its `services` do not name checkout.
        Backend web was not told: its `teams` do not name payments.
        Backend eu was not told: its `envs` do not name production.
        ");
        let nobody = ForwardingFacts { in_outbox: &[], waiting: &[], recipients: &[], ..known };
        assert_eq!(not_forwarded(nobody, NOW), ["No backend was told: no [[backend]] is configured."]);
        let told = ForwardingFacts { waiting: &[], recipients: &recipients[..1], ..known };
        assert_eq!(not_forwarded(told, NOW), Vec::<String>::new());
    }
}
