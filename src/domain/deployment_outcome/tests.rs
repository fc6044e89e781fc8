use strum::VariantArray as _;

use super::*;
use crate::domain::deployment_history::tests::{event, history, second};
use crate::domain::deployment_table::{PatternKey, RepositoryGlob, WholePattern};
use crate::domain::policy::ServiceEntry;
use crate::domain::source_name::SourceName;

const SHA: &str = "6dcb09b5b57875f334f61aebed695e2e4193db5e";

fn id(source: &'static str) -> SourceDeploymentId {
    SourceDeploymentId::new(&SourceName::new(source), "example.com", 4_200_001).unwrap()
}

fn facts(environment: &str) -> DeploymentFacts {
    let text = |text: &str| Some(text.to_owned());
    DeploymentFacts {
        repository: text("acme/shop"),
        repository_url: text("https://example.com/acme/shop"),
        environment: text(environment),
        reference: text("v1.42.0"),
        workflow: text(".github/workflows/release.yml"),
        job: text("deploy"),
        creator: text("ada"),
        task: text("deploy"),
        payload: Some([("service".to_owned(), "cart".to_owned())].into()),
        commit_sha: text(SHA),
        ..DeploymentFacts::default()
    }
}

fn entry(repository_url: &str, services: &[&str], team: Option<&str>) -> ServiceEntry {
    ServiceEntry {
        services: services.iter().map(|&name| name.to_owned()).collect(),
        team: team.map(str::to_owned),
        repository_url: Some(repository_url.to_owned()),
        ..ServiceEntry::default()
    }
}

fn policy(deployments: Vec<DeploymentTable>) -> Policy {
    Policy { default_env: "production".to_owned(), deployments, ..Policy::default() }
}

fn table(services: &[&str], environment: &[&str]) -> DeploymentTable {
    let environment: Vec<_> = environment.iter().map(|text| WholePattern::parse(text).unwrap()).collect();
    DeploymentTable {
        name: "shop".to_owned(),
        source: Vec::new(),
        repository: Vec::new(),
        patterns: [(PatternKey::Environment, environment)]
            .into_iter()
            .filter(|(_, list)| !list.is_empty())
            .collect(),
        services: services.iter().map(|text| template(text)).collect(),
        env: None,
        version: None,
        team: None,
        action: RuleAction::Count,
    }
}

fn template(text: &str) -> Template {
    Template::parse(text).unwrap()
}

/// The decision about a successful deployment: each that counts, or the reason why not.
fn decided(facts: &DeploymentFacts, policy: &Policy) -> String {
    let history = history(&[
        event("1", DeploymentState::InProgress, 0, facts.clone()),
        event("2", DeploymentState::Succeeded, 60, facts.clone()),
    ]);
    match decide(&id("github"), &history, policy).outcome {
        DeploymentOutcome::Counted(deployments) => {
            let shown = |one: &Deployment| {
                let (team, version) =
                    (one.team.as_deref().unwrap_or("-"), one.version.as_deref().unwrap_or("-"));
                let id = one.id.as_str().trim_start_matches("github:example.com:deployment:");
                format!("{id} {} {} {team} {version}", one.service, one.env)
            };
            deployments.iter().map(shown).collect::<Vec<_>>().join("; ")
        }
        DeploymentOutcome::NotCounted(reason) => reason.to_string(),
    }
}

#[test]
fn without_tables_production_counts_as_the_repository() {
    let policy = policy(Vec::new());
    assert_eq!(decided(&facts("production"), &policy), "4200001 shop production - -");
    assert_eq!(decided(&facts("Production"), &policy), "4200001 shop production - -");
    let flagged = DeploymentFacts { is_production: Some(true), ..facts("live") };
    assert_eq!(decided(&flagged, &policy), "4200001 shop production - -");
    assert_eq!(
        decided(&facts("staging"), &policy),
        "the environment staging is not production, and no [[deployment]] table matches"
    );
    // The source knows better.
    let tier = Some("other".to_owned());
    let other_tier = DeploymentFacts { is_production: Some(false), tier, ..facts("production") };
    assert_eq!(
        decided(&other_tier, &policy),
        "the environment production has the tier other at GitLab, and no [[deployment]] table matches"
    );
    let nowhere = DeploymentFacts { environment: None, ..facts("") };
    assert_eq!(decided(&nowhere, &policy), "it has no environment, and no [[deployment]] table matches");
    let homeless = DeploymentFacts { repository: None, ..facts("production") };
    assert_eq!(
        decided(&homeless, &policy),
        "its repository is unknown, and no [[deployment]] table names the service"
    );
}

