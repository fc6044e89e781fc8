//! `[[deployment]]`: which deployments of GitHub and GitLab count, and as what.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::findings::Findings;
use super::list::List;
use super::value::{CONTROL, Name, read_from_text};
use crate::domain::deployment_table::{DeploymentTable, PatternKey, RepositoryGlob, WholePattern};
use crate::domain::deployment_table_coverage::{matches_no_path, matches_nothing};
use crate::domain::deployment_template::{FACTS, Template};
use crate::domain::name::{is_blank, trimmed};
use crate::domain::rule::RuleAction;

/// `[[deployment]]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeploymentSection {
    /// Unique. Shown as the reason for deployments that the table ignores.
    pub name: Spanned<Name>,
    #[serde(default, skip_serializing_if = "List::is_left_out")]
    source: List<SourceWord>,
    #[serde(default, skip_serializing_if = "List::is_left_out")]
    repository: List<Repository>,
    #[serde(default, skip_serializing_if = "List::is_left_out")]
    environment: List<Spanned<Regex>>,
    #[serde(default, rename = "ref", skip_serializing_if = "List::is_left_out")]
    reference: List<Spanned<Regex>>,
    #[serde(default, skip_serializing_if = "List::is_left_out")]
    workflow: List<Spanned<Regex>>,
    #[serde(default, skip_serializing_if = "List::is_left_out")]
    job: List<Spanned<Regex>>,
    #[serde(default, skip_serializing_if = "List::is_left_out")]
    creator: List<Spanned<Regex>>,
    #[serde(default, skip_serializing_if = "List::is_left_out")]
    task: List<Spanned<Regex>>,
    #[serde(default, skip_serializing_if = "List::is_left_out")]
    services: List<Spanned<TemplateText>>,
    env: Option<Spanned<TemplateText>>,
    version: Option<Spanned<TemplateText>>,
    team: Option<Spanned<TemplateText>>,
    #[serde(default = "count")]
    action: RuleAction,
}

const fn count() -> RuleAction {
    RuleAction::Count
}

/// Sources of deployments.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, strum::IntoStaticStr, strum::VariantArray,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub(super) enum SourceWord {
    GitHub,
    GitLab,
}

impl SourceWord {
    fn as_str(self) -> &'static str {
        self.into()
    }
}

/// A source whose deployments come in.
#[derive(Debug, Clone, Copy)]
pub(super) struct ConfiguredSource {
    /// The source.
    pub(super) word: SourceWord,
    /// `false` if deployments are only read from its API.
    pub(super) has_webhooks: bool,
}

impl ConfiguredSource {
    /// `false` if the events of the source never have the fact.
    fn has(self, fact: &str) -> bool {
        match self.word {
            SourceWord::GitHub if !self.has_webhooks => !matches!(fact, "tier" | "workflow" | "job"),
            SourceWord::GitHub => fact != "tier",
            SourceWord::GitLab => matches!(fact, "repository" | "environment" | "creator" | "tier"),
        }
    }
}

/// Pattern of the full names of repositories.
#[derive(Debug, Clone, Serialize)]
#[serde(into = "String")]
struct Repository(String);

/// Regular expression that was checked.
#[derive(Debug, Clone, Serialize)]
#[serde(into = "String")]
struct Regex(WholePattern);

/// Text with placeholders.
#[derive(Debug, Clone, Serialize)]
#[serde(into = "String")]
struct TemplateText(Template);

read_from_text!(Repository, Regex, TemplateText);

impl TryFrom<String> for Repository {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let name = trimmed(&text);
        if name.is_empty() {
            return Err("is blank: write owner/name, or leave the key out");
        }
        if name.contains("://") || name.contains('@') {
            return Err("must be owner/name, or GitLab's path with its groups, not an address");
        }
        Ok(Self(name.to_owned()))
    }
}

impl TryFrom<String> for Regex {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        WholePattern::parse(&text).map(Self).map_err(|error| {
            // The last line has the reason. The lines before it show the place.
            let message = error.lines().last().unwrap_or(&error);
            format!("is not a regular expression: {}", message.trim_start_matches("error: "))
        })
    }
}

