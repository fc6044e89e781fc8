//! Tables for people. One table with all figures would be too wide for a terminal.

use std::collections::BTreeMap;
use std::fmt;

use super::super::cells::{display_width, wrapped};
use super::super::table::{Column, EachRow, write_table};
use super::change::{IN_WORDS, compared};
use super::format::{
    FEW_IN_WORDS, PARTIAL_IN_WORDS, TOTAL, figure, has_total, heading, in_unit, is_few, key, period, subject,
};
use super::other_envs::{deployed_elsewhere, other_envs};
use crate::domain::figures::list::{FIGURES, Figure, ShortColumn, Statistic, Value};
use crate::domain::figures::{CalendarInterval, Report, Row};
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
pub(in crate::cli) fn table(report: &Report, periods: &[CalendarInterval], width: usize) -> String {
    let mut text = String::new();
    // Writing to a `String` cannot fail.
    let _ = write_tables(&mut text, report, periods, width);
    text
}

/// Writes the report as [`table`] has it. Each table is written while its rows are made.
pub(super) fn write_tables(
    out: &mut dyn fmt::Write,
    report: &Report,
    periods: &[CalendarInterval],
    width: usize,
) -> fmt::Result {
    writeln!(out, "{}", wrapped(&heading(report), width).join("\n"))?;
    if report.rows.is_empty() {
        out.write_str("\nno failures and no deployments\n")?;
        for line in other_envs(report).map(|hint| wrapped(&hint, width)).unwrap_or_default() {
            writeln!(out, "{line}")?;
        }
    }
    let sections = [counts, restore_times, recovery_times, changes].map(|section| section(report));
    for Section { title, columns, rows, below } in sections.into_iter().chain([trend(report, periods, width)])
    {
        // The first row ends it.
        let has_rows = rows(&mut |_| Err(fmt::Error)).is_err();
        if has_rows {
            writeln!(out, "\n{title}")?;
            write_table(out, &columns, &*rows, width)?;
            for line in below.iter().flat_map(|below| wrapped(below, width)) {
                writeln!(out, "{line}")?;
            }
        }
    }
    Ok(())
}

struct Section<'a> {
    title: &'static str,
    columns: Vec<Column>,
    rows: Box<EachRow<'a>>,
    /// Remarks below the table.
    below: Vec<String>,
}

impl<'a> Section<'a> {
    /// Section with these columns of numbers. Rows for which `cells` returns `None` are left out.
    fn new(
        title: &'static str,
        report: &'a Report,
        numbers: &[Column],
        cells: impl Fn(&Row) -> Option<Vec<String>> + 'a,
    ) -> Self {
        let mut columns = Vec::new();
        columns.extend(report.interval.map(|_| Column::text("PERIOD")));
        columns.extend(subject(report.by).map(|[title, _]| Column::text(title).cut_to(NARROWEST_KEY)));
        columns.extend(numbers);
        let lead = move |row: &Row| {
            let period = report.interval.map(|_| period(row));
            period.into_iter().chain(subject(report.by).map(|_| key(row)))
        };
        let blanks = (columns.len() - numbers.len()).saturating_sub(1);
        let rows = Box::new(move |with_row: &mut dyn FnMut(&[String]) -> fmt::Result| {
            let of_row = |row| Some(lead(row).chain(cells(row)?).collect::<Vec<String>>());
            report.rows.iter().filter_map(of_row).try_for_each(|row| with_row(&row))?;
            match cells(&report.total).filter(|_| has_total(report)) {
                Some(cells) => {
                    let lead =
                        std::iter::once(TOTAL.to_owned()).chain(std::iter::repeat_n(String::new(), blanks));
                    with_row(&lead.chain(cells).collect::<Vec<String>>())
                }
                None => Ok(()),
            }
        });
        Self { title, columns, rows, below: Vec::new() }
    }

    fn with_below(self, below: Vec<String>) -> Self {
        Self { below, ..self }
    }
}

fn counts(report: &Report) -> Section<'_> {
    let is_any = |figure: &Figure| figure.number(&report.total).is_some_and(|number| number > 0.0);
    let shown = FIGURES.iter().filter_map(|figure| {
        let only_where_any = matches!(figure.column, Some(ShortColumn::Counts { only_where_any: true, .. }));
        counts_column(figure).filter(|_| !only_where_any || is_any(figure)).map(|column| (figure, column))
    });
    let (figures, columns): (Vec<&Figure>, Vec<Column>) = shown.unzip();
    let cells = move |row: &Row| Some(figures.iter().map(|one| figure(one, row)).collect());
    let is_cut = report.rows.iter().any(|row| row.partial);
    let remarks = is_cut.then(|| PARTIAL_IN_WORDS.to_owned()).into_iter().chain(deployed_elsewhere(report));
    Section::new("Incidents and deployments", report, &columns, cells).with_below(remarks.collect())
}

