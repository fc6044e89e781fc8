//! Reasons for a failure's fields, in words that somebody who doubts the figure can check.

use serde::{Deserialize, Serialize};

use super::attribution::Attribution;
use super::deployment::{Deployment, Deployments};
use super::evaluate::{IncidentEvaluation, Reasons};
use super::failure::{Evaluated, Failure, FailureState, Flag};
use super::figures::OtherEnvs;
use super::history::NamedBy;
use super::id::IncidentId;
use super::link::{Cause, KnownBy, LinkQuery, NotUsed};
use super::mark::RemediationKind;
use super::merge::{Group, Merges, Standing};
use super::policy::{Policy, Reopened, Start, WhichService};
use super::rule::{Rule, RuleVerdict, Ruling};
use super::submission::Submission;

/// One thing about a failure, and what decided it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Why {
    /// Field of the failure that the decision is about.
    pub about: String,
    /// Value of the field.
    pub value: String,
    /// Reason for that value.
    pub because: String,
}

fn why(about: &str, value: impl Into<String>, because: impl Into<String>) -> Why {
    Why { about: about.to_owned(), value: value.into(), because: because.into() }
}

/// Explains an incident among those that merges connect it with. `None` while no event has shown it.
pub fn explain(incident: &IncidentId, group: &Group, policy: &Policy) -> Option<(Evaluated, Vec<Why>)> {
    let view = IncidentEvaluation::of(incident, &Merges::of(group), policy)?;
    let evaluated = view.evaluate(policy);
    let failure = &evaluated.failure;
    let mut told = vec![
        why("state", failure.state.as_str(), state(&view, failure)),
        why("started_at", failure.started_at.to_string(), start(&view, policy)),
    ];
    told.extend(failure.finished_at.map(|at| why("finished_at", at.to_string(), end(&view))));
    told.extend(
        failure
            .time_to_restore_seconds
            .map(|seconds| why("time_to_restore_seconds", seconds.to_string(), time_to_restore(policy))),
    );
    told.extend(reopenings(&view));
    told.extend(view.sources.iter().map(|source| {
        why("merged", source.to_string(), "the resolve that ended it is a merge that leads here")
    }));
    told.extend(standing(&view));
    told.push(counts(&view, policy));
    told.extend(attribution(&view, policy));
    told.push(why("severity", failure.severity.as_deref().unwrap_or("-"), severity(failure, policy)));
    told.extend(view.history.named_deployments().map(|(names, by)| {
        why(
            "named_deployment",
            names.join(", "),
            match by {
                NamedBy::Field => "the custom field named deployment says so",
                NamedBy::Note => "the last note that begins with \"deployment:\" says so",
            },
        )
    }));
    told.extend(failure.flags.iter().map(|flag| why("flag", flag.as_str(), meaning(*flag))));
    Some((evaluated, told))
}

/// Explains which deployment a failure is linked to, and why it is not the one that was named.
///
/// `elsewhere`: what is deployed in other envs only, in the window before the failure.
pub fn explain_cause(
    query: &LinkQuery<'_>,
    deployments: &Deployments,
    cause: Cause<'_>,
    elsewhere: &[OtherEnvs],
) -> Why {
    let named = || query.named.join(", ");
    let because = match cause {
        Cause::Automatic(_) => {
            "the latest deployment of its services (or team) to its env that had started before the failure began, and had \
             ended at most dora.link_window before that"
                .to_owned()
        }
        Cause::Named(_, KnownBy::Id) => format!("its id was named: {}", named()),
        Cause::Named(_, KnownBy::CommitSha) => format!("its commit was named: {}", named()),
        Cause::Named(_, KnownBy::Version) => format!("its version was named: {}", named()),
        Cause::Forbidden => "\"none\" was named".to_owned(),
        Cause::NoneInWindow => {
            let others = elsewhere.iter().map(|elsewhere| format!("; {}", elsewhere.sentence()));
            let others: String = others.collect();
            format!("no deployment of its services (or team) in its env within dora.link_window before it{others}")
        }
    };
    let not_used = deployments.not_used(query).into_iter().map(|(name, not_used)| match not_used {
        NotUsed::Unknown => format!("named, but not known: {name}"),
        NotUsed::NotUnique => format!("named, but several commits begin so: {name}"),
        NotUsed::OtherEnv(env) => format!("named, but deployed to {env}: {name}"),
        NotUsed::StartedLater => format!("named, but started after the failure had ended: {name}"),
    });
    let because = std::iter::once(because).chain(not_used).collect::<Vec<_>>().join("; ");
    why("deployment", cause.deployment().map_or("-", |deployment| deployment.id.as_str()), because)
}

