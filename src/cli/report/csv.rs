//! CSV for spreadsheets. Each figure has its own column, with the name that it has in the JSON.

use crate::domain::figures::list::FIGURES;
use crate::domain::figures::{Report, Row};
use crate::domain::printable::printable;

/// The report as CSV (RFC 4180): a header and a line for each row. A figure without data is an empty cell.
///
/// Keys are written unchanged, because programs compare them with names from other sources. A key such as `=1+1` is
/// quoted, but a spreadsheet may still take it for a formula: import the column as text. On a terminal (`is_terminal`)
/// control characters in keys are shown as dots, because they could steer the terminal.
pub(super) fn csv(report: &Report, is_terminal: bool) -> String {
    let of_figures = FIGURES.iter().flat_map(|figure| {
        let bounds = figure.interval.map(|_| ["low", "high"].map(|bound| format!("{}_{bound}", figure.name)));
        std::iter::once(figure.name.to_owned()).chain(bounds.into_iter().flatten())
    });
    let header = ["key", "period"].map(str::to_owned).into_iter().chain(of_figures).collect();
    let lines = std::iter::once(header).chain(report.rows.iter().map(|row| cells(row, is_terminal)));
    lines.map(|cells| cells.join(",") + "\r\n").collect()
}

fn cells(row: &Row, is_terminal: bool) -> Vec<String> {
    let number = |number: Option<f64>| number.map(|number| number.to_string()).unwrap_or_default();
    let mut cells = vec![
        row.key
            .as_deref()
            .map(|key| if is_terminal { quoted(&printable(key)) } else { quoted(key) })
            .unwrap_or_default(),
        row.period.map(|period| period.to_string()).unwrap_or_default(),
    ];
    for figure in &FIGURES {
        cells.push(number(figure.number(row)));
        if figure.interval.is_some() {
            let bounds = figure.bounds(row);
            cells.push(number(bounds.map(|(low, _)| low)));
            cells.push(number(bounds.map(|(_, high)| high)));
        }
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
