//! What people see: tables that fit, colour where it is wanted, and where each kind of output goes.

use std::fmt;
use std::io::{self, IsTerminal, Write};

use terminal_size::{Width, terminal_size};

use crate::domain::printable::printable;

/// A table's column.
pub(super) struct Column {
    /// Its heading.
    pub(super) title: &'static str,
    /// Whether its cells stand at its right edge.
    pub(super) is_number: bool,
    /// Whether it gives way where the terminal is too narrow.
    pub(super) may_shrink: bool,
}

/// A cell never gets narrower than that.
const NARROWEST: usize = 8;
/// Where output goes to no terminal there is no need to shrink.
const WITHOUT_TERMINAL: usize = usize::MAX;

/// Prints a line to standard output. A reader that went away (`| head`) ends it quietly.
pub(super) fn say(line: impl fmt::Display) {
    let _ = writeln!(io::stdout().lock(), "{line}");
}

/// Prints a line to standard error, where everything goes that is no result.
pub(super) fn tell(line: impl fmt::Display) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// `NO_COLOR` forbids colour, whatever it holds, unless it is empty.
pub(super) fn may_color() -> bool {
    #[expect(clippy::disallowed_methods, reason = "a convention of terminals, not of our configuration")]
    let forbidden = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    !forbidden
}

/// How wide standard output is.
pub(super) fn width() -> usize {
    if !io::stdout().is_terminal() {
        return WITHOUT_TERMINAL;
    }
    terminal_size().map_or(80, |(Width(width), _)| usize::from(width))
}

/// The table as text, no line wider than `width` as long as the shrinking columns can give way.
pub(super) fn render(columns: &[Column], rows: &[Vec<String>], width: usize) -> String {
    let rows: Vec<Vec<String>> =
        rows.iter().map(|row| row.iter().map(|cell| printable(cell)).collect()).collect();
    let mut widths: Vec<usize> = columns.iter().map(|column| column.title.chars().count()).collect();
    for row in &rows {
        for (widest, cell) in widths.iter_mut().zip(row) {
            *widest = (*widest).max(cell.chars().count());
        }
    }
    shrink(columns, &mut widths, width);
    let titles: Vec<String> = columns.iter().map(|column| column.title.to_owned()).collect();
    let mut text = String::new();
    for cells in std::iter::once(&titles).chain(&rows) {
        text.push_str(line(columns, &widths, cells).trim_end());
        text.push('\n');
    }
    text
}

fn shrink(columns: &[Column], widths: &mut [usize], width: usize) {
    loop {
        let total = widths.iter().sum::<usize>() + 2 * widths.len().saturating_sub(1);
        let widest = (0..widths.len())
            .filter(|&index| columns[index].may_shrink && widths[index] > NARROWEST)
            .max_by_key(|&index| widths[index]);
        match widest {
            Some(index) if total > width => widths[index] -= 1,
            _ => return,
        }
    }
}

fn line(columns: &[Column], widths: &[usize], cells: &[String]) -> String {
    let shown = columns.iter().zip(widths).zip(cells).map(|((column, &width), cell)| {
        let cell = cut(cell, width);
        if column.is_number { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
    });
    shown.collect::<Vec<_>>().join("  ")
}

fn cut(cell: &str, width: usize) -> String {
    if cell.chars().count() <= width {
        return cell.to_owned();
    }
    cell.chars().take(width - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [Column; 2] = [
        Column { title: "title", is_number: false, may_shrink: true },
        Column { title: "n", is_number: true, may_shrink: false },
    ];

    fn rows() -> Vec<Vec<String>> {
        vec![
            vec!["checkout: error rate above 5 %".into(), "7".into()],
            vec!["\u{1b}[31mred\u{202e}".into(), "1234".into()],
        ]
    }

    #[test]
    fn a_table_is_as_wide_as_it_needs_and_may_be() {
        insta::assert_snapshot!(render(&COLUMNS, &rows(), WITHOUT_TERMINAL), @r"
        title                              n
        checkout: error rate above 5 %     7
        ·[31mred·                       1234
        ");
        insta::assert_snapshot!(render(&COLUMNS, &rows(), 24), @r"
        title                  n
        checkout: error r…     7
        ·[31mred·           1234
        ");
    }

    #[test]
    fn no_width_is_too_small() {
        for width in 0..20 {
            assert!(render(&COLUMNS, &rows(), width).contains("1234"));
        }
    }
}
