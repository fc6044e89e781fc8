//! Copies of a whole store from one engine to another, or to another place, and the proof that both hold the same.

mod digest;
mod page;
mod proof;
mod statements;
mod tables;

pub use self::digest::TableDigest;
use self::page::Page;
pub use self::proof::{Reevaluations, Reports, compare_reevaluations, compare_reports};
use self::tables::{TABLES, Table};
use super::engine::address::StoreAddress;
pub use super::engine::copy_ends::CopySource;
use super::engine::copy_ends::CopyTarget;
pub use super::engine::copy_error::CopyError;
use super::engine::sql::{self, Db, params};

/// Number of texts with a NUL character that a message lists.
const MOST_NULS: usize = 20;

/// A finished copy.
#[derive(Debug)]
pub struct CopySummary {
    /// Each table with the digest that it has in both stores.
    pub tables: Vec<(&'static str, TableDigest)>,
    /// Length of the file. `None` if the target is a database of PostgreSQL.
    pub bytes: Option<u64>,
}

impl CopySummary {
    /// Number of events.
    pub fn events(&self) -> u64 {
        self.rows_of("event")
    }

    /// Number of failures.
    pub fn failures(&self) -> u64 {
        self.rows_of("failure")
    }

    fn rows_of(&self, table: &str) -> u64 {
        self.tables.iter().find(|(name, _)| *name == table).map_or(0, |(_, digest)| digest.rows)
    }
}

/// State of a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CopyProgress {
    /// The present work.
    pub stage: CopyStage,
    /// The table that it is about.
    pub table: &'static str,
    /// Number of rows that are done in this stage.
    pub done: u64,
    /// Number of rows to do in this stage.
    pub all: u64,
}

/// Work of a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CopyStage {
    /// Rows are copied.
    Copying,
    /// Rows are read in both stores.
    Comparing,
}

/// Copies a store to an empty place, reads both, and gives the copy its place only if both have the same rows. `keep`: a file
/// replaces an older copy, and so many older ones are kept. `None`: the place must be empty.
///
/// # Errors
/// After an error nothing is at the target, except perhaps after [`CopyError::InDoubt`].
pub fn copy(
    source: &CopySource,
    target: &StoreAddress,
    keep: Option<u32>,
    mut progress: impl FnMut(CopyProgress),
) -> Result<CopySummary, CopyError> {
    let mut target = CopyTarget::begin(source, target, keep)?;
    let counts: Vec<u64> = TABLES.iter().map(|table| count(source.db(), table)).collect::<Result<_, _>>()?;
    let all = counts.into_iter().sum();
    let mut copying = Copying { source, target: &target, done: 0, nuls: Vec::new() };
    for table in &TABLES {
        copying.copy(table, |done| {
            progress(CopyProgress { stage: CopyStage::Copying, table: table.name, done, all });
        })?;
    }
    let Copying { nuls, .. } = copying;
    if !nuls.is_empty() {
        return Err(CopyError::Nul(nuls));
    }
    target.set_folded(source)?;
    target.written()?;
    let tables = compare(source.db(), target.db(), |table, done| {
        progress(CopyProgress { stage: CopyStage::Comparing, table, done, all: 2 * all });
    })?;
    Ok(CopySummary { tables, bytes: target.finish()? })
}

/// A copy under way.
struct Copying<'a> {
    source: &'a CopySource,
    target: &'a CopyTarget,
    /// Number of copied rows.
    done: u64,
    /// Texts that the target cannot store. With one of them, nothing more is written, and the others are looked for.
    nuls: Vec<String>,
}

impl Copying<'_> {
    fn copy(&mut self, table: &'static Table, mut progress: impl FnMut(u64)) -> Result<(), CopyError> {
        let name = table.name;
        let unread = |error| CopyError::Read { table: name, error };
        let unwritten = |error| CopyError::Write { rows: format!("table {name}"), error };
        let mut behind = None;
        loop {
            let page = Page::read(self.source.db(), table, behind.as_deref()).map_err(unread)?;
            behind = page.last_key();
            if behind.is_none() {
                break;
            }
            if !self.target.takes_nul() {
                self.note_nuls(&page)?;
            }
            if self.nuls.is_empty() {
                page.write(self.target.db())?;
            }
            self.done += page.rows() as u64;
            progress(self.done);
        }
        if self.nuls.is_empty() {
            let last_id = self.last_id(table).map_err(unread)?;
            self.target.end_table(name, last_id).map_err(unwritten)?;
        }
        Ok(())
    }

    /// Notes the texts that PostgreSQL cannot store. Fails once there are enough for a message.
    fn note_nuls(&mut self, page: &Page<'_>) -> Result<(), CopyError> {
        self.nuls.extend(page.nuls().take(MOST_NULS - self.nuls.len()));
        if self.nuls.len() < MOST_NULS { Ok(()) } else { Err(CopyError::Nul(std::mem::take(&mut self.nuls))) }
    }

    /// The last id that a numbered table has used.
    fn last_id(&self, table: &Table) -> sql::Result<Option<i64>> {
        if !table.is_numbered() {
            return Ok(None);
        }
        Ok(self.source.last_id(table.name)?.max(greatest_id(self.source.db(), table)?))
    }
}

/// The greatest id of a numbered table.
fn greatest_id(db: &Db, table: &Table) -> sql::Result<Option<i64>> {
    db.only(&statements::greatest(table), params![], |row| row.get(0))
}

fn count(db: &Db, table: &'static Table) -> Result<u64, CopyError> {
    let rows: sql::Result<i64> = db.only(&statements::count(table), params![], |row| row.get(0));
    let rows = rows.map_err(|error| CopyError::Read { table: table.name, error })?;
    Ok(u64::try_from(rows).unwrap_or(0))
}

/// Reads all tables of both stores. Fails if one differs.
fn compare(
    source: &Db,
    target: &Db,
    mut progress: impl FnMut(&'static str, u64),
) -> Result<Vec<(&'static str, TableDigest)>, CopyError> {
    let (mut same, mut differ, mut done) = (Vec::new(), Vec::new(), 0);
    for table in &TABLES {
        let mut digest = |db| {
            let digest = TableDigest::of(db, table, |rows| progress(table.name, done + rows));
            let digest = digest.map_err(|error| CopyError::Read { table: table.name, error })?;
            done += digest.rows;
            Ok::<_, CopyError>(digest)
        };
        let (expected, found) = (digest(source)?, digest(target)?);
        if expected == found {
            same.push((table.name, expected));
        } else {
            differ.push(format!("{}: {expected} in the store, {found} in the copy", table.name));
        }
    }
    if differ.is_empty() { Ok(same) } else { Err(CopyError::Differs(differ)) }
}

#[cfg(test)]
mod tests;