#[test]
fn without_tables_the_services_of_the_repository_count() {
    let services = vec![
        entry("https://example.com/acme/cart", &["cart"], None),
        entry("https://Example.com/acme/shop.git/", &["web", "api"], Some("shop")),
        entry("git@example.com:acme/shop.git", &["api", "jobs"], None),
    ];
    let policy = Policy { services, ..policy(Vec::new()) };
    assert_eq!(
        decided(&facts("production"), &policy),
        "4200001:web web production shop -; 4200001:api api production shop -; 4200001:jobs jobs production - -"
    );
}

#[test]
fn named_groups_and_facts_name_services_env_version_and_team() {
    let monorepo = DeploymentTable {
        env: Some(template("{env}")),
        version: Some(template("{ref}")),
        team: Some(template("team-{payload.service}")),
        ..table(&["{service}"], &["(?<service>[a-z-]+)-(?<env>production|staging)"])
    };
    let policy = policy(vec![monorepo]);
    assert_eq!(
        decided(&facts("web-api-production"), &policy),
        "4200001 web-api production team-cart v1.42.0"
    );
    assert_eq!(decided(&facts("web-staging"), &policy), "4200001 web staging team-cart v1.42.0");
    assert!(decided(&facts("x-web-staging-1"), &policy).contains("is not production"), "matched whole");
}

#[test]
fn names_are_made_to_fit() {
    let odd = |text: &str| DeploymentFacts {
        repository: Some(format!("acme/{text}")),
        reference: Some(text.to_owned()),
        payload: Some([("env".to_owned(), text.to_owned())].into()),
        ..facts("production")
    };
    let named = DeploymentTable {
        services: vec![template("{repository}")],
        env: Some(template("{payload.env}")),
        team: Some(template("{ref}s")),
        version: Some(template("v{ref}")),
        ..table(&[], &[])
    };
    let (named, unnamed) = (policy(vec![named]), policy(Vec::new()));
    assert_eq!(decided(&odd("a\0b"), &named), "4200001 acme/a b a b a bs va b");
    assert_eq!(decided(&odd("a\nb"), &unnamed), "4200001 a b production - -");
    let decided = decided(&odd(&"x".repeat(2_000)), &named);
    let lengths: Vec<usize> = decided.split(' ').skip(1).map(str::len).collect();
    assert_eq!(lengths, [768; 4], "{decided}");
}

#[test]
fn an_empty_placeholder_does_not_count() {
    let counted = |table| decided(&facts("production"), &policy(vec![table]));
    let optional = table(&["web", "shop{region}"], &["production(?<region>-eu)?"]);
    assert_eq!(counted(optional), "{region} in services of the table \"shop\" is empty");
    let env = DeploymentTable { env: Some(template("{tier}")), ..table(&[], &[]) };
    assert_eq!(counted(env), "{tier} in env of the table \"shop\" is empty");
    let team = DeploymentTable { team: Some(template("{payload.team}")), ..table(&[], &[]) };
    assert_eq!(counted(team), "{payload.team} in team of the table \"shop\" is empty");
    let version = DeploymentTable { version: Some(template("v{payload.version}")), ..table(&[], &[]) };
    assert_eq!(counted(version), "4200001 shop production - -", "a deployment may have no version");
}

#[test]
fn the_first_table_that_matches_decides() {
    let ignore =
        DeploymentTable { action: RuleAction::Ignore, name: "tests".to_owned(), ..table(&[], &["test.*"]) };
    let all = table(&["all", "all"], &[]);
    let policy = policy(vec![ignore, all]);
    assert_eq!(decided(&facts("test-eu"), &policy), "the table \"tests\" ignores it");
    assert_eq!(decided(&facts("anything"), &policy), "4200001 all production - -", "each service once");
}

