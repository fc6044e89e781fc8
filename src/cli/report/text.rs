//! Tables for people. One table with all figures would be too wide for a terminal.

use std::collections::BTreeMap;

use foldhash::HashMap;

use super::super::cells::{display_width, wrapped};
use super::super::table::{Column, render};
use super::change::{COMPARED, IN_WORDS, is_compared};
use super::format::{
    FEW, FEW_IN_WORDS, PARTIAL_IN_WORDS, TOTAL, figure, has_total, heading, in_unit, key, period, subject,
};
use super::other_envs::{deployed_elsewhere, other_envs};
use crate::domain::figures::list::{FIGURES, Figure, ShortColumn, Statistic, Value};
use crate::domain::figures::{IntervalName, Report, Row};
use crate::domain::printable::printable;
use crate::domain::zoned_time::ZonedTime;

/// Bars, tallest first. Each bar is drawn for values of at least this share of the highest value.
const BARS: [(f64, char); 8] = [
    (0.9375, '█'),
    (0.8125, '▇'),
    (0.6875, '▆'),
    (0.5625, '▅'),
    (0.4375, '▄'),
    (0.3125, '▃'),
    (0.1875, '▂'),
    (0.0, '▁'),
];
/// Sign for a missing figure.
const NO_BAR: char = '·';
/// Minimum number of bars of a trend, however narrow the terminal is.
const FEWEST_BARS: usize = 8;
/// Width of the trend's column with the highest value, and of the space beside it.
const HIGHEST_WIDTH: usize = 2 + "9999d 23h".len() + 2;
/// Greatest width of a key in the trend. The rest of the line is for bars.
const WIDEST_KEY: usize = 24;
/// Least width of a key. With it each table fits in 80 columns.
const NARROWEST_KEY: usize = 8;

/// The report as tables, with a trend of each key if the period is divided.
///
/// `periods`: each interval, also those that have no row because they have no data. `width`: the width of the terminal
/// in columns.
pub(in crate::cli) fn table(report: &Report, periods: &[IntervalName], width: usize) -> String {
    let mut text = wrapped(&heading(report), width).join("\n") + "\n";
    if report.rows.is_empty() {
        text.push_str("\nno failures and no deployments\n");
        let hint = other_envs(report).map(|hint| wrapped(&hint, width)).unwrap_or_default();
        text.extend(hint.into_iter().map(|line| line + "\n"));
    }
    let sections = [
        counts(report),
        restore_times(report),
        recovery_times(report),
        changes(report),
        trend(report, periods, width),
    ];
    for Section { title, columns, rows, below } in sections {
        if !rows.is_empty() {
            text.push_str(&["\n", title, "\n", &render(&columns, &rows, width)].concat());
            let below = below.iter().flat_map(|below| wrapped(below, width));
            text.extend(below.map(|line| line + "\n"));
        }
    }
    text
}

struct Section {
    title: &'static str,
    columns: Vec<Column>,
    rows: Vec<Vec<String>>,
    /// Remarks below the table.
    below: Vec<String>,
}

impl Section {
    /// Section with these columns of numbers. Rows for which `cells` returns `None` are left out.
    fn new<'a>(
        title: &'static str,
        report: &'a Report,
        numbers: &[Column],
        cells: impl Fn(&'a Row) -> Option<Vec<String>>,
    ) -> Self {
        let mut columns = Vec::new();
        columns.extend(report.interval.map(|_| Column::text("PERIOD")));
        columns.extend(subject(report.by).map(|[title, _]| Column::text(title).cut_to(NARROWEST_KEY)));
        columns.extend(numbers);
        let lead = |row: &Row| {
            let period = report.interval.map(|_| period(row));
            period.into_iter().chain(subject(report.by).map(|_| key(row)))
        };
        let rows = report.rows.iter().filter_map(|row| Some(lead(row).chain(cells(row)?).collect()));
        let mut rows: Vec<Vec<String>> = rows.collect();
        let blanks = (columns.len() - numbers.len()).saturating_sub(1);
        if has_total(report)
            && let Some(cells) = cells(&report.total)
        {
            let lead = std::iter::once(TOTAL.to_owned()).chain(std::iter::repeat_n(String::new(), blanks));
            rows.push(lead.chain(cells).collect());
        }
        Self { title, columns, rows, below: Vec::new() }
    }