/// Explanation for links that were decided under another configuration than today's.
pub fn other_link_window(deployment: Option<&str>) -> Why {
    why(
        "deployment",
        deployment.unwrap_or("-"),
        "decided under another configuration than today's; `reevaluate` would decide anew",
    )
}

/// Explains what mended a failure.
pub fn explain_remediation(deployment: &Deployment, kind: RemediationKind) -> Why {
    let because = format!(
        "the last deployment of its services (or team) in its env that started while it was open: a {}",
        kind.as_str()
    );
    why("remediation", deployment.id.as_str(), because)
}

/// Explains the mark of a failure's deployment at a backend: set (`fails`) or taken back.
pub fn explain_mark(backend: &str, fails: bool, state: &str) -> Why {
    let because = if fails {
        "there its deployment is to be a change failure"
    } else {
        "no failure is linked to its deployment any more: the mark there is to be taken back"
    };
    why("change_failure", format!("{backend}: {state}"), because)
}

/// Explains a failure that came by the event API.
pub fn explain_submission(submission: &Submission, policy: &Policy) -> (Evaluated, Vec<Why>) {
    const AS_SENT: &str = "as it was sent to the event API";
    let evaluated = submission.evaluate(policy);
    let failure = &evaluated.failure;
    let (value, because) = match (submission.verdict(policy), submission.ruling(policy)) {
        (RuleVerdict::Ignored(rule), _) => ("no", first_match(rule)),
        (RuleVerdict::TooShort, _) => ("no", TOO_SOON.to_owned()),
        (RuleVerdict::Counts, Ruling::Counted(rule)) => ("yes", first_match(rule)),
        (RuleVerdict::Counts, _) => ("yes", "no rule ignores it".to_owned()),
    };
    let counts = why("counts", value, because);
    let mut told = vec![why("state", failure.state.as_str(), AS_SENT)];
    told.push(why("started_at", failure.started_at.to_string(), AS_SENT));
    told.extend(failure.finished_at.map(|at| why("finished_at", at.to_string(), AS_SENT)));
    told.push(counts);
    told.push(why("services", names(&failure.services), AS_SENT));
    told.push(why("team", failure.team.as_deref().unwrap_or("-"), AS_SENT));
    told.extend(failure.flags.iter().map(|flag| why("flag", flag.as_str(), meaning(*flag))));
    (evaluated, told)
}

/// Explanation for an incident that was only mentioned.
pub fn only_mentioned() -> Why {
    why("failure", "none", "only notes and the like were seen, and none of them shows the incident itself")
}

/// Explanation for a failure that was evaluated under another configuration than today's.
pub fn other_configuration() -> Why {
    why(
        "configuration",
        "changed",
        "this is how today's configuration decides; the failure was evaluated under another one, and \
         `reevaluate` would apply this",
    )
}

fn names(names: &[String]) -> String {
    if names.is_empty() { "-".to_owned() } else { names.join(", ") }
}

fn state(view: &IncidentEvaluation<'_>, failure: &Failure) -> String {
    let resolved = view.resolved_at().map_or_else(String::new, |at| at.to_string());
    match (failure.state, view.stretches.last().and_then(|stretch| stretch.reopened_at)) {
        (FailureState::Merged, _) => {
            format!("the resolve of {resolved} that decides is a merge, not a restoration")
        }
        (FailureState::Ignored, _) => "it does not count".to_owned(),
        (FailureState::Completed, _) => format!("no reopen follows the resolve of {resolved}"),
        (FailureState::Open, Some(at)) => format!("it was reopened at {at}, and not resolved since"),
        (FailureState::Open, None) => "it has not been resolved; an acknowledgement ends nothing".to_owned(),
    }
}

fn start(view: &IncidentEvaluation<'_>, policy: &Policy) -> String {
    let (own, because) = view.own_start;
    let wished = match (policy.start, because) {
        (Start::Triggered, Reasons::Created | Reasons::FirstSeen) => {
            "failure.start is \"triggered\", but no trigger was seen: "
        }
        (Start::Acknowledged, Reasons::Created | Reasons::Triggered | Reasons::FirstSeen) => {
            "failure.start is \"acknowledged\", but nobody acknowledged it before its first end: "
        }
        _ => "",
    };
    let found = |because| match because {
        Reasons::Created => "its creation time",
        Reasons::Triggered => "the time of its trigger",
        Reasons::Acknowledged => "when it was first acknowledged, which was before its first end",
        Reasons::FirstSeen => "the earliest event seen, for neither its creation nor its trigger is known",
    };
    match view.moved_by {
        None => format!("{wished}{}", found(because)),
        Some((source, _, because)) => {
            format!(
                "{source}, which was merged into it, began then ({}); its own start is {own}",
                found(because)
            )
        }
    }
}

