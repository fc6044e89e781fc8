//! What people see: tables that fit, colour where it is wanted, and where each kind of output goes.

use std::fmt;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::sync::OnceLock;

use anyhow::bail;
use terminal_size::{Width, terminal_size};

use crate::domain::printable::printable;

/// A table's column, and how it gives way where the terminal is too narrow: never, by narrower cells, or by leaving.
#[derive(Clone, Copy)]
pub(super) struct Column {
    title: &'static str,
    /// Whether its cells stand at its right edge.
    is_number: bool,
    cells: Cells,
    /// What it is worth, where it may leave.
    worth: Option<u8>,
}

/// What becomes of cells that are too long.
#[derive(Clone, Copy)]
enum Cells {
    /// There are none: the column is as wide as the longest.
    Whole,
    /// They end early, but no earlier than here.
    Cut(usize),
    /// They go on in further lines, each no shorter than this.
    Wrapped(usize),
}

impl Column {
    pub(super) const fn text(title: &'static str) -> Self {
        Self { title, is_number: false, cells: Cells::Whole, worth: None }
    }

    pub(super) const fn number(title: &'static str) -> Self {
        Self { title, is_number: true, cells: Cells::Whole, worth: None }
    }

    /// Long cells are cut, at the least to that many characters. These columns are the first to get narrower.
    pub(super) const fn cut_to(self, narrowest: usize) -> Self {
        Self { cells: Cells::Cut(narrowest), ..self }
    }

    /// Long cells go on in further lines, of that many characters at the least: nothing of them is lost.
    pub(super) const fn wrapped_to(self, narrowest: usize) -> Self {
        Self { cells: Cells::Wrapped(narrowest), ..self }
    }

    /// Leaves where there is no room for it, the column of the least worth first.
    pub(super) const fn leaves(self, worth: u8) -> Self {
        Self { worth: Some(worth), ..self }
    }

    /// How wide it has to be, where the longest of its cells is that long.
    fn narrowest(&self, longest: usize) -> usize {
        match self.cells {
            Cells::Whole => longest,
            Cells::Cut(narrowest) | Cells::Wrapped(narrowest) => longest.min(narrowest),
        }
    }

    /// How wide it wants to be before ids are wrapped for it, and before others may be shown that could leave.
    fn modest(&self, longest: usize) -> usize {
        match self.cells {
            Cells::Cut(narrowest) => longest.min(narrowest + narrowest / 2),
            Cells::Whole | Cells::Wrapped(_) => self.narrowest(longest),
        }
    }

    /// How wide it is where there is room, so that one long title does not pad every row.
    fn widest(&self, longest: usize) -> usize {
        if matches!(self.cells, Cells::Whole) { longest } else { longest.min(WIDEST) }
    }

    fn lines(&self, cell: &str, width: usize) -> Vec<String> {
        if matches!(self.cells, Cells::Wrapped(_)) { wrapped(cell, width) } else { vec![cut(cell, width)] }
    }
}

/// A column whose cells can give way never gets wider than that, also where output goes to no terminal. The longest id
/// of a failure is just as long.
const WIDEST: usize = 128;
/// Where output goes to no terminal there is no need to shrink.
const WITHOUT_TERMINAL: usize = usize::MAX;
/// Between two columns.
const GAP: &str = "  ";

/// Why standard output did not take everything.
static UNSAID: OnceLock<io::Error> = OnceLock::new();

/// Prints a line to standard output. Whether everything went well is asked at the end: [`all_said`].
pub(super) fn say(line: impl fmt::Display) {
    let said = writeln!(io::stdout().lock(), "{line}");
    // A reader that went away (`| head`) has what it wanted.
    if let Err(error) = said
        && error.kind() != ErrorKind::BrokenPipe
    {
        UNSAID.get_or_init(|| error);
    }
}

/// An error where something of what was to be said got lost: a file that it went to is not whole.
pub(super) fn all_said() -> anyhow::Result<()> {
    match UNSAID.get() {
        None => Ok(()),
        Some(error) => bail!("cannot write to standard output: {error}"),
    }
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

/// The table as text, no line wider than `width` as far as the columns can give way.
pub(super) fn render(columns: &[Column], rows: &[Vec<String>], width: usize) -> String {
    let rows: Vec<Vec<String>> =
        rows.iter().map(|row| row.iter().map(|cell| printable(cell)).collect()).collect();
    let mut longest: Vec<usize> = columns.iter().map(|column| column.title.chars().count()).collect();
    for row in &rows {
        for (longest, cell) in longest.iter_mut().zip(row) {
            *longest = (*longest).max(cell.chars().count());
        }
    }
    let mut shown = chosen(columns, &longest, width);
    shrink(&mut shown, width);
    let titles: Vec<String> = columns.iter().map(|column| column.title.to_owned()).collect();
    std::iter::once(&titles).chain(&rows).map(|cells| lines(&shown, cells)).collect()
}

/// A column that has not left.
struct Shown<'a> {
    column: &'a Column,
    /// Its place among all columns.
    index: usize,
    longest: usize,
    width: usize,
}

