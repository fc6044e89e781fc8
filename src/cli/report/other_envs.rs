//! Hints for a report whose env has no data, or whose incidents and deployments are in different envs.

use crate::domain::figures::Report;
use crate::domain::printable::printable;

/// Hint with the envs that have data in the period, if the env of the report has none.
pub(super) fn other_envs(report: &Report) -> Option<String> {
    if report.other_envs.is_empty() || !report.rows.is_empty() {
        return None;
    }
    let others: Vec<String> = report.other_envs.iter().map(|env| printable(env)).collect();
    Some(format!(
        "No data for env {} in this period. Envs that have data: {}. Choose one with --env, or set failure.default_env.",
        printable(&report.env),
        others.join(", ")
    ))
}

/// Hint with the services whose deployments are in another env than their incidents, and the remedy.
pub(super) fn deployed_elsewhere(report: &Report) -> Option<String> {
    if report.deployed_elsewhere.is_empty() {
        return None;
    }
    let sentences: Vec<String> =
        report.deployed_elsewhere.iter().map(|elsewhere| printable(&elsewhere.sentence())).collect();
    Some(format!(
        "Incidents are unmatched: {}. Give both the same env: `env` of the [[service]] entry, failure.default_env, or \
         \"env\" in the requests of the pipeline.",
        sentences.join("; ")
    ))
}

#[cfg(test)]
mod tests {
    use super::super::markdown::markdown;
    use super::super::tests::{report, unmatched};
    use super::super::text::table;
    use super::*;
    use crate::domain::figures::{DeployedElsewhere, Grouping};

    #[test]
    fn a_hint_names_deployments_in_another_env_than_the_incidents() {
        let elsewhere = |name: &str, env: &str, other_envs: &[&str]| DeployedElsewhere {
            name: name.to_owned(),
            env: env.to_owned(),
            other_envs: other_envs.iter().map(|env| (*env).to_owned()).collect(),
        };
        let deployed_elsewhere = vec![
            elsewhere("checkout", "production", &["prod"]),
            elsewhere("se|arch", "production", &["prod", "prd"]),
        ];
        let rows = vec![unmatched(Some("checkout"))];
        let report = Report { deployed_elsewhere, ..report(Grouping::Service, None, rows) };
        let hint = "checkout has deployments in env prod, none in production; se|arch has deployments in envs prod, prd, \
                    none in production.";
        assert!(table(&report, &[], 1_000).contains(hint));
        assert!(markdown(&report).contains("se\\|arch has deployments in envs prod"));
        for line in table(&report, &[], 80).lines() {
            assert!(line.chars().count() <= 80, "{line}");
        }
    }

    #[test]
    fn a_hint_names_the_envs_that_have_data() {
        let other_envs = vec!["production".to_owned(), "stag|ing".to_owned()];
        let report =
            Report { other_envs, env: "prod".to_owned(), ..report(Grouping::Service, None, Vec::new()) };
        let hint = "Envs that have data: production, stag|ing.";
        let text = table(&report, &[], 200);
        assert!(text.contains("No data for env prod ") && text.contains(hint), "{text}");
        let markdown = markdown(&report);
        assert!(markdown.contains("production, stag\\|ing. Choose one with --env"), "{markdown}");
        for line in table(&report, &[], 80).lines() {
            assert!(line.chars().count() <= 80, "{line}");
        }
    }
}
