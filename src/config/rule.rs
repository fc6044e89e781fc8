//! `[[rule]]`: which failures count.

use std::ops::Range;

use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::findings::Findings;
use super::list::EMPTY;
use super::value::{Name, read_from_text};
use crate::domain::pagerduty_ref::PagerDutyRef;
use crate::domain::rule::{self, Pattern, RuleAction, TOO_SHORT};
use crate::domain::rule_coverage;

/// `[[rule]]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleSection {
    /// Unique. Shown as the reason for failures that the rule ignores.
    pub name: Spanned<Name>,
    /// `true` if the rule is meant to match every failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    all: Option<Spanned<bool>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    urgency: Condition<Urgency>,
    #[serde(skip_serializing_if = "Option::is_none")]
    priority: Condition<Name>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Condition<Name>,
    #[serde(skip_serializing_if = "Option::is_none")]
    team: Condition<Name>,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Condition<Regex>,
    #[serde(skip_serializing_if = "Option::is_none")]
    incident_type: Condition<Name>,
    action: RuleAction,
}

/// Values of which one must match. `None` if any value matches.
type Condition<T> = Option<Spanned<Vec<T>>>;

fn values<T>(condition: Option<&Spanned<Vec<T>>>) -> &[T] {
    condition.map_or(&[], |values| values.get_ref())
}

/// PagerDuty's two urgencies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, strum::IntoStaticStr)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "snake_case")]
enum Urgency {
    High,
    Low,
}

impl Urgency {
    fn as_str(self) -> &'static str {
        self.into()
    }
}

/// Regular expression that was checked.
#[derive(Debug, Clone, Serialize)]
#[serde(into = "String")]
struct Regex(Pattern);

read_from_text!(Regex);

impl TryFrom<String> for Regex {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Pattern::parse(&text).map(Self).map_err(|error| {
            // The last line has the reason. The lines before it show the place.
            let message = error.lines().last().unwrap_or(&error);
            format!("is not a regular expression: {}", message.trim_start_matches("error: "))
        })
    }
}

impl From<Regex> for String {
    fn from(regex: Regex) -> Self {
        regex.0.to_string()
    }
}

fn patterns(regexes: &[Regex]) -> Vec<Pattern> {
    regexes.iter().map(|regex| regex.0.clone()).collect()
}

const ALL_TRUE_HINT: &str = "if every failure is meant, leave it out and write all = true";

/// Share of all values that a condition matches: none, some or all.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Coverage {
    /// No value: the list is empty.
    Empty,
    /// Every value.
    Everything,
    /// Some values.
    Some,
}

impl RuleSection {
    /// Refuses a rule that matches everything by accident.
    pub(super) fn check(&self, findings: &mut Findings<'_>) {
        if self.name.get_ref().as_str() == TOO_SHORT {
            let message =
                "is the reason shown for failures shorter than failure.min_duration: choose another name";
            findings.at(self.name.span(), format!("{:?} {message}", self.name.get_ref()));
        }
        let coverages = self.coverages();
        if let Some(all) = self.all.as_ref().filter(|all| *all.get_ref()) {
            for (key, ..) in coverages.iter().filter(|(_, _, width)| *width == Coverage::Some) {
                let message =
                    format!("contradicts {key}, which matches only some failures: leave one of them out");
                findings.at(all.span(), message);
            }
            return;
        }
        for (_, span, width) in &coverages {
            let message = match width {
                Coverage::Empty => EMPTY.to_owned(),
                Coverage::Everything => format!("matches every failure: narrow it; {ALL_TRUE_HINT}"),
                Coverage::Some => continue,
            };
            findings.at(span.clone(), message);
        }
        if coverages.is_empty() {
            let message = format!(
                "rule {:?} has no condition and so matches every failure: add one, or write all = true",
                self.name.get_ref()
            );
            findings.at(self.name.span(), message);
        }
    }

    /// Conditions that are set: key, place and width.
    fn coverages(&self) -> Vec<(&'static str, Range<usize>, Coverage)> {
        fn width<T>(
            key: &'static str,
            condition: Option<&Spanned<Vec<T>>>,
            is_everything: impl Fn(&[T]) -> bool,
        ) -> Option<(&'static str, Range<usize>, Coverage)> {
            let condition = condition?;
            let width = match condition.get_ref().as_slice() {
                [] => Coverage::Empty,
                values if is_everything(values) => Coverage::Everything,
                _ => Coverage::Some,
            };
            Some((key, condition.span(), width))
        }
        let both = |values: &[Urgency]| [Urgency::High, Urgency::Low].iter().all(|one| values.contains(one));
        let every_title =
            |regexes: &[Regex]| rule_coverage::match_every_title(&patterns(regexes)) == Some(true);
        [
            width("urgency", self.urgency.as_ref(), both),
            width("priority", self.priority.as_ref(), |_| false),
            width("service", self.service.as_ref(), |_| false),
            width("team", self.team.as_ref(), |_| false),
            width("title", self.title.as_ref(), every_title),
            width("incident_type", self.incident_type.as_ref(), |_| false),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// Warns of conditions that can never match: addresses without an id, and expressions that match no title.
    pub(super) fn warn(&self, findings: &mut Findings<'_>) {
        if let Some(title) = &self.title {
            let regexes = title.get_ref();
            for regex in regexes.iter().filter(|regex| rule_coverage::matches_no_title(&regex.0)) {
                findings.at(title.span(), format!("{:?} matches no title", regex.0.as_str()));
            }
            if rule_coverage::match_every_title(&patterns(regexes)).is_none() {
                let message =
                    "is too large to check whether it matches every title: write a shorter expression";
                findings.at(title.span(), message);
            }
        }
        for condition in [&self.service, &self.team].into_iter().flatten() {
            for name in condition.get_ref() {
                if PagerDutyRef::parse(name.as_str()).cannot_match() {
                    findings.at(condition.span(), format!("{name:?} has no id in it and never matches"));
                }
            }
        }
    }

    /// Rule for the evaluation of failures. A rule with `all = true` has no conditions.
    pub(super) fn to_domain(&self) -> rule::Rule {
        let is_for_all = self.all.as_ref().is_some_and(|all| *all.get_ref());
        let strings = |condition: Option<&Spanned<Vec<Name>>>| {
            let values = if is_for_all { &[] } else { values(condition) };
            values.iter().map(|name| name.as_str().to_owned()).collect::<Vec<_>>()
        };
        let references = |condition| strings(condition).into_iter().map(PagerDutyRef::from).collect();
        let urgency = if is_for_all { &[] } else { values(self.urgency.as_ref()) };
        let title = if is_for_all { &[] } else { values(self.title.as_ref()) };
        rule::Rule {
            name: self.name.get_ref().as_str().to_owned(),
            urgency: urgency.iter().map(|urgency| urgency.as_str().to_owned()).collect(),
            priority: strings(self.priority.as_ref()),
            service: references(self.service.as_ref()),
            team: references(self.team.as_ref()),
            title: title.iter().map(|regex| regex.0.clone()).collect(),
            incident_type: strings(self.incident_type.as_ref()),
            action: self.action,
        }
    }
}