/// Changes against the period before, if they were asked for.
fn changes(report: &Report) -> Section<'_> {
    let compared = compared(report);
    let columns: Vec<Column> =
        compared.iter().filter_map(|compared| counts_column(compared.figure)).collect();
    Section::new("Change", report, &columns, move |row| {
        (!compared.is_empty()).then(|| compared.iter().map(|compared| compared.text(row)).collect())
    })
    .with_below(vec![IN_WORDS.to_owned()])
}

/// Column of a figure in the table of counts and rates. `None` if it has none there.
fn counts_column(figure: &Figure) -> Option<Column> {
    let ShortColumn::Counts { title, worth, .. } = figure.column? else { return None };
    let column = Column::number(title);
    Some(worth.map_or(column, |worth| column.droppable(worth)))
}

fn restore_times(report: &Report) -> Section<'_> {
    durations("Time to restore", report, |column| match column {
        ShortColumn::RestoreTimes(statistic) => Some(statistic),
        _ => None,
    })
}

fn recovery_times(report: &Report) -> Section<'_> {
    durations("Failed deployment recovery time", report, |column| match column {
        ShortColumn::RecoveryTimes(statistic) => Some(statistic),
        _ => None,
    })
}

/// Table of the figures for which `of` returns a part of a statistic. Rows in which all counts are 0 are left out.
fn durations<'a>(
    title: &'static str,
    report: &'a Report,
    of: impl Fn(ShortColumn) -> Option<Statistic>,
) -> Section<'a> {
    let shown = FIGURES.iter().filter_map(|figure| Some((of(figure.column?)?, figure)));
    let shown: BTreeMap<Statistic, &Figure> = shown.collect();
    let columns: Vec<Column> = shown.keys().copied().map(statistic).collect();
    let has_few = shown
        .get(&Statistic::Median)
        .is_some_and(|median| report.rows.iter().chain([&report.total]).any(|row| is_few(median, row)));
    let cells = move |row: &Row| {
        let is_counted = |one: &&Figure| matches!(one.value, Value::Count(of) if of(row) > 0);
        let cells = || shown.values().map(|one| figure(one, row)).collect();
        shown.values().any(is_counted).then(cells)
    };
    Section::new(title, report, &columns, cells)
        .with_below(has_few.then(|| FEW_IN_WORDS.to_owned()).into_iter().collect())
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
fn trend<'a>(report: &'a Report, periods: &'a [CalendarInterval], width: usize) -> Section<'a> {
    let mut rows_by_key: BTreeMap<Option<&str>, BTreeMap<ZonedTime, &Row>> = BTreeMap::new();
    for row in report.rows.iter().filter(|_| periods.len() > 1) {
        let own = rows_by_key.entry(row.key.as_deref()).or_default();
        own.extend(row.period.map(|period| (period, row)));
    }
    let subject = subject(report.by);
    let key_width = subject.map_or(0, |[title, _]| {
        let widths = rows_by_key.keys().flatten().map(|key| display_width(&printable(key)));
        2 + widths.max().unwrap_or(0).clamp(title.len(), WIDEST_KEY)
    });
    let figures: Vec<(String, &Figure)> = FIGURES
        .iter()
        .filter(|figure| figure.in_trend)
        .map(|figure| (figure.title.to_lowercase(), figure))
        .collect();
    let name_width = figures.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let bars = width.saturating_sub(key_width + name_width + HIGHEST_WIDTH).max(FEWEST_BARS);

    let line = move |key: Option<&str>, own: &BTreeMap<ZonedTime, &Row>, name: &str, figure: &Figure| {
        let at = |period: &CalendarInterval| own.get(&period.start).and_then(|row| figure.number(row));
        let values: Vec<Option<f64>> = periods.iter().map(at).collect();
        let highest = values.iter().flatten().copied().reduce(f64::max)?;
        let key = subject.map(|_| key.unwrap_or("-").to_owned());
        let cells = [name.to_owned(), in_unit(figure, Some(highest)), sparkline(&values, highest, bars)];
        Some(key.into_iter().chain(cells).collect::<Vec<String>>())
    };
    let rows = Box::new(move |with_row: &mut dyn FnMut(&[String]) -> fmt::Result| {
        for (key, own) in &rows_by_key {
            for row in figures.iter().filter_map(|(name, figure)| line(*key, own, name, figure)) {
                with_row(&row)?;
            }
        }
        Ok(())
    });
    let key = subject.map(|[title, _]| Column::text(title).cut_to(NARROWEST_KEY));
    let others = [Column::text("FIGURE"), Column::number("HIGHEST"), Column::text("OVER TIME")];
    let columns = key.into_iter().chain(others).collect();
    Section { title: "Trend", columns, rows, below: legend(report, periods, bars).into_iter().collect() }
}

/// Legend of the bars: the periods that they stand for, and the meaning of a missing bar.
fn legend(report: &Report, periods: &[CalendarInterval], bars: usize) -> Option<String> {
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
