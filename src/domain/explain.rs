//! Reasons for the values of a failure, for people who doubt a figure.

use serde::{Deserialize, Serialize};

use super::attribution::Attribution;
use super::deployment::{Deployment, Deployments};
use super::evaluate::{IncidentEvaluation, StartBasis};
use super::failure::{Evaluated, Failure, FailureState, Flag};
use super::figures::DeployedElsewhere;
use super::history::NamedIn;
use super::id::IncidentId;
use super::import::IMPORTED;
use super::link::{Cause, LinkQuery, LinkReason, MatchedBy, NotUsed};
use super::mark::RemediationKind;
use super::merge::{Group, MergeEffect, Merges};
use super::policy::{Policy, Reopened, Start, WhichService};
use super::rule::{Rule, RuleVerdict, Ruling};
use super::submission::Submission;

/// One value of a failure, and the reason for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Why {
    /// Field of the failure.
    pub about: String,
    /// Value of the field.
    pub value: String,
    /// Reason for that value.
    pub because: String,
}

pub(super) fn why(about: &str, value: impl Into<String>, because: impl Into<String>) -> Why {
    Why { about: about.to_owned(), value: value.into(), because: because.into() }
}

/// Explains an incident in its merge group. `None` until an event shows the incident.
pub fn explain(incident: &IncidentId, group: &Group, policy: &Policy) -> Option<(Evaluated, Vec<Why>)> {
    let view = IncidentEvaluation::of(incident, &Merges::of(group), policy)?;
    let evaluated = view.evaluate(policy);
    let failure = &evaluated.failure;
    let mut reasons = vec![
        why("state", failure.state.as_str(), state(&view, failure)),
        why("started_at", failure.started_at.to_string(), start(&view, policy)),
    ];
    reasons.extend(failure.finished_at.map(|at| why("finished_at", at.to_string(), end(&view))));
    reasons.extend(
        failure
            .time_to_restore_seconds
            .map(|seconds| why("time_to_restore_seconds", seconds.to_string(), time_to_restore(policy))),
    );
    reasons.extend(reopenings(&view));
    reasons.extend(view.sources.iter().map(|source| {
        why("merged", source.to_string(), "it was merged into this incident, directly or through others")
    }));
    reasons.extend(merge_effect(&view));
    reasons.push(counts(&view, policy));
    reasons.extend(attribution(&view, policy));
    reasons.push(why("severity", failure.severity.as_deref().unwrap_or("-"), severity(failure, policy)));
    reasons.extend(view.history.named_deployments().map(|(names, by)| {
        why(
            "named_deployment",
            names.join(", "),
            match by {
                NamedIn::Field => "named in the custom field \"deployment\"",
                NamedIn::Note => "named in the last note that begins with \"deployment:\"",
            },
        )
    }));
    reasons.extend(failure.flags.iter().map(|flag| why("flag", flag.as_str(), meaning(*flag))));
    Some((evaluated, reasons))
}

/// Explains the cause of a failure, and why deployments that were named are not used.
///
/// `elsewhere`: services and teams that, in the link window before the failure, were deployed to other envs only.
pub fn explain_cause(
    query: &LinkQuery<'_>,
    deployments: &Deployments,
    cause: Cause<'_>,
    elsewhere: &[DeployedElsewhere],
) -> Why {
    let mut because = link_reason(cause.how(), &query.named);
    if cause == Cause::NoneInWindow {
        because.extend(elsewhere.iter().map(|elsewhere| format!("; {}", elsewhere.sentence())));
    }
    let not_used = deployments.not_used(query).into_iter().map(|(name, not_used)| match not_used {
        NotUsed::Unknown => format!("named, but not known: {name}"),
        NotUsed::NotUnique => format!("named, but several commits begin with it: {name}"),
        NotUsed::OtherEnv(env) => format!("named, but deployed to {env}: {name}"),
        NotUsed::StartedLater => format!("named, but started after the failure had ended: {name}"),
    });
    let because = std::iter::once(because).chain(not_used).collect::<Vec<_>>().join("; ");
    why("deployment", cause.deployment().map_or("-", |deployment| deployment.id.as_str()), because)
}

