//! `[[deployment]]` tables: which deployments of the sources count, and as what.

use std::collections::BTreeMap;

use super::deployment_event::DeploymentFacts;
use super::deployment_template::{Groups, Template};
use super::rule::RuleAction;

/// One `[[deployment]]` table. Every key that is set has to match, by any of its values. A table without keys matches
/// every deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeploymentTable {
    /// Name of the table: the reason shown for deployments that it ignores.
    pub name: String,
    /// Names of the sources.
    pub source: Vec<String>,
    /// Full names of the repositories.
    pub repository: Vec<RepositoryGlob>,
    /// Expressions for the other facts.
    pub patterns: BTreeMap<PatternKey, Vec<WholePattern>>,
    /// Services that the deployment counts for. Empty: those of the default.
    pub services: Vec<Template>,
    /// The env. `None`: `failure.default_env`.
    pub env: Option<Template>,
    /// The version. `None`: the deployment has none.
    pub version: Option<Template>,
    /// The team. `None`: the team of each service.
    pub team: Option<Template>,
    /// Action for deployments that match.
    pub action: RuleAction,
}

/// Keys of a table whose values are regular expressions, in the order in which their named groups win.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum PatternKey {
    /// Name of the environment.
    Environment,
    /// Branch, tag or commit.
    Ref,
    /// Path of the workflow's file.
    Workflow,
    /// Name of the job.
    Job,
    /// Login of the creator.
    Creator,
    /// The task.
    Task,
}

impl PatternKey {
    /// The key in the configuration.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    fn fact(self, facts: &DeploymentFacts) -> Option<&str> {
        match self {
            Self::Environment => facts.environment.as_deref(),
            Self::Ref => facts.reference.as_deref(),
            Self::Workflow => facts.workflow.as_deref(),
            Self::Job => facts.job.as_deref(),
            Self::Creator => facts.creator.as_deref(),
            Self::Task => facts.task.as_deref(),
        }
    }
}

/// Name of a repository, in which `*` is any run of characters. Letter case does not matter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepositoryGlob(String);

impl RepositoryGlob {
    /// The pattern. Every text is one.
    pub fn new(text: &str) -> Self {
        Self(text.to_lowercase())
    }

    /// The pattern in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The only name that matches, in lower case. `None` if the pattern has a `*`.
    pub fn single(&self) -> Option<&str> {
        Some(self.as_str()).filter(|pattern| !pattern.contains('*'))
    }

    /// Regular expression that matches the same names in lower case.
    pub(super) fn to_expression(&self) -> String {
        let parts: Vec<String> = self.0.split('*').map(regex::escape).collect();
        format!(r"\A{}\z", parts.join("(?s:.*)"))
    }

    fn matches(&self, repository: &str) -> bool {
        let repository = repository.to_lowercase();
        let mut parts = self.0.split('*');
        let first = parts.next().unwrap_or_default();
        let Some(mut rest) = repository.strip_prefix(first) else { return false };
        let Some(last) = parts.next_back() else { return rest.is_empty() };
        // The leftmost match of each part leaves the most for the others.
        for part in parts {
            let Some(at) = rest.find(part) else { return false };
            rest = &rest[at + part.len()..];
        }
        rest.ends_with(last)
    }
}

/// A regular expression that has to match the whole text. Its named groups can be used in [`Template`]s.
#[derive(Debug, Clone)]
pub struct WholePattern {
    /// The expression as it was written.
    written: String,
    whole: regex::Regex,
}

impl WholePattern {
    /// Reads an expression. The error is a message for people.
    pub fn parse(text: &str) -> Result<Self, String> {
        // First the expression alone: a text such as `a)|(b` must not become valid by the group around it.
        regex::Regex::new(text).map_err(|error| error.to_string())?;
        let whole = regex::Regex::new(&format!(r"\A(?:{text})\z")).or_else(|_| {
            // A comment at its end (`(?x) a # b`) would hide the end of the group.
            regex::Regex::new(&format!("\\A(?:{text}\n)\\z"))
        });
        Ok(Self { written: text.to_owned(), whole: whole.map_err(|error| error.to_string())? })
    }

    /// The expression as it was written.
    pub fn as_str(&self) -> &str {
        &self.written
    }

    /// The expression that matches whole texts only.
    pub(super) fn whole(&self) -> &str {
        self.whole.as_str()
    }

    /// Names of the groups.
    pub fn groups(&self) -> impl Iterator<Item = &str> {
        self.whole.capture_names().flatten()
    }

    /// Texts of the named groups. `None` if the expression does not match.
    fn captures<'a>(&'a self, text: &'a str) -> Option<Vec<(&'a str, &'a str)>> {
        let captures = self.whole.captures(text)?;
        let text = |name| captures.name(name).map(|group| (name, group.as_str()));
        Some(self.groups().filter_map(text).collect())
    }
}

impl PartialEq for WholePattern {
    fn eq(&self, other: &Self) -> bool {
        self.written == other.written
    }
}

impl Eq for WholePattern {}

/// The first table that matches, with the texts of its groups.
pub fn first_match<'a>(
    tables: &'a [DeploymentTable],
    source: &str,
    facts: &DeploymentFacts,
) -> Option<(&'a DeploymentTable, Groups)> {
    tables.iter().find_map(|table| Some((table, table.matches(source, facts)?)))
}

impl DeploymentTable {
    /// Texts of the named groups. `None` if the table does not match. A fact that is not known matches nothing.
    fn matches(&self, source: &str, facts: &DeploymentFacts) -> Option<Groups> {
        let is_source = self.source.is_empty() || self.source.iter().any(|name| name == source);
        let is_repository = self.repository.is_empty()
            || facts
                .repository
                .as_deref()
                .is_some_and(|name| self.repository.iter().any(|glob| glob.matches(name)));
        if !is_source || !is_repository {
            return None;
        }
        let mut groups = Groups::new();
        for (key, patterns) in &self.patterns {
            let fact = key.fact(facts)?;
            let found = patterns.iter().find_map(|pattern| pattern.captures(fact))?;
            for (name, text) in found.into_iter().filter(|(_, text)| !text.is_empty()) {
                groups.entry(name.to_owned()).or_insert_with(|| text.to_owned());
            }
        }
        Some(groups)
    }

    /// Names of all groups in its expressions.
    pub fn groups(&self) -> impl Iterator<Item = &str> {
        self.patterns.values().flatten().flat_map(WholePattern::groups)
    }
}