#[test]
fn every_key_of_a_table_has_to_match() {
    let all_keys = |key: PatternKey, text: &str| {
        let mut table = table(&["x"], &["production"]);
        for (key, text) in [
            (PatternKey::Ref, "v.*"),
            (PatternKey::Workflow, r".*/release\.yml"),
            (PatternKey::Job, "deploy|ship"),
            (PatternKey::Creator, "ada"),
            (PatternKey::Task, "deploy"),
        ] {
            table.patterns.insert(key, vec![WholePattern::parse(text).unwrap()]);
        }
        table
            .patterns
            .insert(key, vec![WholePattern::parse("other").unwrap(), WholePattern::parse(text).unwrap()]);
        DeploymentTable {
            source: vec!["github".to_owned()],
            repository: vec![RepositoryGlob::new("Acme/*")],
            ..table
        }
    };
    let is_matched =
        |table: DeploymentTable| decided(&facts("production"), &policy(vec![table])).contains(" x ");
    for (key, text) in [
        (PatternKey::Environment, "production"),
        (PatternKey::Ref, "v1.*"),
        (PatternKey::Workflow, ".*yml"),
        (PatternKey::Job, "deploy"),
        (PatternKey::Creator, "a.a"),
        (PatternKey::Task, "deploy"),
    ] {
        assert!(is_matched(all_keys(key, text)), "{key:?}");
        assert!(!is_matched(all_keys(key, "another")), "{key:?}");
    }
    let gitlab = DeploymentTable { source: vec!["gitlab".to_owned()], ..all_keys(PatternKey::Job, "deploy") };
    assert!(!is_matched(gitlab));
    let cart = DeploymentTable {
        repository: vec![RepositoryGlob::new("acme/cart")],
        ..all_keys(PatternKey::Job, "deploy")
    };
    assert!(!is_matched(cart));
}

#[test]
fn a_repository_matches_by_runs_of_characters() {
    let is_matched = |glob: &str| {
        let table = DeploymentTable { repository: vec![RepositoryGlob::new(glob)], ..table(&["x"], &[]) };
        decided(&facts("production"), &policy(vec![table])).contains(" x ")
    };
    for glob in ["acme/shop", "ACME/Shop", "*", "acme/*", "*/shop", "a*e/*o*p", "acme/shop*", "**"] {
        assert!(is_matched(glob), "{glob}");
    }
    for glob in ["acme", "acme/", "acme/sho", "shop", "*/sho", "acme/shop/*", "acme*acme*", "acme.shop", ""] {
        assert!(!is_matched(glob), "{glob}");
    }
}

#[test]
fn only_a_success_counts() {
    let policy = policy(Vec::new());
    let reason = |state: DeploymentState| {
        let history = history(&[event("1", state, 0, facts("production"))]);
        match decide(&id("github"), &history, &policy).outcome {
            DeploymentOutcome::Counted(_) => "counts".to_owned(),
            DeploymentOutcome::NotCounted(reason) => reason.to_string(),
        }
    };
    let reasons: Vec<String> =
        DeploymentState::VARIANTS.iter().map(|state| format!("{state:?}: {}", reason(*state))).collect();
    insta::assert_snapshot!(reasons.join("\n"), @r"
    Waiting: it has not ended: it waits
    Queued: it has not ended: it is queued
    InProgress: it has not ended: it is in progress
    Rejected: it was rejected
    Cancelled: it was cancelled
    Failed: it failed
    Succeeded: counts
    Inactive: it was replaced or taken down
    ");
}

#[test]
fn the_times_the_commit_and_the_repository_are_those_of_the_source() {
    let history = history(&[event("2", DeploymentState::Succeeded, 60, facts("production"))]);
    let policy = policy(Vec::new());
    let decided = decide(&id("gitlab"), &history, &policy);
    let DeploymentOutcome::Counted(deployments) = decided.outcome else { panic!("it counts") };
    let [deployment] = &deployments[..] else { panic!("one service") };
    assert_eq!((deployment.started_at, deployment.finished_at), (second(60), second(60)));
    assert_eq!(deployment.commit_sha.as_deref(), Some(SHA));
    assert_eq!(deployment.repository_url.as_deref(), Some("https://example.com/acme/shop"));
    assert_eq!((deployment.id.as_str(), decided.table), ("gitlab:example.com:deployment:4200001", None));
}
