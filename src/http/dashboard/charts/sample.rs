//! Data for tests.

use maud::Markup;

use super::frame::Head;
use super::funnel::FunnelService;
use super::period::ChartPeriod;
use super::rate_data::{Rate, RatePeriod};
use super::restore_data::{FailureDot, RestorePeriod};
use super::scale::real_len;
use super::stacked_bars::DeploymentPeriod;

pub(super) const WEEK: f64 = 604_800.0;

/// Markup with a line for each start of an element.
pub(super) fn lines(markup: &Markup) -> String {
    markup.0.replace("><", ">\n<").replace(">\n</", "></")
}

pub(super) fn head<'a>(id: &'a str, title: &'a str) -> Head<'a> {
    Head { id, title, every: "week" }
}

/// The n-th of several weeks. The last one is not over.
pub(super) fn week(n: usize, of: usize) -> ChartPeriod {
    let months = ["Sep", "Oct", "Nov", "Dec"];
    let (month, day) = (n / 4 % 4, n % 4 * 7 + 1);
    ChartPeriod {
        label: format!("{day} {}", months[month]),
        name: format!("2026-{:02}-{day:02}", month + 9),
        href: format!("failures?since={n}"),
        is_partial: n + 1 == of,
        pending: 0,
    }
}

/// Failed deployments of all in a week.
pub(super) fn rate_of(n: usize, of: usize, (failed, deployments): (u32, u32)) -> RatePeriod {
    let (x, all, z) = (f64::from(failed), f64::from(deployments), 1.96);
    let centre = (x + z * z / 2.0) / (all + z * z);
    let half = z / (all + z * z) * (x * (all - x) / all.max(1.0) + z * z / 4.0).sqrt();
    let rate = Rate::new(x / all, (centre - half).max(0.0), centre + half);
    let sample = format!("{failed} of {deployments} deployments");
    RatePeriod { period: week(n, of), rate, deployments: deployments.into(), sample }
}

/// Weeks with failed deployments of all.
pub(super) fn rates(weeks: &[(u32, u32)]) -> Vec<RatePeriod> {
    weeks.iter().enumerate().map(|(n, counts)| rate_of(n, weeks.len(), *counts)).collect()
}

/// Weeks with failed, fine and pending deployments.
pub(super) fn deployments(weeks: &[(u64, u64, u64)]) -> Vec<DeploymentPeriod> {
    let week = |(n, (failed, fine, pending)): (usize, &(u64, u64, u64))| {
        let period = ChartPeriod { pending: *pending, ..week(n, weeks.len()) };
        DeploymentPeriod { period, failed: *failed, fine: *fine }
    };
    weeks.iter().enumerate().map(week).collect()
}

/// Failures at random, with times that are log-normal around 40 minutes. The last weeks have open ones.
pub(super) fn failures(count: usize, weeks: usize) -> Vec<FailureDot> {
    let mut random = fastrand::Rng::with_seed(11);
    let mut failure = |n: usize| {
        let at_seconds = random.f64() * WEEK * real_len(weeks);
        let normal: f64 = (0..12).map(|_| random.f64()).sum::<f64>() - 6.0;
        let age = real_len(weeks) * WEEK - at_seconds;
        let is_open = n.is_multiple_of(40);
        let seconds = if is_open { age } else { (2_400.0 * (1.5 * normal).exp()).min(age) };
        FailureDot {
            name: format!("Failure {n}"),
            href: format!("failures/{n}"),
            at_seconds,
            seconds,
            is_open,
        }
    };
    (0..count).map(&mut failure).collect()
}

/// Weeks with the medians of failures.
pub(super) fn medians(failures: &[FailureDot], weeks: usize) -> Vec<RestorePeriod> {
    let week = |n: usize| {
        let (from, to) = (WEEK * real_len(n), WEEK * real_len(n + 1));
        let of = failures.iter().filter(|failure| (from..to).contains(&failure.at_seconds));
        let (open, restored): (Vec<_>, Vec<_>) = of.partition(|failure| failure.is_open);
        let mut times: Vec<f64> = restored.iter().map(|failure| failure.seconds).collect();
        times.sort_by(f64::total_cmp);
        RestorePeriod {
            period: week(n, weeks),
            starts_at_seconds: from,
            median_seconds: times.get(times.len() / 2).copied(),
            restored: u64::try_from(restored.len()).unwrap(),
            open: u64::try_from(open.len()).unwrap(),
        }
    };
    (0..weeks).map(week).collect()
}

/// Services with a fail rate of 12 %, but for a few.
pub(super) fn services(count: usize) -> Vec<FunnelService> {
    let names =
        ["checkout", "payments-gateway", "search", "identity-and-access-management-eu", "決済サービス基盤"];
    let mut random = fastrand::Rng::with_seed(5);
    let mut service = |n: usize| {
        let deployments = u64::try_from(n % 17 * (n % 17) * 2 + 4 + n % 5).unwrap();
        let rate = if n % 13 == 5 { 0.42 } else { 0.12 };
        let failed = (0..deployments).filter(|_| random.f64() < rate).count();
        let name = names
            .get(n / 13)
            .filter(|_| n % 13 == 5)
            .map_or_else(|| format!("service-{n}"), |name| (*name).to_owned());
        FunnelService {
            name,
            href: format!("services/{n}"),
            failed: u64::try_from(failed).unwrap(),
            deployments,
        }
    };
    (0..count).map(&mut service).collect()
}

/// Checks what holds for every chart: places are numbers within the picture, and the output is bounded.
pub(super) fn holds(markup: &Markup) {
    let html = &markup.0;
    assert!(!html.contains("NaN") && !html.contains("inf\"") && !html.contains("style="), "{html}");
    assert!(html.len() < 600_000, "{} bytes", html.len());
    for name in [" x=\"", " y=\"", " cx=\"", " cy=\"", " width=\"", " height=\""] {
        for part in html.split(name).skip(1) {
            let value: f64 = part.split('"').next().unwrap().parse().unwrap();
            assert!((-0.1..=600.0).contains(&value), "{name}{value} in {html}");
        }
    }
}
