//! Space that is free inside of the database file: given back to the file system, a little at a time.

use rusqlite::Connection;

/// Free pages that stay in the file, because new events soon need them: 4 MiB.
const KEPT_PAGES: i64 = 512;
/// Pages that one part of the work gives back.
const PAGES_AT_A_TIME: i64 = 32;

/// Gives some free pages back. `Some(())` once nothing is left to give back.
pub(super) fn give_back(db: &Connection) -> rusqlite::Result<Option<()>> {
    let before = free_pages(db)?;
    let pages = PAGES_AT_A_TIME.min(before - KEPT_PAGES);
    if pages <= 0 {
        return Ok(Some(()));
    }
    let mut statement = db.prepare(&format!("PRAGMA incremental_vacuum({pages})"))?;
    let mut rows = statement.query([])?;
    // Each step frees a page.
    while rows.next()?.is_some() {}
    // A store whose file cannot shrink keeps all of its pages.
    Ok((free_pages(db)? >= before).then_some(()))
}

fn free_pages(db: &Connection) -> rusqlite::Result<i64> {
    db.query_row("PRAGMA freelist_count", [], |row| row.get(0))
}