/// Reason for the cause of a failure, or for having none. `named` are the names that the failure gives for its cause.
pub(super) fn link_reason(how: LinkReason, named: &[&str]) -> String {
    let named = || named.join(", ");
    match how {
        LinkReason::Automatic => {
            "the latest deployment of the failure's services (or team) to its env that had started when the \
             failure was created, and had ended no more than dora.link_window before that (or had not ended)"
                .to_owned()
        }
        LinkReason::Named(MatchedBy::Id) => format!("its id was named: {}", named()),
        LinkReason::Named(MatchedBy::CommitSha) => format!("its commit was named: {}", named()),
        LinkReason::Named(MatchedBy::Version) => format!("its version was named: {}", named()),
        LinkReason::Forbidden => "\"none\" was named: no deployment caused it".to_owned(),
        LinkReason::NotLinked => {
            "no deployment of its services (or team) in its env within dora.link_window before it".to_owned()
        }
    }
}

/// Explanation for links that were decided under another configuration.
pub fn links_of_other_configuration(deployment: Option<&str>) -> Why {
    why(
        "deployment",
        deployment.unwrap_or("-"),
        "decided under another configuration; run `reevaluate` to decide it again",
    )
}

/// Explains the remediation of a failure.
pub fn explain_remediation(deployment: &Deployment, kind: RemediationKind) -> Why {
    let because = format!(
        "the last deployment of its services (or team) in its env that started while it was open: a {}",
        kind.as_str()
    );
    why("remediation", deployment.id.as_str(), because)
}

/// Explains the mark of a failure's cause at a backend: the mark is set if `fails` is `true`, else removed.
pub fn explain_mark(backend: &str, fails: bool, state: &str) -> Why {
    let because = if fails {
        "this backend is to mark the deployment that caused the failure as a change failure"
    } else {
        "the deployment no longer causes a failure that counts: this backend is to remove the mark"
    };
    why("change_failure", format!("{backend}: {state}"), because)
}

/// Explains by which name a backend finds the deployment that is to be marked.
pub fn explain_mark_name(backend: &str, because: String) -> Why {
    why("change_failure", format!("{backend}: by_version"), because)
}

/// Explains a failure that was sent to the event API.
pub fn explain_submission(submission: &Submission, policy: &Policy) -> (Evaluated, Vec<Why>) {
    let is_imported = submission.tags.contains(IMPORTED);
    let as_sent =
        if is_imported { "as it was imported from Datadog" } else { "as it was sent to the event API" };
    let evaluated = submission.evaluate(policy);
    let failure = &evaluated.failure;
    let (value, because) = match (submission.verdict(policy), submission.ruling(policy)) {
        (RuleVerdict::Ignored(rule), _) => ("no", first_match(rule)),
        (RuleVerdict::TooShort, _) => ("no", TOO_SHORT.to_owned()),
        (RuleVerdict::Counts, Ruling::Counted(rule)) => ("yes", first_match(rule)),
        (RuleVerdict::Counts, _) => ("yes", "no rule ignores it".to_owned()),
    };
    let counts = why("counts", value, because);
    let mut reasons = vec![why("state", failure.state.as_str(), as_sent)];
    reasons.push(why("started_at", failure.started_at.to_string(), as_sent));
    reasons.extend(failure.finished_at.map(|at| why("finished_at", at.to_string(), as_sent)));
    reasons.push(counts);
    reasons.push(why("services", names(&failure.services), as_sent));
    reasons.push(why("team", failure.team.as_deref().unwrap_or("-"), as_sent));
    reasons.extend(failure.flags.iter().map(|flag| why("flag", flag.as_str(), meaning(*flag))));
    (evaluated, reasons)
}