    fn with_below(self, below: Vec<String>) -> Self {
        Self { below, ..self }
    }

    /// Adds the meaning of the mark of a median without an interval, if a cell has it.
    fn with_few_in_words(self) -> Self {
        let has_mark = self.rows.iter().flatten().any(|cell| cell.ends_with(FEW));
        Self { below: has_mark.then(|| FEW_IN_WORDS.to_owned()).into_iter().collect(), ..self }
    }
}

fn counts(report: &Report) -> Section {
    let shown = FIGURES.iter().filter_map(|figure| match figure.column? {
        ShortColumn::Counts { title, worth, only_where_any } => {
            let is_shown = !only_where_any || figure.number(&report.total).is_some_and(|number| number > 0.0);
            let column = Column::number(title);
            let column = worth.map_or(column, |worth| column.droppable(worth));
            is_shown.then_some((figure, column))
        }
        ShortColumn::RestoreTimes(_) | ShortColumn::RecoveryTimes(_) => None,
    });
    let (figures, columns): (Vec<&Figure>, Vec<Column>) = shown.unzip();
    let cells = |row| figures.iter().map(|one| figure(one, row)).collect();
    let is_cut = report.rows.iter().any(|row| row.partial);
    let remarks = is_cut.then(|| PARTIAL_IN_WORDS.to_owned()).into_iter().chain(deployed_elsewhere(report));
    Section::new("Incidents and deployments", report, &columns, |row| Some(cells(row)))
        .with_below(remarks.collect())
}

/// Changes against the period before, if they were asked for.
fn changes(report: &Report) -> Section {
    let columns = COMPARED.map(|compared| {
        let column = Column::number(compared.title);
        compared.worth.map_or(column, |worth| column.droppable(worth))
    });
    Section::new("Change", report, &columns, |row| {
        is_compared(report).then(|| COMPARED.iter().map(|compared| compared.text(row)).collect())
    })
    .with_below(vec![IN_WORDS.to_owned()])
}

fn restore_times(report: &Report) -> Section {
    durations("Time to restore", report, |column| match column {
        ShortColumn::RestoreTimes(statistic) => Some(statistic),
        _ => None,
    })
}

fn recovery_times(report: &Report) -> Section {
    durations("Failed deployment recovery time", report, |column| match column {
        ShortColumn::RecoveryTimes(statistic) => Some(statistic),
        _ => None,
    })
}

/// Table of the figures for which `of` returns a part of a statistic. Rows in which all counts are 0 are left out.
fn durations(title: &'static str, report: &Report, of: impl Fn(ShortColumn) -> Option<Statistic>) -> Section {
    let shown = FIGURES.iter().filter_map(|figure| Some((of(figure.column?)?, figure)));
    let shown: BTreeMap<Statistic, &Figure> = shown.collect();
    let columns: Vec<Column> = shown.keys().copied().map(statistic).collect();
    Section::new(title, report, &columns, |row| {
        let is_counted = |one: &&Figure| matches!(one.value, Value::Count(of) if of(row) > 0);
        let cells = || shown.values().map(|one| figure(one, row)).collect();
        shown.values().any(is_counted).then(cells)
    })
    .with_few_in_words()
}

const fn statistic(part: Statistic) -> Column {
    match part {
        Statistic::N => Column::number("N"),
        Statistic::Open => Column::number("OPEN"),
        Statistic::StillOpen => Column::number("STILL OPEN").droppable(2),
        Statistic::Mean => Column::number("MEAN"),
        Statistic::Median => Column::number("MEDIAN"),
        Statistic::P90 => Column::number("P90").droppable(1),
        Statistic::Max => Column::number("MAX"),
    }
}

