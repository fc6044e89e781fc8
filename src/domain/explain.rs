//! Why a failure is what it is, in words that somebody who doubts the figure can check.

use serde::{Deserialize, Serialize};

use super::evaluate::{Because, View};
use super::failure::{Evaluated, Failure, Flag, State};
use super::history::NamedBy;
use super::id::IncidentId;
use super::merge::{Group, Merges, Standing};
use super::policy::{Policy, Reopened, Start, WhichService};
use super::rule::{Ruling, TOO_SHORT};

/// One thing about a failure, and what decided it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Why {
    /// What it is about: a field of the failure.
    pub about: String,
    /// What it came to.
    pub value: String,
    /// What decided that.
    pub because: String,
}

fn why(about: &str, value: impl Into<String>, because: impl Into<String>) -> Why {
    Why { about: about.to_owned(), value: value.into(), because: because.into() }
}

/// Explains an incident among those that merges connect it with. `None` while no event has shown it.
pub fn explain(incident: &IncidentId, group: &Group, policy: &Policy) -> Option<(Evaluated, Vec<Why>)> {
    let view = View::of(incident, &Merges::of(group), policy)?;
    let evaluated = view.evaluate(policy);
    let failure = &evaluated.failure;
    let mut told = vec![
        why("state", failure.state.as_str(), state(&view, failure)),
        why("started_at", failure.started_at.to_string(), start(&view, policy)),
    ];
    told.extend(failure.finished_at.map(|at| why("finished_at", at.to_string(), end(&view))));
    told.extend(
        failure.time_to_restore_seconds.map(|seconds| {
            why("time_to_restore_seconds", seconds.to_string(), time_to_restore(&view, policy))
        }),
    );
    let reopenings = view.stretches.iter().filter_map(|stretch| stretch.reopened_at);
    told.extend(reopenings.map(|at| {
        why("reopened", at.to_string(), "after it was resolved, an event says that it was reopened then")
    }));
    told.extend(view.sources.iter().map(|source| {
        why("merged", source.to_string(), "the resolve that ended it is a merge that leads here")
    }));
    told.extend(standing(&view));
    told.push(counts(&view, failure, policy));
    told.push(why("services", names(&failure.services), attribution(failure, policy)));
    told.push(why("team", failure.team.as_deref().unwrap_or("-"), attribution(failure, policy)));
    told.push(why("env", failure.env.clone(), env(failure, policy)));
    told.push(why("severity", failure.severity.as_deref().unwrap_or("-"), severity(failure, policy)));
    told.extend(view.history.named_deployment().map(|(name, by)| {
        why(
            "deployment",
            name,
            match by {
                NamedBy::Field => "the custom field named deployment names it",
                NamedBy::Note => "the last note that begins with \"deployment:\" names it",
            },
        )
    }));
    told.extend(failure.flags.iter().map(|flag| why("flag", flag.as_str(), meaning(*flag))));
    Some((evaluated, told))
}

fn names(names: &[String]) -> String {
    if names.is_empty() { "-".to_owned() } else { names.join(", ") }
}

fn state(view: &View<'_>, failure: &Failure) -> String {
    let resolved = view.resolved_at().map_or_else(String::new, |at| at.to_string());
    match (failure.state, view.stretches.last().and_then(|stretch| stretch.reopened_at)) {
        (State::Merged, _) => format!("the resolve of {resolved} that decides is a merge, not a restoration"),
        (State::Ignored, _) => match failure.reason.as_deref() {
            Some(TOO_SHORT) => "failure.min_duration ignores it".to_owned(),
            reason => format!("rule {:?} ignores it", reason.unwrap_or_default()),
        },
        (State::Completed, _) => format!("no reopen follows the resolve of {resolved}"),
        (State::Open, Some(at)) => format!("it was reopened at {at}, and not resolved since"),
        (State::Open, None) => "it has not been resolved; an acknowledgement ends nothing".to_owned(),
    }
}

