//! CSV for spreadsheets. Each figure has its own column, with the name that it has in the JSON.

use std::fmt;

use super::change::{Compared, compared};
use super::format::{TOTAL, has_total};
use crate::domain::figures::list::{FIGURES, Part};
use crate::domain::figures::{FigureChange, Report, Row};
use crate::domain::printable::printable;

/// Writes the report as CSV (RFC 4180): a header and a line for each row. A figure without data is an empty cell. Each
/// line is written as soon as it is made, because a report may have a million of them.
///
/// Keys are written unchanged, because programs compare them with names from other sources. A key such as `=1+1` is
/// quoted, but a spreadsheet may still take it for a formula: import the column as text. On a terminal (`is_terminal`)
/// control characters in keys are shown as dots, because they could steer the terminal.
pub(super) fn write_csv(out: &mut dyn fmt::Write, report: &Report, is_terminal: bool) -> fmt::Result {
    let of_figures = FIGURES.iter().flat_map(|figure| Part::ALL.map(|part| figure.name_of(part)));
    let compared = compared(report);
    let of_changes = compared
        .iter()
        .flat_map(|compared| CHANGE_PARTS.map(|part| ["change_", compared.name, "_", part].concat()));
    let lead = ["key", "period", "label", "partial"].map(str::to_owned).into_iter();
    let header = lead.chain(of_figures.flatten()).chain(of_changes).collect();
    let rows = report.rows.iter().map(|row| {
        let key = row.key.as_deref().unwrap_or_default();
        cells(&if is_terminal { printable(key) } else { key.into() }, row, &compared)
    });
    let total = has_total(report).then(|| cells(TOTAL, &report.total, &compared));
    let lines = std::iter::once(header).chain(rows).chain(total);
    for cells in lines {
        let cells: Vec<String> = cells;
        write!(out, "{}\r\n", cells.join(","))?;
    }
    Ok(())
}

/// The same as a text.
#[cfg(test)]
pub(super) fn csv(report: &Report, is_terminal: bool) -> String {
    let mut text = String::new();
    write_csv(&mut text, report, is_terminal).unwrap();
    text
}

/// Ends of the names of the columns of a change.
const CHANGE_PARTS: [&str; 5] = ["before", "difference", "low", "high", "verdict"];

fn cells(key: &str, row: &Row, compared: &[Compared]) -> Vec<String> {
    let number = |number: Option<f64>| number.map(|number| number.to_string()).unwrap_or_default();
    let mut cells = vec![
        quoted(key),
        row.period.map(|period| period.to_string()).unwrap_or_default(),
        row.label.clone().unwrap_or_default(),
        row.partial.to_string(),
    ];
    for figure in &FIGURES {
        let parts = Part::ALL.into_iter().filter(|part| figure.name_of(*part).is_some());
        cells.extend(parts.map(|part| number(figure.part(part, row))));
    }
    for compared in compared {
        let change = compared.change(row);
        let numbers =
            change.map(|FigureChange { before, difference, low, high, .. }| [before, difference, low, high]);
        cells.extend((0..4).map(|index| number(numbers.map(|numbers| numbers[index]))));
        cells.push(change.map(|change| change.verdict.to_string()).unwrap_or_default());
    }
    cells
}

/// Text as a cell. It is quoted if a reader could split or trim it. Some readers split at semicolons.
fn quoted(text: &str) -> String {
    if text.contains(['"', ',', ';', '\r', '\n']) || text.starts_with('=') || text.trim() != text {
        return format!("\"{}\"", text.replace('"', "\"\""));
    }
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::tests::hostile;
    use super::*;

    #[test]
    fn keys_are_unchanged_without_a_terminal() {
        let keys = [
            "par\u{200c}daxt",
            "two\r\nlines",
            "a\u{202e}b",
            "\u{1b}[31mred",
            "say \"hi\", you",
            "\t=1",
            "=1+1",
            "-checkout",
            "@home",
            "決済",
        ];
        let rows = keys.map(|key| Row { key: Some(key.to_owned()), ..hostile().rows[0].clone() });
        let csv = csv(&Report { rows: rows.to_vec(), ..hostile() }, false);
        for (key, cell) in keys.iter().zip([
            "par\u{200c}daxt,",
            "\"two\r\nlines\",",
            "a\u{202e}b,",
            "\u{1b}[31mred,",
            "\"say \"\"hi\"\", you\",",
            "\"\t=1\",",
            "\"=1+1\",",
            "-checkout,",
            "@home,",
            "決済,",
        ]) {
            assert!(csv.contains(&format!("\r\n{cell}")), "{key:?} in {csv:?}");
        }
    }
}
