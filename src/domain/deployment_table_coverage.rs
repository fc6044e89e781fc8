//! Checks of `[[deployment]]` tables: expressions that match nothing, and tables that an earlier table shadows.

use super::deployment_table::{DeploymentTable, PatternKey, RepositoryGlob, WholePattern};
use super::pattern_coverage::{NOTHING, includes};

/// Pattern of all texts.
const ANYTHING: &str = r"\A(?s:.*)\z";

/// `true` if it is proved that no text matches the expression.
pub fn matches_nothing(pattern: &WholePattern) -> bool {
    includes(ANYTHING, &[NOTHING.to_owned()], &[pattern.whole().to_owned()]) == Some(true)
}

/// `true` if it is proved that no path of a workflow matches the expression, and some other text may. Such a path has two
/// slashes.
pub fn matches_no_path(pattern: &WholePattern) -> bool {
    const SHORT: &str = r"\A[^/]*(?:/[^/]*)?\z";
    !matches_nothing(pattern)
        && includes(ANYTHING, &[SHORT.to_owned()], &[pattern.whole().to_owned()]) == Some(true)
}

/// The first earlier table that matches every deployment that the later one matches, so that the later one never decides.
/// `None` if this is not proved.
pub fn shadowing<'a>(earlier: &'a [DeploymentTable], later: &DeploymentTable) -> Option<&'a DeploymentTable> {
    earlier.iter().find(|table| is_wider(table, later))
}

fn is_wider(wide: &DeploymentTable, narrow: &DeploymentTable) -> bool {
    has_wider_sources(wide, narrow)
        && has_wider_repositories(&wide.repository, &narrow.repository)
        && wide.patterns.iter().all(|(key, patterns)| has_wider_patterns(*key, patterns, narrow))
}

fn has_wider_sources(wide: &DeploymentTable, narrow: &DeploymentTable) -> bool {
    wide.source.is_empty()
        || (!narrow.source.is_empty() && narrow.source.iter().all(|source| wide.source.contains(source)))
}

/// A deployment without a repository matches no pattern. So a table without patterns is wider than one with `*`.
fn has_wider_repositories(wide: &[RepositoryGlob], narrow: &[RepositoryGlob]) -> bool {
    let texts =
        |globs: &[RepositoryGlob]| globs.iter().map(RepositoryGlob::to_expression).collect::<Vec<_>>();
    wide.is_empty() || is_included(&texts(narrow), &texts(wide))
}

fn has_wider_patterns(key: PatternKey, wide: &[WholePattern], narrow: &DeploymentTable) -> bool {
    let texts =
        |patterns: &[WholePattern]| patterns.iter().map(|one| one.whole().to_owned()).collect::<Vec<_>>();
    narrow.patterns.get(&key).is_some_and(|narrow| is_included(&texts(narrow), &texts(wide)))
}

fn is_included(narrow: &[String], wide: &[String]) -> bool {
    !narrow.is_empty()
        && (narrow.iter().all(|one| wide.contains(one)) || includes(ANYTHING, wide, narrow) == Some(true))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::rule::RuleAction;

    fn table(source: &[&str], repository: &[&str], environment: &[&str]) -> DeploymentTable {
        let patterns: Vec<_> = environment.iter().map(|text| WholePattern::parse(text).unwrap()).collect();
        DeploymentTable {
            name: "table".to_owned(),
            source: source.iter().map(|&name| name.to_owned()).collect(),
            repository: repository.iter().map(|text| RepositoryGlob::new(text)).collect(),
            patterns: if patterns.is_empty() {
                [].into()
            } else {
                [(PatternKey::Environment, patterns)].into()
            },
            services: Vec::new(),
            env: None,
            version: None,
            team: None,
            action: RuleAction::Count,
        }
    }

    #[test]
    fn a_table_is_shadowed_by_an_earlier_one_that_is_as_wide() {
        let all = table(&[], &[], &[]);
        let github = table(&["github"], &[], &[]);
        let shop = table(&[], &["acme/shop*"], &[]);
        let production = table(&[], &[], &["production|prod-.*"]);
        let shadows = |wide: &DeploymentTable, narrow: &DeploymentTable| {
            shadowing(std::slice::from_ref(wide), narrow).is_some()
        };
        for one in [&all, &github, &shop, &production] {
            assert!(shadows(&all, one) && shadows(one, one), "{one:?}");
        }
        assert!(!shadows(&github, &all) && !shadows(&shop, &all) && !shadows(&production, &all));
        assert!(shadows(&shop, &table(&["github"], &["Acme/Shop", "acme/shop-*-api"], &["x"])));
        assert!(!shadows(&shop, &table(&[], &["acme/shop", "acme/cart"], &[])));
        assert!(!shadows(&table(&[], &["acme/*-api"], &[]), &table(&[], &["acme/*"], &[])));
        assert!(shadows(&production, &table(&[], &[], &["prod-[a-z]+", "production"])));
        assert!(!shadows(&production, &table(&[], &[], &["prod.*"])));
        assert!(!shadows(&table(&[], &["*"], &[]), &all), "a deployment may have no repository");
        assert!(shadows(&table(&["github", "gitlab"], &[], &[]), &github));
    }

    #[test]
    fn expressions_that_match_no_path_are_found() {
        for (text, is_none) in [
            ("release.yml", true),
            ("release-[a-z]+\\.yml", true),
            (r"\.github/workflows/release\.yml", false),
            (".*release.yml", false),
            ("[a&&b]", false),
        ] {
            assert_eq!(matches_no_path(&WholePattern::parse(text).unwrap()), is_none, "{text}");
        }
    }

    #[test]
    fn expressions_that_match_nothing_are_found() {
        for (text, is_nothing) in
            [("[a&&b]", true), ("a^", true), ("production", false), ("", false), (".*", false)]
        {
            assert_eq!(matches_nothing(&WholePattern::parse(text).unwrap()), is_nothing, "{text}");
        }
    }
}