/// Explanation for an incident of which only mentions were received.
pub fn only_mentioned() -> Why {
    why(
        "failure",
        "none",
        "only events that mention the incident were received, such as notes; none had the incident's data",
    )
}

/// Explanation for a failure that was evaluated under another configuration.
pub fn other_configuration() -> Why {
    why(
        "configuration",
        "changed",
        "these are the values under the present configuration; the failure was evaluated under another one; run \
         `reevaluate` to apply the present one",
    )
}

fn names(names: &[String]) -> String {
    if names.is_empty() { "-".to_owned() } else { names.join(", ") }
}

fn state(view: &IncidentEvaluation<'_>, failure: &Failure) -> String {
    let resolved = view.resolved_at().map_or_else(String::new, |at| at.to_string());
    match (failure.state, view.open_periods.last().and_then(|period| period.reopened_at)) {
        (FailureState::Merged, _) => {
            format!("it was merged into another incident at {resolved}; a merge restores nothing")
        }
        (FailureState::Ignored, _) => "it does not count, see \"counts\"".to_owned(),
        (FailureState::Completed, _) => format!("no reopen follows the resolve of {resolved}"),
        (FailureState::Open, Some(at)) => format!("it was reopened at {at}, and has not been resolved since"),
        (FailureState::Open, None) => {
            "it has not been resolved; an acknowledgement does not end a failure".to_owned()
        }
    }
}

fn start(view: &IncidentEvaluation<'_>, policy: &Policy) -> String {
    let (own, because) = view.own_start;
    let missing = match (policy.start, because) {
        (Start::Triggered, StartBasis::Created | StartBasis::FirstSeen) => {
            "failure.start is \"triggered\", but no trigger was received: "
        }
        (Start::Acknowledged, StartBasis::Created | StartBasis::Triggered | StartBasis::FirstSeen) => {
            "failure.start is \"acknowledged\", but nobody acknowledged it before its first resolve: "
        }
        _ => "",
    };
    let describe = |because| match because {
        StartBasis::Created => "its creation time",
        StartBasis::Triggered => "the time of its trigger",
        StartBasis::Acknowledged => "its first acknowledgement, before its first resolve",
        StartBasis::FirstSeen => {
            "its earliest event, because its creation time and its trigger are not known"
        }
    };
    match view.earliest_merged {
        None => format!("{missing}{}", describe(because)),
        Some((source, _, because)) => {
            format!(
                "{source} was merged into it, and began at this time ({}); its own start is {own}",
                describe(because)
            )
        }
    }
}

fn end(view: &IncidentEvaluation<'_>) -> String {
    match view.resolved_at() {
        Some(at) if at < view.start().0 => {
            format!("the last resolve was at {at}, before the start: the end was moved to the start")
        }
        _ => "the last resolve that no reopen follows".to_owned(),
    }
}

/// Times of the reopens, each with its reason.
fn reopenings(view: &IncidentEvaluation<'_>) -> Vec<Why> {
    let pairs = view.open_periods.iter().zip(view.open_periods.iter().skip(1));
    let reasons = pairs.filter_map(|(before, period)| {
        let because = match before.resolved_at {
            Some(_) => "an event shows that it was reopened at this time, after a resolve",
            None => "an event shows that it was reopened at this time; the resolve before it never arrived",
        };
        period.reopened_at.map(|at| why("reopened", at.to_string(), because))
    });
    reasons.collect()
}

fn time_to_restore(policy: &Policy) -> &'static str {
    match policy.reopened {
        Reopened::WallClock => "from start to end (failure.reopened is \"wall_clock\")",
        Reopened::ActiveTime => "the sum of its open periods (failure.reopened is \"active_time\")",
    }
}

