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
    /// Unique: the reason shown for what the rule ignores.
    pub name: Spanned<Name>,
    /// Says that the rule is meant to match every failure.
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

/// Any of these values; `None`: whatever the value is.
type Condition<T> = Option<Spanned<Vec<T>>>;

fn values<T>(condition: Option<&Spanned<Vec<T>>>) -> &[T] {
    condition.map_or(&[], |values| values.get_ref())
}

/// The two urgencies that PagerDuty has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Urgency {
    High,
    Low,
}

impl Urgency {
    const fn as_str(self) -> &'static str {
        match self {
            Self::High => "high",
            Self::Low => "low",
        }
    }
}

/// A regular expression that can be read.
#[derive(Debug, Clone, Serialize)]
#[serde(into = "String")]
struct Regex(Pattern);

read_from_text!(Regex);

impl TryFrom<String> for Regex {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Pattern::parse(&text).map(Self).map_err(|error| {
            // The last line says what is wrong; those before it show where.
            let said = error.lines().last().unwrap_or(&error);
            format!("is not a regular expression: {}", said.trim_start_matches("error: "))
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

const MEANT: &str = "if every failure is meant, leave it out and write all = true";

/// Part of all values that a condition lets pass.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Width {
    /// It lists nothing.
    Empty,
    /// Every value there is.
    Everything,
    /// Some values.
    Some,
}

impl RuleSection {
    /// Refuses a rule that matches everything by accident.
    pub(super) fn check(&self, findings: &mut Findings<'_>) {
        if self.name.get_ref().as_str() == TOO_SHORT {
            let said = "is the reason shown for what was over too soon: choose another name";
            findings.at(self.name.span(), format!("{:?} {said}", self.name.get_ref()));
        }
        let widths = self.widths();
        if let Some(all) = self.all.as_ref().filter(|all| *all.get_ref()) {
            for (key, ..) in widths.iter().filter(|(_, _, width)| *width == Width::Some) {
                let said =
                    format!("contradicts {key}, which lets only some failures pass: leave one of them out");
                findings.at(all.span(), said);
            }
            return;
        }
        for (_, span, width) in &widths {
            let said = match width {
                Width::Empty => EMPTY.to_owned(),
                Width::Everything => format!("matches every failure: narrow it; {MEANT}"),
                Width::Some => continue,
            };
            findings.at(span.clone(), said);
        }
        if widths.is_empty() {
            let said = format!(
                "rule {:?} has no condition and so matches every failure: add one, or write all = true",
                self.name.get_ref()
            );
            findings.at(self.name.span(), said);
        }
    }

    /// The conditions that are set: key, place, and how wide they are.
    fn widths(&self) -> Vec<(&'static str, Range<usize>, Width)> {
        fn width<T>(
            key: &'static str,
            condition: Option<&Spanned<Vec<T>>>,
            is_everything: impl Fn(&[T]) -> bool,
        ) -> Option<(&'static str, Range<usize>, Width)> {
            let condition = condition?;
            let width = match condition.get_ref().as_slice() {
                [] => Width::Empty,
                values if is_everything(values) => Width::Everything,
                _ => Width::Some,
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

    /// Warns of addresses without an id and of expressions that no title has, which can never match.
    pub(super) fn warn(&self, findings: &mut Findings<'_>) {
        if let Some(title) = &self.title {
            let regexes = title.get_ref();
            for regex in regexes.iter().filter(|regex| rule_coverage::matches_no_title(&regex.0)) {
                findings.at(title.span(), format!("{:?} matches no title", regex.0.as_str()));
            }
            if rule_coverage::match_every_title(&patterns(regexes)).is_none() {
                let said = "is too large to tell if it matches every title: write a shorter expression if it is not meant to";
                findings.at(title.span(), said);
            }
        }
        for condition in [&self.service, &self.team].into_iter().flatten() {
            for name in condition.get_ref() {
                if PagerDutyRef::parse(name.as_str()).names_nothing() {
                    findings
                        .at(condition.span(), format!("{name:?} has no id in it, so that it never matches"));
                }
            }
        }
    }

    /// The rule as failures are asked about it. A rule for all failures has no conditions.
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