fn end(view: &IncidentEvaluation<'_>) -> String {
    match view.resolved_at() {
        Some(at) if at < view.start().0 => {
            format!("the last resolve was at {at}, before the start: moved to it")
        }
        _ => "the last resolve that no reopen follows".to_owned(),
    }
}

/// Times of the reopenings, and the events that tell of them.
fn reopenings(view: &IncidentEvaluation<'_>) -> Vec<Why> {
    let pairs = view.stretches.iter().zip(view.stretches.iter().skip(1));
    let told = pairs.filter_map(|(before, stretch)| {
        let because = match before.resolved_at {
            Some(_) => "after it was resolved, an event says that it was reopened then",
            None => "an event says that it was reopened then, and the resolve before that never came",
        };
        stretch.reopened_at.map(|at| why("reopened", at.to_string(), because))
    });
    told.collect()
}

fn time_to_restore(policy: &Policy) -> &'static str {
    match policy.reopened {
        Reopened::WallClock => "from start to end (failure.reopened is \"wall_clock\")",
        Reopened::ActiveTime => "the time in which it was open (failure.reopened is \"active_time\")",
    }
}

fn standing(view: &IncidentEvaluation<'_>) -> Option<Why> {
    let (value, because) = match view.standing {
        Standing::Own => return None,
        Standing::CycleCut => ("-".to_owned(), "merges lead in a cycle, and it began first: it counts"),
        Standing::Into(target) => (target.to_string(), "the resolve_reason of its deciding resolve names it"),
        Standing::IntoUnseen(Some(target)) => {
            (target.to_string(), "its deciding resolve names it, but no event has shown that incident")
        }
        Standing::IntoUnseen(None) => {
            ("-".to_owned(), "its deciding resolve is a merge that names no incident")
        }
    };
    Some(why("merged_into", value, because))
}

fn counts(view: &IncidentEvaluation<'_>, policy: &Policy) -> Why {
    if view.is_merged() {
        return why("counts", "no", "it went on as another incident, which is asked instead");
    }
    let (ruling, decided_by) = view.ruling;
    let whose = if decided_by == view.incident { "" } else { " for what was merged into it" };
    let (value, because) = match (view.verdict(policy), ruling) {
        (RuleVerdict::Ignored(rule), _) if view.sources.is_empty() => ("no", first_match(rule)),
        (RuleVerdict::Ignored(rule), _) => (
            "no",
            format!("rule {:?} ignores it, and all that was merged into it is ignored, too", rule.name),
        ),
        (RuleVerdict::TooShort, _) => ("no", TOO_SOON.to_owned()),
        (RuleVerdict::Counts, Ruling::Counted(rule)) => ("yes", first_match(rule) + whose),
        (RuleVerdict::Counts, _) => ("yes", unruled(view, policy)),
    };
    why("counts", value, because)
}

const TOO_SOON: &str = "it was over sooner than failure.min_duration";

fn first_match(rule: &Rule) -> String {
    format!("rule {:?} is the first that matches", rule.name)
}

/// Reason why a failure counts although no rule says so.
fn unruled(view: &IncidentEvaluation<'_>, policy: &Policy) -> String {
    match view.own_ruling {
        Ruling::Ignored(rule) => {
            format!(
                "rule {:?} ignores it, but {}, which was merged into it, counts",
                rule.name, view.ruling.1
            )
        }
        _ if policy.rules.is_empty() => "there are no rules".to_owned(),
        _ => "no rule ignores it".to_owned(),
    }
}

fn attribution(view: &IncidentEvaluation<'_>, policy: &Policy) -> [Why; 3] {
    let Attribution { services, team, env, services_step, team_step, env_is_entrys, .. } = &view.attribution;
    let which = match policy.service {
        WhichService::Last => "last",
        WhichService::First => "first",
    };
    let of_env =
        if *env_is_entrys { "service entry" } else { "failure.default_env: no service entry names one" };
    [
        why(
            "services",
            names(services),
            format!("{services_step}, asked for the incident's {which} service"),
        ),
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
            "the start is the earliest event seen, or a resolve before a reopen never came: left out of statistics of \
             durations"
        }
        Flag::EndBeforeStart => "the end was moved to the start: left out of statistics of durations",
        Flag::InTheFuture => "an event was dated more than five minutes after it was received",
        Flag::MergeTargetUnseen => "no event has shown the incident that it was merged into",
        Flag::MergeCycle => "merges lead in a cycle",
    }
}
