//! Values that a configuration may hold, but that hardly anybody means.

use std::time::Duration;

use super::findings::Findings;
use super::{Config, Problem, RuleSection, ServiceSection, service};
use crate::domain::rule_coverage;

/// Longer waits and shortest durations are probably mistakes in the unit.
const LONG: Duration = Duration::from_hours(24);

impl Config {
    /// Warns of values that have no effect, or probably not the one that was meant; each with its place. No
    /// warning keeps the daemon from running. Files are not looked at.
    pub fn warnings(&self) -> Vec<Problem> {
        let mut findings = Findings::in_text(&self.source_map);
        self.rule.iter().for_each(|rule| rule.warn(&mut findings));
        self.warn_of_shadowed_rules(&mut findings);
        service::warn(&self.service, &mut findings);
        self.backend.iter().for_each(|backend| backend.warn(&mut findings));
        self.warn_of_envs(&mut findings);
        self.warn_of_durations(&mut findings);
        findings.into_problems().into_iter().map(|problem| self.locate(problem)).collect()
    }

    fn warn_of_shadowed_rules(&self, findings: &mut Findings<'_>) {
        let rules: Vec<_> = self.rule.iter().map(RuleSection::to_domain).collect();
        for (index, (rule, later)) in self.rule.iter().zip(&rules).enumerate() {
            let earlier = rule_coverage::shadowing(&rules[..index], later);
            let said = match earlier.as_slice() {
                [] => continue,
                [one] => format!("rule {:?} stands before it and matches all that it would", one.name),
                several => {
                    let names: Vec<String> = several.iter().map(|rule| format!("{:?}", rule.name)).collect();
                    format!("rules {} stand before it and together match all that it would", names.join(", "))
                }
            };
            findings.at(rule.name.span(), format!("rule {:?} never matches: {said}", later.name));
        }
    }

    /// Figures are computed for `default_env` where nobody names another env. Entries without an env have that one.
    fn warn_of_envs(&self, findings: &mut Findings<'_>) {
        let default = self.failure.default_env.as_str();
        let envs: Vec<_> = self.service.iter().filter_map(ServiceSection::env).collect();
        let Some((_, first_place)) = envs.first().cloned() else { return };
        let spelled =
            envs.iter().find(|(env, _)| *env != default && env.to_lowercase() == default.to_lowercase());
        if let Some((env, place)) = spelled {
            let said =
                format!("{env:?} and failure.default_env {default:?} are two envs: spell both the same");
            findings.at(place.clone(), said);
        } else if envs.len() == self.service.len() && envs.iter().all(|(env, _)| *env != default) {
            let mut names: Vec<&str> = envs.iter().map(|(env, _)| *env).collect();
            names.sort_unstable();
            names.dedup();
            let said = format!(
                "every [[service]] entry sets an env, and none of them is failure.default_env, {default:?} (they are: \
                 {}). `report` shows {default:?} unless --env is given",
                names.join(", ")
            );
            findings.at(first_place, said);
        }
    }

    fn warn_of_durations(&self, findings: &mut Findings<'_>) {
        if self.dora.link_window.get().is_zero() {
            findings.about("dora.link_window", "is zero, so that no deployment is ever linked to a failure");
        }
        if self.failure.settle.get() > LONG {
            findings.about("failure.settle", "is more than a day, and backends are told that much later");
        }
        if self.failure.min_duration.get() > LONG {
            findings.about("failure.min_duration", "is more than a day, and what was over sooner is ignored");
        }
    }
}
