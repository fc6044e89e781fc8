use std::collections::BTreeSet;

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
        r#"dora_failed_deployments{service="checkout",team="payments",env="production",window="90d"} 0.0"#,
        r#"dora_deployments_pending{service="search",team="payments",env="production",window="90d"} 0.0"#,
        r#"dora_time_to_restore_seconds{service="search",team="payments",env="production",window="7d",stat="n"} 0.0"#,
        r#"dora_unmatched_incidents{service="search",env="production",window="1d"} 0.0"#,
        r#"dora_unmatched_incidents{service="search",env="production",window="30d"} 1.0"#,
        r#"dora_matched_incidents{service="search",env="production",window="30d"} 0.0"#,
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
    assert!(!text.contains(r#"rate{service="checkout",env="production",window="7d"}"#), "{text}");
}

#[test]
fn metrics_keep_their_order_names_and_help_texts() {
    let deployed = deployment("1", "checkout", "09:00", "09:10");
    let failure = Failure { deployment: Some(deployed.id.to_string()), ..completed().failure };
    let dataset = dataset(&[failure], &Deployments::new(vec![deployed]));
    let now = Timestamp::parse("2026-11-05T00:00:00Z").unwrap();
    let text = text(&dataset, now, ("production", LINK_WINDOW)).unwrap();
    let helps: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("# HELP ")).collect();
    insta::assert_snapshot!(helps.join("\n"), @r"
    dora_incidents Incidents that started in the window.
    dora_deployments Deployments that ended in the window.
    dora_deployments_pending Deployments that ended in the window and may still cause a failure: they ended less than dora.link_window ago.
    dora_time_to_restore_seconds Time to restore of failures that ended in the window: from start to end, or the sum of the open periods, as failure.reopened chooses; stat n is the number of failures, median_low and median_high are the bounds of the median's 95 % interval.
    dora_restored_within_ratio Share of the failures that started in the window and were restored within an hour, a day or seven days, with those that are still open (Kaplan-Meier); stat low and high are the bounds of its 95 % interval.
    dora_failed_deployments Deployments that ended in the window and caused a failure.
    dora_matched_incidents Incidents that started in the window, if a deployment of their services or their cause ended in it.
    dora_unmatched_incidents Incidents that started in the window, if no deployment of their services ended in it.
    dora_change_failure_rate Matched incidents per deployment.
    dora_change_failure_rate_bound Bounds of the 95 % interval of dora_change_failure_rate.
    dora_change_fail_rate Failed deployments per deployment.
    dora_change_fail_rate_bound Bounds of the 95 % interval of dora_change_fail_rate.
    dora_rework_rate Deployments that fixed a failure, per deployment.
    dora_failed_deployment_recovery_seconds Time from the end of a failed deployment to the end of the first unbroken run of its failures.
    pagerduty_dora_figures_timestamp_seconds Time at which the dora_ gauges were computed.
    ");
}

#[test]
fn windows_that_are_not_longer_than_the_link_window_have_no_rates() {
    let deployed = Deployments::new(vec![deployment("1", "checkout", "09:00", "09:10")]);
    let dataset = dataset(&[completed().failure], &deployed);
    let now = Timestamp::parse("2026-11-01T12:00:00Z").unwrap();
    let windows = |gauge: &str, link_window| {
        let text = text(&dataset, now, ("production", link_window)).unwrap();
        let team = if gauge == "dora_failed_deployments" { "team=\"payments\"," } else { "" };
        let more = if gauge.ends_with("_bound") { ",bound=\"low\"" } else { "" };
        let has = |window: &&str| {
            let series =
                format!("{gauge}{{service=\"checkout\",{team}env=\"production\",window=\"{window}\"{more}}}");
            text.contains(&series)
        };
        WINDOWS.map(|(window, _)| window).into_iter().filter(has).collect::<Vec<_>>().join(" ")
    };
    for rate in [
        "dora_change_failure_rate",
        "dora_change_failure_rate_bound",
        "dora_change_fail_rate",
        "dora_change_fail_rate_bound",
        "dora_rework_rate",
    ] {
        assert_eq!(windows(rate, Duration::from_hours(23)), "90d 30d 7d 1d", "{rate}");
        assert_eq!(windows(rate, Duration::from_hours(24)), "90d 30d 7d", "{rate}");
        assert_eq!(windows(rate, Duration::from_hours(7 * 24)), "90d 30d", "{rate}");
    }
    assert_eq!(windows("dora_failed_deployments", Duration::from_hours(7 * 24)), "90d 30d 7d 1d");
}

/// Rare services share the label `other`, so one may have only deployments and another only incidents.
#[test]
fn there_is_no_change_failure_rate_if_all_incidents_are_unmatched() {
    let busy = (0..4 * MOST_SERVICES)
        .map(|n| deployment(&n.to_string(), &format!("service-{}", n / 4), "09:00", "09:10"));
    let rare = deployment("rare", "rare", "09:00", "09:10");
    let deployed = Deployments::new(busy.chain([rare]).collect());
    let now = Timestamp::parse("2026-11-05T00:00:00Z").unwrap();
    let rates = |service: &str| {
        let failure = Failure { services: vec![service.to_owned()], ..completed().failure };
        let text = text(&dataset(&[failure], &deployed), now, ("production", LINK_WINDOW)).unwrap();
        let other = r#"{service="other",env="production",window="7d"} "#;
        ["dora_change_failure_rate", "dora_change_fail_rate"].map(|gauge| {
            let start = format!("{gauge}{other}");
            text.lines().find_map(|line| line.strip_prefix(&start)).map(str::to_owned)
        })
    };
    assert_eq!(rates("never-deployed"), [None, Some("0.0".to_owned())]);
    assert_eq!(rates("rare"), [Some("1.0".to_owned()), Some("0.0".to_owned())]);
}