impl TryFrom<String> for TemplateText {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text.chars().any(char::is_control) {
            return Err(CONTROL);
        }
        Template::parse(trimmed(&text)).map(Self)
    }
}

impl From<Repository> for String {
    fn from(repository: Repository) -> Self {
        repository.0
    }
}

impl From<Regex> for String {
    fn from(regex: Regex) -> Self {
        regex.0.as_str().to_owned()
    }
}

impl From<TemplateText> for String {
    fn from(text: TemplateText) -> Self {
        text.0.as_str().to_owned()
    }
}

impl DeploymentSection {
    /// Checks that each placeholder is a named group of the table or a fact, and that only the version is empty.
    pub(super) fn check(&self, findings: &mut Findings<'_>) {
        let table = self.to_domain();
        let groups: Vec<&str> = table.groups().collect();
        for (key, text) in self.templates() {
            let template = &text.get_ref().0;
            if key != "version" && is_blank(template.as_str()) {
                findings.at(text.span(), format!("is blank: write a text, or leave {key} out"));
            }
            for unknown in template.groups().filter(|name| !groups.contains(name)) {
                let facts = FACTS.map(|fact| format!("{{{fact}}}")).join(" ");
                let message = format!(
                    "has the placeholder {{{unknown}}}, and no expression of the table has a group (?<{unknown}>…). \
                     Without a group there are {facts} and {{payload.KEY}}"
                );
                findings.at(text.span(), message);
            }
        }
    }

    /// Warns of expressions that match nothing, keys without effect, and facts that no source of the table has.
    pub(super) fn warn(&self, configured: &[ConfiguredSource], findings: &mut Findings<'_>) {
        for (_, regexes) in self.regexes() {
            for regex in regexes.values().iter().filter(|regex| matches_nothing(&regex.get_ref().0)) {
                findings.at(regex.span(), format!("{:?} matches nothing", regex.get_ref().0.as_str()));
            }
        }
        if self.action == RuleAction::Ignore {
            for (key, text) in self.templates() {
                findings.at(text.span(), format!("{key} has no effect: the table ignores what it matches"));
            }
        }
        self.warn_of_parts_of_names(findings);
        self.warn_of_empty_placeholders(configured, findings);
        if let Some(reason) = self.unmatched_source(configured) {
            findings.at(
                self.place(),
                format!("[[deployment]] table {:?} never matches: {reason}", self.name.get_ref()),
            );
        }
        let has_condition = !self.source.is_left_out()
            || !self.repository.is_left_out()
            || self.regexes().any(|(_, regexes)| !regexes.is_left_out());
        if !has_condition && self.action == RuleAction::Count {
            let message = format!(
                "[[deployment]] table {:?} has no condition: it counts every deployment, also those of previews and tests",
                self.name.get_ref()
            );
            findings.at(self.place(), message);
        }
    }

    /// Warns of names of repositories without their owner, and of workflows without their folder: neither matches anything.
    fn warn_of_parts_of_names(&self, findings: &mut Findings<'_>) {
        for Repository(name) in self.repository.values().iter().filter(|name| !name.0.contains(['/', '*'])) {
            findings.at(
                self.place(),
                format!(
                    "repository {name:?} never matches: a full name has an owner, such as {:?}",
                    format!("acme/{name}")
                ),
            );
        }
        for regex in self.workflow.values() {
            let pattern = &regex.get_ref().0;
            if matches_no_path(pattern) {
                findings.at(
                    regex.span(),
                    format!(
                        "workflow {:?} never matches: it has to match the whole path, such as {:?}",
                        pattern.as_str(),
                        format!(r"\.github/workflows/{}", pattern.as_str())
                    ),
                );
            }
        }
    }

    /// Warns of placeholders for facts that no source of the table has. What the table matches then never counts, or never
    /// has a version.
    fn warn_of_empty_placeholders(&self, configured: &[ConfiguredSource], findings: &mut Findings<'_>) {
        let sources = self.sources(configured);
        let table = self.to_domain();
        let groups: Vec<&str> = table.groups().collect();
        let is_always_empty = |name: &&str| {
            !groups.contains(name) && !sources.is_empty() && !sources.iter().any(|source| source.has(name))
        };
        for (key, text) in self.templates() {
            if let Some(name) = text.get_ref().0.placeholders().find(is_always_empty) {
                let effect = if key == "version" { "have a version" } else { "count" };
                let message = format!(
                    "{{{name}}} is always empty, because the events of the table's sources do not have it: deployments that match the \
                     table never {effect}"
                );
                findings.at(text.span(), message);
            }
        }
    }

