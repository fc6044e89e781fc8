//! Output for people: tables that fit the terminal, colour, and printing to standard output and standard error.

use std::fmt;
use std::io::{self, BufWriter, ErrorKind, IsTerminal, Write};
use std::sync::OnceLock;

use anyhow::bail;
use serde::Serialize;
use terminal_size::{Width, terminal_size};

use super::cells::{cut, cut_in_the_middle, display_width, padded, wrapped};
use crate::domain::printable::{escaped_json, printable};

/// Column of a table. If the terminal is too narrow, the column keeps its width, gets narrower or is left out.
#[derive(Clone, Copy)]
pub(super) struct Column {
    title: &'static str,
    /// `true` if its cells are aligned to the right.
    is_number: bool,
    overflow: Overflow,
    /// Rank among the columns that may be left out: the highest gets room first. `None`: never left out.
    worth: Option<u8>,
    /// `true` if other columns get narrower before this one.
    is_favoured: bool,
}

/// Treatment of cells that are too long.
#[derive(Clone, Copy)]
enum Overflow {
    /// Kept: the column is as wide as its longest cell.
    Whole,
    /// Cut at the end, to at least this width.
    Cut(usize),
    /// Cut in the middle, to at least this width, for ids.
    Id(usize),
    /// Wrapped into lines of at least this width.
    Wrapped(usize),
}

impl Column {
    pub(super) const fn text(title: &'static str) -> Self {
        Self { title, is_number: false, overflow: Overflow::Whole, worth: None, is_favoured: false }
    }

    pub(super) const fn number(title: &'static str) -> Self {
        Self { title, is_number: true, overflow: Overflow::Whole, worth: None, is_favoured: false }
    }

    /// Cuts long cells, to at least `narrowest` columns of the terminal. Wide columns of this kind get narrower right
    /// after those with ids.
    pub(super) const fn cut_to(self, narrowest: usize) -> Self {
        Self { overflow: Overflow::Cut(narrowest), ..self }
    }

    /// Cuts long ids in the middle, to at least `narrowest` characters. Ids get narrower first, because commands find
    /// them by a part.
    pub(super) const fn cut_in_middle_to(self, narrowest: usize) -> Self {
        Self { overflow: Overflow::Id(narrowest), ..self }
    }

    /// Lets other columns get narrower first.
    pub(super) const fn favoured(self) -> Self {
        Self { is_favoured: true, ..self }
    }

    /// Wraps long cells into lines of at least `narrowest` characters. No text is lost.
    pub(super) const fn wrapped_to(self, narrowest: usize) -> Self {
        Self { overflow: Overflow::Wrapped(narrowest), ..self }
    }

    /// Leaves the column out if there is no room for it. The column with the highest `worth` gets room first. If the rest
    /// is too small for one column, a narrower one of lower worth may still be shown.
    pub(super) const fn droppable(self, worth: u8) -> Self {
        Self { worth: Some(worth), ..self }
    }

    /// Least width, if the longest cell is `longest` wide.
    fn narrowest(&self, longest: usize) -> usize {
        match self.overflow {
            Overflow::Whole => longest,
            Overflow::Cut(narrowest) | Overflow::Id(narrowest) | Overflow::Wrapped(narrowest) => {
                longest.min(narrowest)
            }
        }
    }

    /// Width that is reserved for the column while the optional columns are chosen. A wider column gets narrower early.
    fn reserved_width(&self, longest: usize) -> usize {
        match self.overflow {
            Overflow::Cut(narrowest) => longest.min(narrowest + narrowest / 2),
            Overflow::Whole | Overflow::Id(_) | Overflow::Wrapped(_) => self.narrowest(longest),
        }
    }

    /// Greatest width. It is limited, so that one long title does not pad every row.
    fn widest(&self, longest: usize) -> usize {
        if matches!(self.overflow, Overflow::Whole) { longest } else { longest.min(WIDEST) }
    }

    fn lines(&self, cell: &str, width: usize) -> Vec<String> {
        match self.overflow {
            Overflow::Wrapped(_) => wrapped(cell, width),
            Overflow::Id(_) => vec![cut_in_the_middle(cell, width)],
            Overflow::Whole | Overflow::Cut(_) => vec![cut(cell, width)],
        }
    }

