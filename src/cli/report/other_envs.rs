//! A hint for those who asked for an env in which nothing happened.

use crate::domain::figures::Report;
use crate::domain::printable::printable;

/// The envs that have something in the period, where the one asked for has nothing.
pub(super) fn other_envs(report: &Report, env: &str) -> Option<String> {
    if report.other_envs.is_empty() {
        return None;
    }
    let others: Vec<String> = report.other_envs.iter().map(|env| printable(env)).collect();
    Some(format!(
        "Nothing in env {} in this period. Envs that have data: {}. Ask for one with --env, or set failure.default_env.",
        printable(env),
        others.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::super::markdown::markdown;
    use super::super::tests::report;
    use super::super::text::table;
    use super::*;
    use crate::domain::figures::By;

    #[test]
    fn an_env_without_data_names_those_that_have_some() {
        let other_envs = vec!["production".to_owned(), "stag|ing".to_owned()];
        let report = Report { other_envs, ..report(By::Service, None, Vec::new()) };
        let hint = "Envs that have data: production, stag|ing.";
        let text = table(&report, "prod", &[], 200);
        assert!(text.contains("Nothing in env prod ") && text.contains(hint), "{text}");
        let markdown = markdown(&report, "prod");
        assert!(markdown.contains("production, stag\\|ing. Ask for one with --env"), "{markdown}");
        for line in table(&report, "prod", &[], 80).lines() {
            assert!(line.chars().count() <= 80, "{line}");
        }
    }
}
