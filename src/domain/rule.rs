//! Rule 11: the configured rules that decide which failures count.

use std::fmt;
use std::time::Duration;

use super::name::trimmed;
use super::pagerduty_ref::PagerDutyRef;
use super::timestamp::Timestamp;

/// One `[[rule]]`. Every key that is set has to match, by any of its values. A rule without keys matches everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Name of the rule: the reason shown for incidents that it ignores.
    pub name: String,
    /// `high`, `low`.
    pub urgency: Vec<String>,
    /// The priority's name.
    pub priority: Vec<String>,
    /// The service: its id, name or address at PagerDuty, or its name here.
    pub service: Vec<PagerDutyRef>,
    /// The team: its id, name or address at PagerDuty, or its name here.
    pub team: Vec<PagerDutyRef>,
    /// Patterns that are searched for in the title.
    pub title: Vec<Pattern>,
    /// PagerDuty's name of the incident's type.
    pub incident_type: Vec<String>,
    /// Action for incidents that match.
    pub action: RuleAction,
}

/// `rule.action`
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RuleAction {
    /// The failure does not count.
    Ignore,
    /// The failure counts, even if it is shorter than `failure.min_duration`.
    Count,
}

/// A regular expression that may match anywhere in a text. Matching takes time in proportion to the text's length.
#[derive(Debug, Clone)]
pub struct Pattern(regex::Regex);

impl Pattern {
    /// Reads an expression. The error is a message for people.
    pub fn parse(text: &str) -> Result<Self, String> {
        regex::Regex::new(text).map(Self).map_err(|error| error.to_string())
    }

    pub(super) fn is_in(&self, text: &str) -> bool {
        self.0.is_match(text)
    }

    /// The expression.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl Eq for Pattern {}

/// Properties of an incident that rules match. A property that is not known matches nothing.
#[derive(Debug, Clone, Default)]
pub struct RuleInput<'a> {
    /// The last urgency.
    pub urgency: Option<&'a str>,
    /// The last priority.
    pub priority: Option<&'a str>,
    /// The service's ids and names, at PagerDuty and here.
    pub services: Vec<&'a str>,
    /// The team's ids and names, at PagerDuty and here.
    pub teams: Vec<&'a str>,
    /// The last title.
    pub title: Option<&'a str>,
    /// The last incident type.
    pub incident_type: Option<&'a str>,
}

/// The first rule that matches.
pub fn first_match<'a>(rules: &'a [Rule], traits: &RuleInput<'_>) -> Option<&'a Rule> {
    rules.iter().find(|rule| rule.matches(traits))
}

impl Rule {
    fn matches(&self, traits: &RuleInput<'_>) -> bool {
        let any = |wanted: &[PagerDutyRef], known: &[&str]| {
            wanted.is_empty() || wanted.iter().any(|wanted| known.iter().any(|known| wanted.is(known)))
        };
        let one = |wanted: &[String], known: Option<&str>| {
            wanted.is_empty()
                || known.is_some_and(|known| wanted.iter().any(|wanted| wanted == trimmed(known)))
        };
        let in_title = |pattern: &Pattern| traits.title.is_some_and(|title| pattern.is_in(title));
        one(&self.urgency, traits.urgency)
            && one(&self.priority, traits.priority)
            && any(&self.service, &traits.services)
            && any(&self.team, &traits.teams)
            && one(&self.incident_type, traits.incident_type)
            && (self.title.is_empty() || self.title.iter().any(in_title))
    }
}