    /// Rank in the order in which columns get narrower: the greatest first.
    fn shrink_rank(&self, longest: usize, width: usize) -> u8 {
        let is_above_reserved = width > self.reserved_width(longest);
        match (self.overflow, is_above_reserved, self.is_favoured) {
            (Overflow::Id(_), ..) => 5,
            (Overflow::Cut(_), true, false) => 4,
            (Overflow::Wrapped(_), ..) => 3,
            (_, true, true) => 2,
            (_, _, false) => 1,
            (_, false, true) => 0,
        }
    }
}

/// Greatest width of a column whose cells can be cut or wrapped, also without a terminal. The longest id of a failure
/// has the same length.
const WIDEST: usize = 128;
/// Width without a terminal: nothing has to shrink.
const WITHOUT_TERMINAL: usize = usize::MAX;
/// Space between two columns.
const GAP: &str = "  ";

/// First error of writing to standard output.
static OUTPUT_ERROR: OnceLock<io::Error> = OnceLock::new();

/// Prints a line to standard output. [`check_output`] returns the error, if there was one.
pub(super) fn print_out(line: impl fmt::Display) {
    remember(writeln!(io::stdout().lock(), "{line}"));
}

/// Prints to standard output what `write` writes, while it writes. [`check_output`] returns the error, if there was one.
pub(super) fn print_in_parts(write: impl FnOnce(&mut dyn fmt::Write) -> fmt::Result) {
    let mut out = Output { out: BufWriter::new(io::stdout().lock()), error: None };
    // The error itself is in `out`.
    let _ = write(&mut out);
    let Output { mut out, error } = out;
    remember(error.map_or_else(|| out.flush(), Err));
}

/// Standard output, for text that comes in parts.
struct Output<'a> {
    out: BufWriter<io::StdoutLock<'a>>,
    /// The error that has ended the output.
    error: Option<io::Error>,
}

impl fmt::Write for Output<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.out.write_all(text.as_bytes()).map_err(|error| {
            self.error = Some(error);
            fmt::Error
        })
    }
}

/// Keeps the first error of writing to standard output.
fn remember(written: io::Result<()>) {
    // A reader that closed the pipe (`| head`) is no error.
    if let Err(error) = written
        && error.kind() != ErrorKind::BrokenPipe
    {
        OUTPUT_ERROR.get_or_init(|| error);
    }
}

/// Checks that all output was written.
///
/// # Errors
/// Some output was not written. If it goes to a file, the file is incomplete.
pub(super) fn check_output() -> anyhow::Result<()> {
    match OUTPUT_ERROR.get() {
        None => Ok(()),
        Some(error) => bail!("cannot write to standard output: {error}"),
    }
}

/// Prints a value as JSON to standard output. Control characters are escaped, so that they cannot steer a terminal.
pub(super) fn print_json(value: &impl Serialize) -> anyhow::Result<()> {
    print_out(escaped_json(&serde_json::to_string_pretty(value)?));
    Ok(())
}

/// Prints a line to standard error, which gets everything but results.
pub(super) fn print_err(line: impl fmt::Display) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// `true` if colour is allowed: `NO_COLOR` is not set, or empty.
pub(super) fn is_color_allowed() -> bool {
    #[expect(clippy::disallowed_methods, reason = "a convention of terminals, not of our configuration")]
    let forbidden = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    !forbidden
}

/// `true` if standard output is a terminal.
pub(super) fn is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Width of standard output.
pub(super) fn width() -> usize {
    if !is_terminal() {
        return WITHOUT_TERMINAL;
    }
    terminal_size().map_or(80, |(Width(width), _)| usize::from(width))
}

/// Table as text. Lines are at most `width` wide, unless columns cannot get narrow enough.
pub(super) fn render(columns: &[Column], rows: &[Vec<String>], width: usize) -> String {
    let mut text = String::new();
    // Writing to a `String` cannot fail.
    let _ = write_table(&mut text, columns, &|with_row| rows.iter().try_for_each(|row| with_row(row)), width);
    text
}