fn merge_effect(view: &IncidentEvaluation<'_>) -> Option<Why> {
    let (value, because) = match view.merge_effect {
        MergeEffect::NotMerged => return None,
        MergeEffect::FirstOfCycle => {
            ("-".to_owned(), "the merges form a cycle; it was created first, so it counts")
        }
        MergeEffect::Into(target) => (target.to_string(), "named in the resolve_reason of its last resolve"),
        MergeEffect::IntoUnseen(Some(target)) => (
            target.to_string(),
            "named in its last resolve, but no event with the data of that incident was received",
        ),
        MergeEffect::IntoUnseen(None) => {
            ("-".to_owned(), "its last resolve is a merge that names no incident")
        }
    };
    Some(why("merged_into", value, because))
}

fn counts(view: &IncidentEvaluation<'_>, policy: &Policy) -> Why {
    if view.is_merged() {
        return why("counts", "no", "it was merged into another incident, which is evaluated instead");
    }
    let (ruling, decided_by) = view.ruling;
    let suffix = if decided_by == view.incident { "" } else { " for an incident merged into it" };
    let (value, because) = match (view.verdict(policy), ruling) {
        (RuleVerdict::Ignored(rule), _) if view.sources.is_empty() => ("no", first_match(rule)),
        (RuleVerdict::Ignored(rule), _) => (
            "no",
            format!("rule {:?} ignores it, and all incidents merged into it are ignored, too", rule.name),
        ),
        (RuleVerdict::TooShort, _) => ("no", TOO_SHORT.to_owned()),
        (RuleVerdict::Counts, Ruling::Counted(rule)) => ("yes", first_match(rule) + suffix),
        (RuleVerdict::Counts, _) => ("yes", reason_without_rule(view, policy)),
    };
    why("counts", value, because)
}

const TOO_SHORT: &str = "it was shorter than failure.min_duration";

fn first_match(rule: &Rule) -> String {
    format!("rule {:?} is the first that matches", rule.name)
}

/// Reason why a failure counts although no rule with the action `count` matches it.
fn reason_without_rule(view: &IncidentEvaluation<'_>, policy: &Policy) -> String {
    match view.own_ruling {
        Ruling::Ignored(rule) => {
            format!("rule {:?} ignores it, but {} was merged into it, and counts", rule.name, view.ruling.1)
        }
        _ if policy.rules.is_empty() => "there are no rules".to_owned(),
        _ => "no rule ignores it".to_owned(),
    }
}

fn attribution(view: &IncidentEvaluation<'_>, policy: &Policy) -> [Why; 3] {
    let Attribution { services, team, env, services_step, team_step, env_is_from_entry, .. } =
        &view.attribution;
    let which = match policy.service {
        WhichService::Last => "last",
        WhichService::First => "first",
    };
    let of_env =
        if *env_is_from_entry { "service entry" } else { "failure.default_env: no service entry names one" };
    [
        why("services", names(services), format!("{services_step}, for the incident's {which} service")),
        why("team", team.as_deref().unwrap_or("-"), *team_step),
        why("env", env.clone(), of_env),
    ]
}

fn severity(failure: &Failure, policy: &Policy) -> String {
    match &failure.priority {
        None => "it has no priority".to_owned(),
        Some(priority) if policy.severity_of(priority).is_some() => {
            format!("its last priority, {priority}, through [failure.severity]")
        }
        Some(priority) => format!("its last priority, {priority}, which [failure.severity] does not list"),
    }
}

fn meaning(flag: Flag) -> &'static str {
    match flag {
        Flag::Approximate => {
            "the start is the earliest event, or a resolve before a reopen never arrived, or the time of a reopen is not \
             known; statistics of durations leave the failure out"
        }
        Flag::EndBeforeStart => {
            "the end was before the start, and was moved to it; statistics of durations leave the failure out"
        }
        Flag::InTheFuture => "a time in an event was more than five minutes after the arrival of the event",
        Flag::MergeTargetUnseen => {
            "no event with the data of the incident that it was merged into was received"
        }
        Flag::Deleted => "the source has deleted the incident; the failure stays as it was",
        Flag::MergeCycle => "the merges form a cycle, and this incident is the one that counts",
    }
}