/// First rule that matches a failure (and the incidents merged into it), with its action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ruling<'a> {
    /// This rule ignores it.
    Ignored(&'a Rule),
    /// This rule counts it, even if it is shorter than `failure.min_duration`.
    Counted(&'a Rule),
    /// No rule matched: it counts.
    NoRule,
}

impl<'a> Ruling<'a> {
    /// Ruling of the first rule that matches.
    pub fn of(rules: &'a [Rule], traits: &RuleInput<'_>) -> Self {
        match first_match(rules, traits) {
            Some(rule) if rule.action == RuleAction::Ignore => Self::Ignored(rule),
            Some(rule) => Self::Counted(rule),
            None => Self::NoRule,
        }
    }

    /// `true` if a rule ignores the failure.
    pub fn is_ignored(self) -> bool {
        matches!(self, Self::Ignored(_))
    }

    /// `true` if this ruling wins over the other one in a group of merged incidents. A rule that counts wins over no
    /// rule, and no rule wins over a rule that ignores.
    pub fn outweighs(self, other: Self) -> bool {
        let weight = |ruling| match ruling {
            Self::Ignored(_) => 0,
            Self::NoRule => 1,
            Self::Counted(_) => 2,
        };
        weight(self) > weight(other)
    }
}

/// The reason shown for a failure that was too short. No rule may have this name.
pub const TOO_SHORT: &str = "min_duration";

/// Verdict on a failure: it counts, or the reason why not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuleVerdict<'a> {
    /// It counts.
    Counts,
    /// This rule ignores it.
    Ignored(&'a Rule),
    /// It was shorter than `failure.min_duration`, and no rule counts it.
    TooShort,
}

impl<'a> RuleVerdict<'a> {
    /// Verdict on a failure with this ruling and these times. The duration is measured by the wall clock, for every
    /// value of `failure.reopened`. `finished_at` is `None` while the failure is open, or if its duration is not known.
    /// Then it is not too short.
    pub fn of(
        ruling: Ruling<'a>,
        started_at: Timestamp,
        finished_at: Option<Timestamp>,
        min_duration: Duration,
    ) -> Self {
        let least = i64::try_from(min_duration.as_nanos()).unwrap_or(i64::MAX);
        let is_too_short = || finished_at.is_some_and(|end| end.nanos_since(started_at) < least);
        match ruling {
            Ruling::Ignored(rule) => Self::Ignored(rule),
            Ruling::NoRule if is_too_short() => Self::TooShort,
            Ruling::Counted(_) | Ruling::NoRule => Self::Counts,
        }
    }

    /// The reason shown for a failure that does not count.
    pub fn reason(self) -> Option<&'a str> {
        match self {
            Self::Counts => None,
            Self::Ignored(rule) => Some(&rule.name),
            Self::TooShort => Some(TOO_SHORT),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(name: &str, action: RuleAction) -> Rule {
        Rule {
            name: name.to_owned(),
            urgency: Vec::new(),
            priority: Vec::new(),
            service: Vec::new(),
            team: Vec::new(),
            title: Vec::new(),
            incident_type: Vec::new(),
            action,
        }
    }

    fn traits() -> RuleInput<'static> {
        RuleInput {
            urgency: Some("low"),
            services: vec!["PSVC001", "Checkout API", "checkout"],
            title: Some("checkout: disk 91 % full"),
            ..RuleInput::default()
        }
    }

    #[test]
    fn rule_11_a_rule_needs_all_its_keys_and_any_value_of_each() {
        let low = Rule { urgency: vec!["low".into(), "none".into()], ..rule("low", RuleAction::Ignore) };
        assert!(low.matches(&traits()));
        let on_search = Rule { service: vec!["search".into()], ..low.clone() };
        assert!(!on_search.matches(&traits()));
        for name in [
            "PSVC001",
            "psvc001",
            "https://acme.pagerduty.com/services/PSVC001/settings",
            "Checkout API",
            " checkout ",
        ] {
            assert!(Rule { service: vec![name.into()], ..low.clone() }.matches(&traits()), "{name}");
        }
        let by_priority = Rule { priority: vec!["P5".into()], ..low };
        assert!(!by_priority.matches(&traits()), "an unknown fact matches nothing");
        assert!(rule("all", RuleAction::Ignore).matches(&RuleInput::default()));
    }

    #[test]
    fn rule_11_a_pattern_may_match_anywhere_in_the_title() {
        let disk = |pattern: &str| {
            let title = vec![Pattern::parse(pattern).unwrap()];
            Rule { title, ..rule("disk", RuleAction::Ignore) }.matches(&traits())
        };
        assert!(disk(r"disk \d+ %") && disk("(?i)CHECKOUT") && !disk("^disk"));
        assert!(Pattern::parse("(").is_err());
    }

    #[test]
    fn rule_11_the_first_match_decides() {
        let rules = [rule("first", RuleAction::Count), rule("second", RuleAction::Ignore)];
        assert_eq!(first_match(&rules, &traits()).unwrap().name, "first");
        assert_eq!(first_match(&[], &traits()), None);
    }

    #[test]
    fn rule_11_a_group_is_ignored_only_if_every_member_is() {
        let (ignore, count) = (rule("noise", RuleAction::Ignore), rule("vip", RuleAction::Count));
        let (ignored, counted) = (Ruling::Ignored(&ignore), Ruling::Counted(&count));
        assert!(counted.outweighs(Ruling::NoRule) && Ruling::NoRule.outweighs(ignored));
        assert!(counted.outweighs(ignored) && !ignored.outweighs(ignored) && !ignored.outweighs(counted));
    }
}