/// Rows of a table: a function that calls another one with each row, until that one fails.
pub(super) type EachRow<'a> = dyn Fn(&mut dyn FnMut(&[String]) -> fmt::Result) -> fmt::Result + 'a;

/// Writes a table as [`render`] does. The rows are made twice: first for the widths of the columns, and then for the
/// lines, so that a long table is never in memory as a whole.
pub(super) fn write_table(
    out: &mut dyn fmt::Write,
    columns: &[Column],
    each_row: &EachRow<'_>,
    width: usize,
) -> fmt::Result {
    let mut longest: Vec<usize> = columns.iter().map(|column| display_width(column.title)).collect();
    each_row(&mut |row| {
        for (longest, cell) in longest.iter_mut().zip(row) {
            *longest = (*longest).max(display_width(&printable(cell)));
        }
        Ok(())
    })?;
    let mut shown = visible_columns(columns, &longest, width);
    shrink(&mut shown, width);
    let titles: Vec<String> = columns.iter().map(|column| column.title.to_owned()).collect();
    out.write_str(&lines(&shown, &titles))?;
    each_row(&mut |row| {
        let cells: Vec<String> = row.iter().map(|cell| printable(cell)).collect();
        out.write_str(&lines(&shown, &cells))
    })
}

/// Column that is shown.
struct VisibleColumn<'a> {
    column: &'a Column,
    /// Index among all columns.
    index: usize,
    longest: usize,
    width: usize,
}

/// Columns that have room: all that are never left out, then each of the others that still fits, those of the highest
/// worth first.
fn visible_columns<'a>(columns: &'a [Column], longest: &[usize], width: usize) -> Vec<VisibleColumn<'a>> {
    let needed = |index: usize| columns[index].narrowest(longest[index]) + GAP.len();
    let (mut kept, mut others): (Vec<usize>, Vec<usize>) =
        (0..columns.len()).partition(|&index| columns[index].worth.is_none());
    others.sort_by_key(|&index| std::cmp::Reverse(columns[index].worth));
    let mut taken: usize =
        kept.iter().map(|&index| columns[index].reserved_width(longest[index]) + GAP.len()).sum();
    for index in others {
        if taken + needed(index) <= width.saturating_add(GAP.len()) {
            taken += needed(index);
            kept.push(index);
        }
    }
    kept.sort_unstable();
    let shown = |index: usize| {
        let (column, longest) = (&columns[index], longest[index]);
        VisibleColumn { column, index, longest, width: column.widest(longest) }
    };
    kept.into_iter().map(shown).collect()
}

/// Makes columns narrower, one step at a time, until the table fits or no column can give way.
fn shrink(shown: &mut [VisibleColumn<'_>], width: usize) {
    let total = shown.iter().map(|shown| shown.width + GAP.len()).sum::<usize>();
    let excess = total.saturating_sub(width.saturating_add(GAP.len()));
    for _ in 0..excess {
        let can_shrink = |shown: &&mut VisibleColumn<'_>| shown.width > shown.column.narrowest(shown.longest);
        let widest = shown
            .iter_mut()
            .filter(can_shrink)
            .max_by_key(|shown| (shown.column.shrink_rank(shown.longest, shown.width), shown.width));
        let Some(widest) = widest else { return };
        widest.width -= 1;
    }
}

/// Row as text, with as many lines as its cell with the most lines.
fn lines(shown: &[VisibleColumn<'_>], cells: &[String]) -> String {
    let text = |shown: &VisibleColumn<'_>| cells.get(shown.index).map_or("", String::as_str);
    let cells: Vec<Vec<String>> =
        shown.iter().map(|shown| shown.column.lines(text(shown), shown.width)).collect();
    let height = cells.iter().map(Vec::len).max().unwrap_or(0);
    let line = |at: usize| {
        let padded = shown.iter().zip(&cells).map(|(shown, cell)| {
            padded(cell.get(at).map_or("", String::as_str), shown.width, shown.column.is_number)
        });
        padded.collect::<Vec<_>>().join(GAP).trim_end().to_owned() + "\n"
    };
    (0..height).map(line).collect()
}

#[cfg(test)]
mod tests;