/// Trend with a line for each key and each figure of the trend. A single period has no trend.
fn trend(report: &Report, periods: &[IntervalName], width: usize) -> Section {
    let mut by_key: BTreeMap<Option<&str>, HashMap<_, &Row>> = BTreeMap::new();
    for row in &report.rows {
        by_key.entry(row.key.as_deref()).or_default().insert(row.period.map(ZonedTime::at), row);
    }
    let subject = subject(report.by);
    let key_width = subject.map_or(0, |[title, _]| {
        let widths = by_key.keys().flatten().map(|key| display_width(&printable(key)));
        2 + widths.max().unwrap_or(0).clamp(title.len(), WIDEST_KEY)
    });
    let figures: Vec<(String, &Figure)> = FIGURES
        .iter()
        .filter(|figure| figure.in_trend)
        .map(|figure| (figure.title.to_lowercase(), figure))
        .collect();
    let name_width = figures.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let bars = width.saturating_sub(key_width + name_width + HIGHEST_WIDTH).max(FEWEST_BARS);

    let mut rows = Vec::new();
    for (key, own) in by_key {
        for (name, figure) in &figures {
            let at =
                |period: &IntervalName| own.get(&Some(period.start.at())).and_then(|row| figure.number(row));
            let values: Vec<Option<f64>> = periods.iter().map(at).collect();
            let highest = values.iter().flatten().copied().reduce(f64::max);
            if let Some(highest) = highest.filter(|_| periods.len() > 1) {
                let key = subject.map(|_| key.unwrap_or("-").to_owned());
                let cells = [name.clone(), in_unit(figure, Some(highest)), sparkline(&values, highest, bars)];
                rows.push(key.into_iter().chain(cells).collect());
            }
        }
    }
    let key = subject.map(|[title, _]| Column::text(title).cut_to(NARROWEST_KEY));
    let others = [Column::text("FIGURE"), Column::number("HIGHEST"), Column::text("OVER TIME")];
    let columns = key.into_iter().chain(others).collect();
    Section { title: "Trend", columns, rows, below: legend(report, periods, bars).into_iter().collect() }
}

/// Legend of the bars: the periods that they stand for, and the meaning of a missing bar.
fn legend(report: &Report, periods: &[IntervalName], bars: usize) -> Option<String> {
    let (interval, left_out) = (report.interval?.as_str(), left_out(periods.len(), bars));
    let earlier =
        if left_out > 0 { format!(", {left_out} earlier ones left out (…)") } else { String::new() };
    Some(format!(
        "A bar for each {interval} from {} to {}{earlier}; {NO_BAR}: nothing to count in that {interval}.",
        periods.get(left_out)?.label,
        periods.last()?.label
    ))
}

/// Number of periods that are left out if only `bars` fit. The sign `…` for them takes the place of one bar.
fn left_out(periods: usize, bars: usize) -> usize {
    if periods <= bars { 0 } else { periods + 1 - bars }
}

/// A bar for each value, relative to the highest. If there are more values than `bars`, the latest are shown.
fn sparkline(values: &[Option<f64>], highest: f64, bars: usize) -> String {
    let bar = |value: &Option<f64>| {
        let Some(value) = value else { return NO_BAR };
        // All values are 0: draw the lowest bar.
        let part = if highest > 0.0 { value / highest } else { 0.0 };
        BARS.iter().find(|(from, _)| part >= *from).map_or(NO_BAR, |(_, bar)| *bar)
    };
    let left_out = left_out(values.len(), bars);
    let sign = (left_out > 0).then_some('…');
    sign.into_iter().chain(values[left_out..].iter().map(bar)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{intervals, weekly};
    use super::*;

    #[test]
    fn lines_with_wide_characters_fit_the_terminal() {
        let mut report = weekly();
        for row in &mut report.rows {
            row.key = row.key.as_ref().map(|key| format!("決済サービス 👩‍🚒 {key}"));
        }
        let periods = intervals(&report);
        for width in 90..160 {
            for line in table(&report, &periods, width).lines() {
                assert!(display_width(line) <= width, "{width}: {line}");
            }
        }
    }
}