/// The columns that stay, and of those that may leave as many as there is room for, the most worth first.
fn chosen<'a>(columns: &'a [Column], longest: &[usize], width: usize) -> Vec<Shown<'a>> {
    let needed = |index: usize| columns[index].narrowest(longest[index]) + GAP.len();
    let (mut kept, mut others): (Vec<usize>, Vec<usize>) =
        (0..columns.len()).partition(|&index| columns[index].worth.is_none());
    others.sort_by_key(|&index| std::cmp::Reverse(columns[index].worth));
    let mut taken: usize = kept.iter().map(|&index| columns[index].modest(longest[index]) + GAP.len()).sum();
    for index in others {
        if taken + needed(index) <= width.saturating_add(GAP.len()) {
            taken += needed(index);
            kept.push(index);
        }
    }
    kept.sort_unstable();
    let shown = |index: usize| {
        let (column, longest) = (&columns[index], longest[index]);
        Shown { column, index, longest, width: column.widest(longest) }
    };
    kept.into_iter().map(shown).collect()
}

/// Takes from the widest, as long as that helps: first from what is cut, as far as it is ample, for what is wrapped are
/// ids and answers; then from these; then from what is cut again.
fn shrink(shown: &mut [Shown<'_>], width: usize) {
    let total = shown.iter().map(|shown| shown.width + GAP.len()).sum::<usize>();
    let excess = total.saturating_sub(width.saturating_add(GAP.len()));
    for _ in 0..excess {
        let can_give = |shown: &&mut Shown<'_>| shown.width > shown.column.narrowest(shown.longest);
        let widest = shown.iter_mut().filter(can_give).max_by_key(|shown| {
            let is_ample = shown.width > shown.column.modest(shown.longest);
            let is_wrapped = matches!(shown.column.cells, Cells::Wrapped(_));
            (is_ample && !is_wrapped, is_wrapped, shown.width)
        });
        let Some(widest) = widest else { return };
        widest.width -= 1;
    }
}

/// A row: as many lines as its highest cell has.
fn lines(shown: &[Shown<'_>], cells: &[String]) -> String {
    let text = |shown: &Shown<'_>| cells.get(shown.index).map_or("", String::as_str);
    let cells: Vec<Vec<String>> =
        shown.iter().map(|shown| shown.column.lines(text(shown), shown.width)).collect();
    let height = cells.iter().map(Vec::len).max().unwrap_or(0);
    let line = |at: usize| {
        let padded = shown.iter().zip(&cells).map(|(shown, cell)| {
            let (cell, width) = (cell.get(at).map_or("", String::as_str), shown.width);
            if shown.column.is_number { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
        });
        padded.collect::<Vec<_>>().join(GAP).trim_end().to_owned() + "\n"
    };
    (0..height).map(line).collect()
}

fn cut(cell: &str, width: usize) -> String {
    if cell.chars().count() <= width {
        return cell.to_owned();
    }
    cell.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

/// The text in lines of `width` at most, parted at spaces, else within names, else anywhere.
pub(super) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let (text, width): (Vec<char>, usize) = (text.chars().collect(), width.max(1));
    let mut rest = text.as_slice();
    let mut lines = Vec::new();
    while rest.len() > width {
        let space = rest[..=width].iter().rposition(|c| *c == ' ').filter(|at| *at > 0);
        let within = || rest[..width].iter().rposition(|c| matches!(c, '.' | '_' | '-' | ':' | '/' | ','));
        let (end, next) = match space {
            Some(at) => (at, at + 1),
            None => within().map_or((width, width), |at| (at + 1, at + 1)),
        };
        lines.push(rest[..end].iter().collect());
        rest = &rest[next..];
    }
    lines.push(rest.iter().collect());
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [Column; 2] = [Column::text("title").cut_to(8), Column::number("n")];

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
    fn what_is_worth_least_leaves_first_and_answers_are_wrapped() {
        let columns = [
            Column::text("id").wrapped_to(14),
            Column::text("team").leaves(2),
            Column::text("env").leaves(1),
            Column::text("because").wrapped_to(20),
        ];
        let because = "no reopen follows incident.status_update_published";
        let rows = [["Q0PLAIN0STORY1", "pay", "production", because].map(str::to_owned).to_vec()];
        insta::assert_snapshot!(render(&columns, &rows, 48), @r"
        id              team  because
        Q0PLAIN0STORY1  pay   no reopen follows
                              incident.status_update_
                              published
        ");
        insta::assert_snapshot!(render(&columns, &rows, 36), @r"
        id              because
        Q0PLAIN0STORY1  no reopen follows
                        incident.status_
                        update_published
        ");
    }

    #[test]
    fn one_long_title_does_not_pad_every_row() {
        let rows = [["x".repeat(10_000), "1".into()].to_vec(), ["y".into(), "2".into()].to_vec()];
        for line in render(&COLUMNS, &rows, WITHOUT_TERMINAL).lines() {
            assert_eq!(line.chars().count(), WIDEST + 3, "{line}");
        }
    }

    #[test]
    fn nothing_is_lost_where_text_is_wrapped() {
        let text = "a bb  ccc dddd.eeeee_ffffff-ggggggg";
        for width in 0..40 {
            let lines = wrapped(text, width);
            assert!(lines.iter().all(|line| line.chars().count() <= width.max(1)), "{lines:?}");
            assert_eq!(lines.concat().replace(' ', ""), text.replace(' ', ""));
        }
    }

    #[test]
    fn no_width_is_too_small() {
        for width in 0..20 {
            assert!(render(&COLUMNS, &rows(), width).contains("1234"));
        }
    }
}