fn start(view: &View<'_>, policy: &Policy) -> String {
    let (own, because) = view.own_start;
    let wished = match (policy.start, because) {
        (Start::Triggered, Because::Created | Because::FirstSeen) => {
            "failure.start is \"triggered\", but no trigger was seen: "
        }
        (Start::Acknowledged, Because::Created | Because::Triggered | Because::FirstSeen) => {
            "failure.start is \"acknowledged\", but nobody acknowledged it before its first end: "
        }
        _ => "",
    };
    let found = |because| match because {
        Because::Created => "PagerDuty's created_at",
        Because::Triggered => "when incident.triggered occurred",
        Because::Acknowledged => "when it was first acknowledged, which was before its first end",
        Because::FirstSeen => "the earliest event seen, for neither created_at nor the trigger is known",
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

fn end(view: &View<'_>) -> String {
    match view.resolved_at() {
        Some(at) if at < view.start().0 => {
            format!("the last resolve was at {at}, before the start: moved to it")
        }
        _ => "the last incident.resolved that no reopen follows".to_owned(),
    }
}

fn time_to_restore(view: &View<'_>, policy: &Policy) -> String {
    match policy.reopened {
        Reopened::WallClock => "from start to end (failure.reopened is \"wall_clock\")".to_owned(),
        Reopened::ActiveTime => {
            format!(
                "the {} stretches in which it was open (failure.reopened is \"active_time\")",
                view.stretches.len()
            )
        }
    }
}

fn standing(view: &View<'_>) -> Option<Why> {
    let (value, because) = match view.standing {
        Standing::Own => return None,
        Standing::CycleCut => ("-".to_owned(), "merges lead in a circle, and it began first: it counts"),
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

fn counts(view: &View<'_>, failure: &Failure, policy: &Policy) -> Why {
    let among = if view.sources.is_empty() { "" } else { ", asked of it and of those merged into it" };
    let (value, because) = match (view.ruling, failure.state) {
        (_, State::Merged) => ("no", "what it was merged into counts instead".to_owned()),
        (Ruling::Ignored(rule), _) => {
            ("no", format!("rule {:?} is the first that matches{among}", rule.name))
        }
        (Ruling::Counted(rule), _) => {
            ("yes", format!("rule {:?} is the first that matches{among}", rule.name))
        }
        (Ruling::Unruled, State::Ignored) if failure.reason.as_deref() == Some(TOO_SHORT) => {
            ("no", format!("it was over sooner than failure.min_duration, {:?}", policy.min_duration))
        }
        (Ruling::Unruled, _) if policy.rules.is_empty() => ("yes", "there are no rules".to_owned()),
        (Ruling::Unruled, _) => ("yes", format!("no rule ignores it{among}")),
    };
    why("counts", value, because)
}

fn attribution(failure: &Failure, policy: &Policy) -> String {
    let which = match policy.service {
        WhichService::Last => "last",
        WhichService::First => "first",
    };
    format!("{}, for the incident's {which} service", failure.attribution)
}

fn env(failure: &Failure, policy: &Policy) -> String {
    if failure.env == policy.default_env {
        format!("{}, else failure.default_env", failure.attribution)
    } else {
        failure.attribution.clone()
    }
}

fn severity(failure: &Failure, policy: &Policy) -> String {
    match &failure.priority {
        None => "it has no priority".to_owned(),
        Some(priority) if policy.severities.contains_key(priority) => {
            format!("its last priority, {priority}, through [failure.severity]")
        }
        Some(priority) => format!("its last priority, {priority}, which [failure.severity] does not list"),
    }
}

fn meaning(flag: Flag) -> &'static str {
    match flag {
        Flag::Approximate => "the start is the earliest event seen: left out of statistics of durations",
        Flag::EndBeforeStart => "the end was moved to the start: left out of statistics of durations",
        Flag::InTheFuture => "an event was dated more than five minutes after it was received",
        Flag::MergeTargetUnseen => "no event has shown the incident that it was merged into",
        Flag::MergeCycle => "merges lead in a circle",
    }
}
