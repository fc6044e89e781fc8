use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use super::*;
use crate::domain::figures::{Row, RowSums};

/// Names of all numbers in a row's JSON. Those of a nested object have its name in front.
fn names_in_json(row: &Row) -> Vec<String> {
    let Json::Object(row) = serde_json::to_value(row).unwrap() else { panic!("a row is an object") };
    let figures = row.into_iter().filter(|(name, _)| !["key", "period"].contains(&name.as_str()));
    let names = figures.flat_map(|(name, value)| match value {
        Json::Object(parts) => parts.into_iter().map(|(part, _)| format!("{name}_{part}")).collect(),
        _ => vec![name],
    });
    names.collect()
}

#[test]
fn reports_have_the_numbers_of_the_json() {
    let in_json: BTreeSet<String> = names_in_json(&RowSums::default().row(None, None)).into_iter().collect();
    let in_list: BTreeSet<String> = FIGURES
        .iter()
        .flat_map(|figure| {
            let bounds = figure.interval.map(|_| ["_low", "_high"]).into_iter().flatten();
            bounds.chain([""]).map(|end| format!("{}{end}", figure.name))
        })
        .collect();
    assert_eq!(in_list, in_json);
}

#[test]
fn names_are_unique() {
    let names: BTreeSet<&str> = FIGURES.iter().map(|figure| figure.name).collect();
    assert_eq!(names.len(), FIGURES.len());
}

/// The table "All figures" has a row for each figure of reports, or for the statistic that it is a part of.
#[test]
fn the_documentation_has_each_figure_with_its_column_and_its_gauge() {
    let document = include_str!("../../../../docs/figures.md");
    let row_of = |name: &str| document.lines().find(|line| line.starts_with(&format!("| `{name}`")));
    for figure in &FIGURES {
        let part_of_a_statistic = || {
            let (statistic, part) = figure.name.rsplit_once('_')?;
            row_of(statistic).filter(|row| row.contains(&format!("`{part}`")))
        };
        let row = row_of(figure.name).or_else(part_of_a_statistic);
        let row = row.unwrap_or_else(|| panic!("docs/figures.md has no row for {}", figure.name));
        let column = figure.column.and_then(|column| match column {
            ShortColumn::Counts { title, .. } => Some(format!("| {title} |")),
            ShortColumn::RestoreTimes(_) | ShortColumn::RecoveryTimes(_) => None,
        });
        let gauge = figure.gauge.map(|gauge| format!("`{}`", gauge.name));
        for shown in column.into_iter().chain(gauge) {
            assert!(row.contains(&shown), "{shown} is not in {row}");
        }
    }
    let labels = document.split_once("\n## Gauges\n").unwrap().1;
    for (_, gauge) in gauges() {
        assert!(labels.contains(&format!("`{}`", gauge.name)), "the labels of {}", gauge.name);
    }
}

#[test]
fn figures_of_one_gauge_differ_in_the_label_stat_only() {
    let mut by_name = BTreeMap::<&str, Vec<&Gauge>>::new();
    for (_, gauge) in gauges() {
        by_name.entry(gauge.name).or_default().push(gauge);
    }
    let mut places = BTreeSet::new();
    for (name, gauges) in by_name {
        assert!(places.insert(gauges[0].place), "{name} has the place of another gauge");
        let stats: BTreeSet<Option<&str>> = gauges.iter().map(|gauge| gauge.stat).collect();
        assert_eq!(stats.len(), gauges.len(), "{name} has two figures with the same labels");
        for gauge in &gauges {
            let of_all = |gauge: &Gauge| (gauge.place, gauge.help, gauge.labels, gauge.stat.is_some());
            assert_eq!(of_all(gauge), of_all(gauges[0]), "{name}");
        }
    }
}

/// A deployment has no severity, so such a gauge would have no deployments to count.
#[test]
fn no_figure_that_needs_deployments_has_a_gauge_by_severity() {
    for (figure, gauge) in gauges() {
        let needs_deployments = figure.counts_deployments || figure.needs_more_than_the_link_window();
        assert!(!(needs_deployments && gauge.labels == GaugeLabels::Severity), "{}", figure.name);
    }
}

#[test]
fn an_interval_encloses_its_value() {
    let row = RowSums::of_counts(4, 23, 2).row(None, None);
    for figure in &FIGURES {
        let Some((low, high)) = figure.bounds(&row) else { continue };
        let value = figure.number(&row).unwrap();
        assert!(low <= value && value <= high, "{}: {low} {value} {high}", figure.name);
    }
}

#[test]
fn each_tile_has_a_place_of_its_own() {
    let places: BTreeSet<u8> = tiles().iter().map(|(_, tile)| tile.place).collect();
    assert_eq!(places.len(), tiles().len());
}

#[test]
fn no_two_figures_have_the_same_place_in_a_table_of_durations() {
    let [mut restore_times, mut recovery_times] = [BTreeSet::new(), BTreeSet::new()];
    for figure in &FIGURES {
        let is_new = match figure.column {
            Some(ShortColumn::RestoreTimes(statistic)) => restore_times.insert(statistic),
            Some(ShortColumn::RecoveryTimes(statistic)) => recovery_times.insert(statistic),
            Some(ShortColumn::Counts { .. }) | None => true,
        };
        assert!(is_new, "{}", figure.name);
    }
}
