use super::labels::{MOST_ENVS, MOST_SERVICES};
use super::*;
use crate::domain::deployment::Deployments;
use crate::domain::deployment::tests::deployment;
use crate::domain::failure::Failure;
use crate::domain::failure::tests::completed;
use crate::domain::figures::tests::dataset;

const LINK_WINDOW: Duration = Duration::from_hours(24);

#[test]
fn the_figures_as_gauges() {
    let failure = completed().failure;
    let deployed =
        vec![deployment("1", "checkout", "09:00", "09:10"), deployment("2", "checkout", "12:00", "12:10")];
    let linked = Failure { deployment: Some(deployed[0].id.to_string()), ..failure };
    let now = Timestamp::parse("2026-11-05T00:00:00Z").unwrap();
    let text =
        text(&dataset(&[linked], &Deployments::new(deployed)), now, ("production", LINK_WINDOW)).unwrap();
    let mut lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    lines.sort_unstable();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn services_beyond_the_limit_count_as_other() {
    let failures: Vec<Failure> = (0..MOST_SERVICES + 50)
        .map(|n| Failure { services: vec![format!("service-{n}")], ..completed().failure })
        .collect();
    let now = Timestamp::parse("2026-11-05T00:00:00Z").unwrap();
    let text = text(&dataset(&failures, &Deployments::default()), now, ("production", LINK_WINDOW)).unwrap();
    let seven = |line: &&str| line.starts_with("dora_incidents{") && line.contains("window=\"7d\"");
    assert_eq!(text.lines().filter(seven).count(), MOST_SERVICES + 1);
    let other = text.lines().filter(seven).find(|line| line.contains("service=\"other\"")).unwrap();
    assert!(other.ends_with(" 50.0"), "{other}");
}

/// `n` failures and `n` deployments with more names than there are labels.
fn with_many_names(n: usize) -> Dataset {
    let failures: Vec<Failure> = (0..n)
        .map(|n| Failure {
            services: vec![format!("service-{}", n % 997), "shared".to_owned()],
            team: Some(format!("team-{}", n % 991)),
            env: format!("preview-{n}"),
            severity: Some(format!("severity-{}", n % 97)),
            ..completed().failure
        })
        .collect();
    let deployed = (0..n).map(|n| {
        let named = deployment(&n.to_string(), &format!("service-{}", n % 997), "09:00", "09:10");
        crate::domain::deployment::Deployment { env: format!("preview-{n}"), ..named }
    });
    dataset(&failures, &Deployments::new(deployed.collect()))
}

#[test]
fn series_are_bounded_for_any_names() {
    let now = Timestamp::parse("2026-11-05T00:00:00Z").unwrap();
    let text = text(&with_many_names(10_000), now, ("preview-9999", LINK_WINDOW)).unwrap();
    let series = text.lines().filter(|line| line.starts_with("dora_"));
    assert!(series.clone().count() <= MAX_SERIES, "{}", series.count());
    let values = |label: &str| -> BTreeSet<&str> {
        let marker = format!("{label}=\"");
        let lines = text.lines().filter(|line| line.starts_with("dora_"));
        lines.filter_map(|line| line.split(&marker).nth(1)?.split('"').next()).collect()
    };
    for (label, most) in [("service", MOST_SERVICES), ("env", MOST_ENVS + 1), ("team", 200), ("severity", 10)]
    {
        // One more for `other`, and one for no name.
        assert!(values(label).len() <= most + 2, "{label}: {}", values(label).len());
        assert!(values(label).contains("other"), "{label}");
    }
    assert!(values("env").contains("preview-9999"), "the default env keeps its name");
    let all = text.lines().filter(|line| line.starts_with("dora_deployments{") && line.contains("\"7d\""));
    let all: f64 = all.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum();
    assert!((all - 10_000.0).abs() < 1e-9, "{all}: no deployment is lost");
}

#[test]
fn counts_are_zero_if_nothing_happened_in_the_window() {
    let deployed = vec![deployment("1", "checkout", "09:00", "09:10")];
    let failure = Failure { services: vec!["search".to_owned()], ..completed().failure };
    let now = Timestamp::parse("2026-11-25T00:00:00Z").unwrap();
    let text =
        text(&dataset(&[failure], &Deployments::new(deployed)), now, ("production", LINK_WINDOW)).unwrap();
    for line in [
        r#"dora_incidents{service="checkout",team="payments",env="production",severity="",window="7d"} 0.0"#,
        r#"dora_deployments{service="checkout",team="payments",env="production",window="7d"} 0.0"#,
        r#"dora_deployments{service="search",team="payments",env="production",window="90d"} 0.0"#,
        r#"dora_failed_deployments{service="checkout",env="production",window="90d"} 0.0"#,
        r#"dora_unmatched_incidents{service="search",env="production",window="1d"} 0.0"#,
        r#"dora_unmatched_incidents{service="search",env="production",window="30d"} 1.0"#,
        r#"dora_matched_incidents{service="search",env="production",window="30d"} 0.0"#,
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
    assert!(!text.contains(r#"rate{service="checkout",env="production",window="7d"}"#), "{text}");
}
