use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use super::*;
use crate::domain::figures::{Row, RowHead, RowSums};
use crate::domain::timestamp::Timestamp;

const HEAD: RowHead<'static> =
    RowHead::whole(Timestamp::from_nanos(0), Timestamp::from_nanos(86_400_000_000_000));

/// Names of all numbers in a row's JSON. Those of a nested object have its name in front.
fn names_in_json(row: &Row) -> Vec<String> {
    let Json::Object(row) = serde_json::to_value(row).unwrap() else { panic!("a row is an object") };
    let is_figure = |name: &str| !["key", "period", "label", "partial", "change"].contains(&name);
    row.into_iter()
        .filter(|(name, _)| is_figure(name))
        .flat_map(|(name, value)| leaves(name, value))
        .collect()
}

fn leaves(name: String, value: Json) -> Vec<String> {
    match value {
        Json::Object(parts) => {
            parts.into_iter().flat_map(|(part, value)| leaves(format!("{name}_{part}"), value)).collect()
        }
        _ => vec![name],
    }
}

#[test]
fn reports_have_the_numbers_of_the_json() {
    let share = Some(RestoredShare { value: 0.5, low: 0.2, high: 0.8, known: 4 });
    let mut row = RowSums::default().row(&HEAD);
    (row.restored.within.hour, row.restored.within.day, row.restored.within.week) = (share, share, share);
    let in_json: BTreeSet<String> = names_in_json(&row).into_iter().collect();
    let names = FIGURES.iter().flat_map(|figure| Part::ALL.map(|part| figure.name_of(part)));
    let in_list: BTreeSet<String> = names.flatten().collect();
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
        let gauge = figure.gauges.iter().map(|(_, gauge)| format!("`{}`", gauge.name));
        for shown in column.into_iter().chain(gauge) {
            assert!(row.contains(&shown), "{shown} is not in {row}");
        }
    }
    let labels = document.split_once("\n## Gauges\n").unwrap().1;
    for (.., gauge) in gauges() {
        assert!(labels.contains(&format!("`{}`", gauge.name)), "the labels of {}", gauge.name);
    }
}

#[test]
fn figures_of_one_gauge_differ_in_its_own_labels_only() {
    let mut by_name = BTreeMap::<&str, Vec<&Gauge>>::new();
    for (.., gauge) in gauges() {
        by_name.entry(gauge.name).or_default().push(gauge);
    }
    let mut places = BTreeSet::new();
    for (name, gauges) in by_name {
        assert!(places.insert(gauges[0].place), "{name} has the place of another gauge");
        let more: BTreeSet<_> = gauges.iter().map(|gauge| gauge.more).collect();
        assert_eq!(more.len(), gauges.len(), "{name} has two figures with the same labels");
        for gauge in &gauges {
            let of_all = |gauge: &Gauge| {
                let names: Vec<&str> = gauge.more.iter().map(|(name, _)| *name).collect();
                (gauge.place, gauge.help, gauge.labels, names)
            };
            assert_eq!(of_all(gauge), of_all(gauges[0]), "{name}");
        }
    }
}

/// A deployment has no severity, so such a gauge would have no deployments to count.
#[test]
fn no_figure_that_needs_deployments_has_a_gauge_by_severity() {
    for (figure, part, gauge) in gauges() {
        assert!(figure.name_of(part).is_some(), "{} has no interval", figure.name);
        let needs_deployments = matches!(figure.value, Value::OptionalCount(_) | Value::PerDay(_))
            || figure.is_rate_of_deployments();
        assert!(!(needs_deployments && gauge.labels == GaugeLabels::Severity), "{}", figure.name);
    }
}

#[test]
fn an_interval_encloses_its_value() {
    let row = RowSums::of_counts(4, 23, 2).row(&HEAD);
    for figure in &FIGURES {
        let Some((low, high)) = figure.bounds(&row) else { continue };
        let value = figure.number(&row).unwrap();
        assert!(low <= value && value <= high, "{}: {low} {value} {high}", figure.name);
    }
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
