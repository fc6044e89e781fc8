//! Warnings about values that are allowed, but probably not intended.

use std::time::Duration;

use super::deployment::{ConfiguredSource, DeploymentSection, SourceWord};
use super::findings::Findings;
use super::{Config, Problem, RequestsPerMinute, RuleSection, ServiceSection, service};
use crate::domain::{deployment_table_coverage, rule_coverage};

/// Longest `settle` and `min_duration` without a warning. A longer one probably has the wrong unit.
const LONG: Duration = Duration::from_hours(24);

impl Config {
    /// Warns of values that have no effect, or probably not the intended one. The daemon runs in spite of them. Files
    /// are not read.
    pub fn warnings(&self) -> Vec<Problem> {
        let mut findings = Findings::in_text(&self.source_map);
        self.rule.iter().for_each(|rule| rule.warn(&mut findings));
        self.warn_of_shadowed_rules(&mut findings);
        service::warn(&self.service, &mut findings);
        self.warn_of_deployment_sources(&mut findings);
        self.warn_of_deployment_tables(&mut findings);
        self.backend.iter().for_each(|backend| backend.warn(&mut findings));
        self.server.tls.iter().for_each(|tls| tls.warn(&mut findings));
        self.warn_of_envs(&mut findings);
        self.warn_of_durations(&mut findings);
        self.warn_of_rate(&mut findings);
        findings.into_problems().into_iter().map(|problem| self.locate(problem)).collect()
    }

    fn warn_of_shadowed_rules(&self, findings: &mut Findings<'_>) {
        let rules: Vec<_> = self.rule.iter().map(RuleSection::to_domain).collect();
        for (index, (rule, later)) in self.rule.iter().zip(&rules).enumerate() {
            let earlier = rule_coverage::shadowing(&rules[..index], later);
            let message = match earlier.as_slice() {
                [] => continue,
                [one] => format!("rule {:?} comes before it and matches all of its failures", one.name),
                several => {
                    let names: Vec<String> = several.iter().map(|rule| format!("{:?}", rule.name)).collect();
                    format!(
                        "rules {} come before it and together match all of its failures",
                        names.join(", ")
                    )
                }
            };
            findings.at(rule.name.span(), format!("rule {:?} never matches: {message}", later.name));
        }
    }

    fn warn_of_deployment_sources(&self, findings: &mut Findings<'_>) {
        if self.github.as_ref().is_some_and(|section| !section.is_on()) {
            findings.about(
                "github",
                "has neither signing_secrets nor a token: no deployments of GitHub are received or read",
            );
        }
        if self.gitlab.as_ref().is_some_and(|section| !section.is_on()) {
            findings.about(
                "gitlab",
                "has neither signing_secrets nor tokens nor a token: no deployments of GitLab are received or read",
            );
        }
    }

    /// Warns of `[[deployment]]` tables that never match, and of values in them without effect.
    fn warn_of_deployment_tables(&self, findings: &mut Findings<'_>) {
        let github = self.github.as_ref().filter(|section| section.is_on());
        let github = github.map(|section| (SourceWord::GitHub, section.has_webhooks()));
        let gitlab = self.gitlab.as_ref().filter(|section| section.is_on());
        let gitlab = gitlab.map(|section| (SourceWord::GitLab, section.has_webhooks()));
        let configured = [github, gitlab].into_iter().flatten();
        let configured: Vec<ConfiguredSource> =
            configured.map(|(word, has_webhooks)| ConfiguredSource { word, has_webhooks }).collect();
        let tables: Vec<_> = self.deployment.iter().map(DeploymentSection::to_domain).collect();
        for (index, (section, table)) in self.deployment.iter().zip(&tables).enumerate() {
            section.warn(&configured, findings);
            if let Some(earlier) = deployment_table_coverage::shadowing(&tables[..index], table) {
                let message = format!(
                    "[[deployment]] table {:?} never matches: table {:?} comes before it and matches all of its deployments",
                    table.name, earlier.name
                );
                findings.at(section.place(), message);
            }
        }
    }

    /// Warns if an env is `default_env` in other letter case, and if `report` without `--env` shows no entry. `report`
    /// then shows `default_env`, which is also the env of all entries without one.
    fn warn_of_envs(&self, findings: &mut Findings<'_>) {
        let default = self.failure.default_env.as_str();
        let envs: Vec<_> = self.service.iter().filter_map(ServiceSection::env).collect();
        let Some((_, first_place)) = envs.first().cloned() else { return };
        let spelled =
            envs.iter().find(|(env, _)| *env != default && env.to_lowercase() == default.to_lowercase());
        if let Some((env, place)) = spelled {
            let message =
                format!("{env:?} and failure.default_env {default:?} are two envs: spell both the same");
            findings.at(place.clone(), message);
        } else if envs.len() == self.service.len() && envs.iter().all(|(env, _)| *env != default) {
            let mut names: Vec<&str> = envs.iter().map(|(env, _)| *env).collect();
            names.sort_unstable();
            names.dedup();
            let message = format!(
                "every [[service]] entry sets an env ({}), and none of them is failure.default_env ({default:?}). \
                 `report` shows {default:?} unless --env is given",
                names.join(", ")
            );
            findings.at(first_place, message);
        }
    }

    fn warn_of_rate(&self, findings: &mut Findings<'_>) {
        let Some(api) = &self.pagerduty.api else { return };
        if api.requests_per_minute.get() > RequestsPerMinute::OF_ACCOUNT {
            findings.about(
                "pagerduty.api.requests_per_minute",
                "is more than 960, which PagerDuty allows an account unless it has raised the limit: other tools of the \
                 account may be refused",
            );
        }
    }

    fn warn_of_durations(&self, findings: &mut Findings<'_>) {
        if self.dora.link_window.get().is_zero() {
            findings.about("dora.link_window", "is zero: no cause of a failure is found automatically");
        }
        if self.failure.settle.get() > LONG {
            findings
                .about("failure.settle", "is more than a day: failures are forwarded only after this time");
        }
        if self.failure.min_duration.get() > LONG {
            findings.about("failure.min_duration", "is more than a day: shorter failures are ignored");
        }
    }
}