    /// Sources that are configured and that the table is for.
    fn sources(&self, configured: &[ConfiguredSource]) -> Vec<ConfiguredSource> {
        let wanted = |source: &&ConfiguredSource| {
            self.source.is_left_out() || self.source.values().contains(&source.word)
        };
        configured.iter().filter(wanted).copied().collect()
    }

    /// Reason why no source's deployments can match. `None` if some can.
    fn unmatched_source(&self, configured: &[ConfiguredSource]) -> Option<String> {
        let sources = self.sources(configured);
        if sources.is_empty() {
            let keys = match self.source.values() {
                [SourceWord::GitHub] => "signing_secrets or token in [github]",
                [SourceWord::GitLab] => "signing_secrets, tokens or token in [gitlab]",
                _ => "signing_secrets (GitLab also: tokens) or token in [github] or [gitlab]",
            };
            return Some(format!("none of its sources is configured: set {keys}"));
        }
        let missing = |source: &ConfiguredSource| {
            let regexes = self.regexes().filter(|(_, regexes)| !regexes.is_left_out());
            let key = regexes.map(|(key, _)| key.as_str()).find(|key| !source.has(key))?;
            Some((source.word, key))
        };
        let missing = sources.iter().map(missing).collect::<Option<Vec<_>>>()?;
        let remedy = match missing.as_slice() {
            [(SourceWord::GitLab, key)] => format!("remove {key}"),
            _ => "set signing_secrets in [github]".to_owned(),
        };
        let missing = missing.iter().map(|(source, key)| match source {
            SourceWord::GitHub => format!("GitHub's API has no {key}"),
            SourceWord::GitLab => format!("GitLab's webhooks have no {key}"),
        });
        let missing = missing.collect::<Vec<_>>().join(", ");
        Some(format!("{missing}, and the table matches no other source that is configured: {remedy}"))
    }

    /// Place of the table's name.
    pub(super) fn place(&self) -> Range<usize> {
        self.name.span()
    }

    fn regexes(&self) -> impl Iterator<Item = (PatternKey, &List<Spanned<Regex>>)> {
        [
            (PatternKey::Environment, &self.environment),
            (PatternKey::Ref, &self.reference),
            (PatternKey::Workflow, &self.workflow),
            (PatternKey::Job, &self.job),
            (PatternKey::Creator, &self.creator),
            (PatternKey::Task, &self.task),
        ]
        .into_iter()
    }

    fn templates(&self) -> impl Iterator<Item = (&'static str, &Spanned<TemplateText>)> {
        let services = self.services.values().iter().map(|text| ("services", text));
        let others = [("env", &self.env), ("version", &self.version), ("team", &self.team)];
        services.chain(others.into_iter().filter_map(|(key, text)| Some((key, text.as_ref()?))))
    }

    /// Table for the decision about deployments.
    pub(super) fn to_domain(&self) -> DeploymentTable {
        let template = |text: &Spanned<TemplateText>| text.get_ref().0.clone();
        let patterns: BTreeMap<PatternKey, Vec<WholePattern>> = self
            .regexes()
            .filter(|(_, regexes)| !regexes.is_left_out())
            .map(|(key, regexes)| {
                (key, regexes.values().iter().map(|regex| regex.get_ref().0.clone()).collect())
            })
            .collect();
        DeploymentTable {
            name: self.name.get_ref().as_str().to_owned(),
            source: self.source.values().iter().map(|source| source.as_str().to_owned()).collect(),
            repository: self.repository.values().iter().map(|name| RepositoryGlob::new(&name.0)).collect(),
            patterns,
            services: self.services.values().iter().map(template).collect(),
            env: self.env.as_ref().map(template),
            version: self.version.as_ref().map(template),
            team: self.team.as_ref().map(template),
            action: self.action,
        }
    }
}

#[cfg(test)]
mod tests;
