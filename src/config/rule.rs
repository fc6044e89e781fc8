//! `[[rule]]`: which failures count.

use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::value::Name;
use crate::domain::rule::{self, Action, Pattern};

/// `[[rule]]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Unique: the reason shown for what the rule ignores.
    pub name: Spanned<Name>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    urgency: Vec<Urgency>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    priority: Vec<Name>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    service: Vec<Name>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    team: Vec<Name>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    title: Vec<Regex>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    incident_type: Vec<Name>,
    action: Action,
}

/// The two urgencies that PagerDuty has.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
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
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
struct Regex(Pattern);

impl TryFrom<String> for Regex {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Pattern::parse(&text).map(Self).map_err(|error| {
            // The last line says what is wrong; those before it show where.
            let said = error.lines().last().unwrap_or_default();
            format!("is not a regular expression: {}", said.trim_start_matches("error: "))
        })
    }
}

impl From<Regex> for String {
    fn from(regex: Regex) -> Self {
        regex.0.to_string()
    }
}

impl Rule {
    /// The rule as failures are asked about it.
    pub(super) fn to_domain(&self) -> rule::Rule {
        let strings = |names: &[Name]| names.iter().map(|name| name.as_str().to_owned()).collect();
        rule::Rule {
            name: self.name.get_ref().as_str().to_owned(),
            urgency: self.urgency.iter().map(|urgency| urgency.as_str().to_owned()).collect(),
            priority: strings(&self.priority),
            service: strings(&self.service),
            team: strings(&self.team),
            title: self.title.iter().map(|regex| regex.0.clone()).collect(),
            incident_type: strings(&self.incident_type),
            action: self.action,
        }
    }
}
