//! The DORA figures as gauges over trailing windows. Counters would be wrong: a failure that is merged or ignored later
//! leaves the count again.

mod labels;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use foldhash::{HashMap, HashSet};
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabel, EncodeLabelSet, LabelSetEncoder};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge as Series;
use prometheus_client::registry::Registry;

use self::labels::{LabelLimits, Labels, max_series};
use crate::domain::figures::list::{Figure, Gauge, GaugeLabels, Part, gauges};
use crate::domain::figures::{Dataset, NamedSums, Row, RowHead, RowSums, Trailing};
use crate::domain::timestamp::Timestamp;

/// The trailing windows, the longest first: value of the label, and length in days.
const WINDOWS: [(&str, u64); 4] = [("90d", 90), ("30d", 30), ("7d", 7), ("1d", 1)];
/// Length of the longest window.
pub const LONGEST_WINDOW: Duration = Duration::from_hours(90 * 24);
/// Largest number of series of the figures, for any names.
pub const MAX_SERIES: usize = max_series(WINDOWS.len());

type FloatSeries = Series<f64, AtomicU64>;

/// All labels of a series.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct SeriesLabels {
    labels: Labels,
    window: &'static str,
    more: &'static [(&'static str, &'static str)],
}

impl EncodeLabelSet for SeriesLabels {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> fmt::Result {
        let Labels { service, team, env, severity } = &self.labels;
        let labels = [
            ("service", Some(service.as_str())),
            ("team", team.as_deref()),
            ("env", Some(env)),
            ("severity", severity.as_deref()),
            ("window", Some(self.window)),
        ];
        let labels = labels.into_iter().filter_map(|(name, value)| Some((name, value?)));
        for label in labels.chain(self.more.iter().copied()) {
            label.encode(encoder.encode_label())?;
        }
        Ok(())
    }
}

/// A part of a figure as a gauge.
struct FigureGauge {
    figure: &'static Figure,
    part: Part,
    gauge: &'static Gauge,
    series: Family<SeriesLabels, FloatSeries>,
}

/// The sums of all rows of a window, by their labels.
type Sums<'t> = HashMap<Labels, RowSums<'t>>;

/// The gauges as OpenMetrics text. `dataset` goes back at least [`LONGEST_WINDOW`]. The busiest services, teams, envs
/// and severities of that window, and `default_env`, have labels of their own.
pub fn text(
    dataset: &Dataset,
    now: Timestamp,
    (default_env, link_window): (&str, Duration),
) -> Result<String, fmt::Error> {
    let mut registry = Registry::default();
    let gauges = register(&mut registry);
    // Both follow from the longest window, which is the first one.
    let (mut limits, mut with_data) = (None, None);
    for (window, days) in WINDOWS {
        let length = Duration::from_hours(24 * days);
        let has_rates = length > link_window;
        let figures = Trailing::of(dataset, now.saturating_sub(length), now, link_window);
        let parts = figures.parts();
        let limits = limits.get_or_insert_with(|| LabelLimits::of(&parts, figures.severities(), default_env));
        let mut sums = sums(&parts, limits);
        let with_data = with_data.get_or_insert_with(|| labels_with_data(&sums));
        for labels in with_data.iter() {
            sums.entry(labels.clone()).or_default();
        }
        for (labels, sums) in sums {
            set(&gauges, labels, &sums.row(&RowHead::whole(now, now)), (window, has_rates));
        }
    }
    let computed_at = FloatSeries::default();
    computed_at.set(crate::domain::failure::seconds(now.as_nanos()));
    registry.register(
        "pagerduty_dora_figures_timestamp_seconds",
        "Time at which the dora_ gauges were computed",
        computed_at,
    );
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(text)
}

/// Registers the gauges. Figures whose gauges have the same name share the series.
fn register(registry: &mut Registry) -> Vec<FigureGauge> {
    let mut registered = BTreeMap::new();
    let gauges = gauges().into_iter().map(|(figure, part, gauge)| {
        let series = registered.entry(gauge.name).or_insert_with(|| {
            let series = Family::default();
            registry.register(gauge.name, gauge.help, Family::clone(&series));
            series
        });
        FigureGauge { figure, part, gauge, series: Family::clone(series) }
    });
    gauges.collect()
}

/// Adds up the counts with the same labels, because rates cannot be added up.
fn sums<'t>(parts: &[NamedSums<'t>], limits: &LabelLimits) -> Sums<'t> {
    let mut sums = Sums::default();
    for part in parts {
        for labels in limits.labels(part) {
            sums.entry(labels).or_default().add(&part.sums);
        }
    }
    sums
}

/// Labels that have data in the longest window. Each of them has a row in every window: counts are 0 if nothing
/// happened there.
fn labels_with_data(longest: &Sums<'_>) -> HashSet<Labels> {
    let mut with_data: HashSet<Labels> = longest.keys().cloned().collect();
    let of = |by| longest.keys().filter(move |labels| labels.of_gauges() == by).cloned();
    let with_failures: HashSet<Labels> =
        of(GaugeLabels::Severity).map(|labels| Labels { severity: None, ..labels }).collect();
    // A service, team and env without failures has 0 incidents, with an empty severity.
    let without_failures = of(GaugeLabels::Team).filter(|labels| !with_failures.contains(labels));
    with_data.extend(without_failures.map(|labels| Labels { severity: Some(String::new()), ..labels }));
    with_data
}

/// Sets the gauges with these labels to the figures of a row. `has_rates`: `true` if the window is longer than the link
/// window.
fn set(gauges: &[FigureGauge], labels: Labels, row: &Row, (window, has_rates): (&'static str, bool)) {
    let of_gauges = labels.of_gauges();
    let mut labels = SeriesLabels { labels, window, more: &[] };
    for FigureGauge { figure, part, gauge, series } in gauges {
        let has_series = gauge.labels == of_gauges && (has_rates || !figure.is_rate_of_deployments());
        if let Some(value) = figure.part(*part, row).filter(|_| has_series) {
            labels.more = gauge.more;
            series.get_or_create(&labels).set(value);
        }
    }
}

#[cfg(test)]
mod tests;
