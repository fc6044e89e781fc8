//! A page with all charts in several states, for people to look at: `target/tmp/charts.html`.

use std::path::Path;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::funnel::{Funnel, FunnelService, funnel};
use super::interval_bar::{IntervalBar, interval_bar};
use super::rate_chart::rate_chart;
use super::rate_data::{Rate, RateChart, RatePeriod, RateUnit};
use super::restore_chart::restore_chart;
use super::restore_data::RestoreChart;
use super::sample::{WEEK, deployments, failures, head, medians, rates, services, week};
use super::scale::real_len;
use super::stacked_bars::{DeploymentBars, stacked_bars};

const USUAL: [(u32, u32); 13] = [
    (2, 21),
    (3, 24),
    (1, 22),
    (4, 23),
    (0, 3),
    (0, 0),
    (2, 18),
    (5, 26),
    (6, 31),
    (3, 28),
    (4, 30),
    (2, 27),
    (1, 9),
];

fn rate_charts() -> Markup {
    let usual = pending(rates(&USUAL), 2);
    let (one, zeros) = (rates(&[(1, 7)]), rates(&[(0, 12), (0, 9), (0, 14), (0, 11)]));
    let gaps = rates(&[(1, 5), (0, 0), (2, 6), (0, 0), (0, 0), (2, 4), (3, 5)]);
    let days: Vec<_> = (0..400_u32).map(|n| (n * 7 % 5, 20 + n * 13 % 9)).collect();
    let days = rates(&days);
    let number = |n: usize| {
        let value = [0.4, 1.2, 0.9, 2.1, 0.3, 0.0, 0.6][n];
        let rate = Rate::new(value, value * 0.4, value * 1.9 + 0.2);
        RatePeriod { period: week(n, 7), rate, deployments: 9, sample: "matched incidents".to_owned() }
    };
    let numbers: Vec<_> = (0..7).map(number).collect();
    let chart = |id, title, unit, periods: &[RatePeriod]| {
        rate_chart(&RateChart { head: head(id, title), unit, periods })
    };
    html! {
        (card(&chart("rate-usual", "Change fail rate", RateUnit::Share, &usual)))
        (card(&chart("rate-number", "Change failure rate", RateUnit::PerDeployment, &numbers)))
        (card(&chart("rate-gaps", "Rework rate", RateUnit::Share, &gaps)))
        (card(&chart("rate-zeros", "Nothing failed", RateUnit::Share, &zeros)))
        (card(&chart("rate-one", "One week", RateUnit::Share, &one)))
        (card(&chart("rate-days", "400 days", RateUnit::Share, &days)))
        (card(&chart("rate-none", "No data", RateUnit::Share, &[])))
    }
}

/// The same periods, the last two with pending deployments.
fn pending(mut periods: Vec<RatePeriod>, count: usize) -> Vec<RatePeriod> {
    for shown in periods.iter_mut().rev().take(count) {
        shown.period.pending = 3;
    }
    periods
}

fn restore_charts() -> Markup {
    let chart = |id, title, count: usize, weeks: usize| {
        let failures = failures(count, weeks);
        let periods = medians(&failures, weeks);
        let span_seconds = WEEK * real_len(weeks);
        restore_chart(&RestoreChart {
            head: head(id, title),
            span_seconds,
            periods: &periods,
            failures: &failures,
        })
    };
    html! {
        (card(&chart("restore-usual", "Time to restore", 83, 13)))
        (card(&chart("restore-many", "10,000 failures", 10_000, 13)))
        (card(&chart("restore-few", "Three failures", 3, 13)))
        (card(&chart("restore-none", "No failures", 0, 13)))
    }
}

fn bar_charts() -> Markup {
    let usual = USUAL.map(|(failed, all)| (u64::from(failed), u64::from(all - failed), 0));
    let mut usual = deployments(&usual);
    for shown in usual.iter_mut().rev().take(2) {
        shown.period.pending = 6;
        shown.fine /= 2;
    }
    let many: Vec<_> = (0..90).map(|n| (n % 4, 40 + n * 31 % 17, 0)).collect();
    let many = deployments(&many);
    let chart = |id, title, periods| stacked_bars(&DeploymentBars { head: head(id, title), periods });
    html! {
        (card(&chart("bars-usual", "Deployments", &usual)))
        (card(&chart("bars-many", "90 days", &many)))
        (card(&chart("bars-one", "Deployments of one week", &deployments(&[(1, 3, 0)]))))
    }
}

fn funnels() -> Markup {
    let chart = |id, title, services: &[FunnelService]| funnel(&Funnel { head: head(id, title), services });
    html! {
        (card(&chart("funnel-usual", "Services", &services(60))))
        (card(&chart("funnel-many", "5,000 services", &services(5_000))))
        (card(&chart("funnel-five", "Five services", &services(5))))
        (card(&chart("funnel-few", "Four services", &services(4))))
    }
}

fn interval_bars() -> Markup {
    let rows =
        [("checkout", 0.174, Some((0.07, 0.371))), ("search", 0.0, Some((0.0, 0.24))), ("mail", 0.5, None)];
    html! {
        div.card { table { tbody { @for (name, value, bounds) in rows {
            tr {
                th scope="row" { (name) }
                td.number { (format!("{:.1} %", value * 100.0)) }
                td { (interval_bar(&IntervalBar { value, bounds, max: 0.6, label: None })) }
            }
        } } } }
    }
}

fn card(chart: &Markup) -> Markup {
    html! { div.card.tile { (chart) } }
}

/// The gallery. `scheme` is `light` or `dark`.
fn page(scheme: &str) -> Markup {
    let style = concat!(include_str!("../style.css"), include_str!("charts.css"));
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "Charts" }
                style { (PreEscaped(style.replace("prefers-color-scheme: dark", match scheme {
                    "dark" => "min-width: 0",
                    _ => "max-width: 0",
                }))) }
            }
            body { main { h1 { "Charts" } section aria-label="Charts" { h2 { "All charts" } div.charts {
                (rate_charts()) (restore_charts()) (bar_charts()) (funnels()) (interval_bars())
            } } } }
        }
    }
}

#[test]
fn the_gallery_is_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tmp");
    std::fs::create_dir_all(&folder).unwrap();
    for (name, scheme) in [("charts.html", "light"), ("charts-dark.html", "dark")] {
        std::fs::write(folder.join(name), page(scheme).0).unwrap();
    }
}

#[test]
fn ids_are_unique_on_a_page() {
    let page = page("light").0;
    let mut ids: Vec<&str> =
        page.split(" id=\"").skip(1).map(|part| part.split('"').next().unwrap()).collect();
    let all = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), all);
}
