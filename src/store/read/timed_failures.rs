//! Times to restore of single failures, for a chart.

use std::sync::Arc;

use foldhash::HashMap;
use serde::Deserialize;

use crate::domain::figures::{Env, FailureTimes, FailureTraits};
use crate::domain::timestamp::Timestamp;
use crate::store::engine::json::from_json;
use crate::store::engine::sql::{self, Db, Row, params};
use crate::store::state::figure_columns::kind;

/// Largest number of characters of a title.
const MOST_CHARACTERS: usize = 200;

/// Failures whose times are read.
#[derive(Debug, Clone)]
pub struct TimedFailureFilter {
    /// Start of the period in which they ended. Open ones began in it.
    pub since: Timestamp,
    /// End of the period (exclusive).
    pub until: Timestamp,
    /// Env that they happened in.
    pub env: Env,
    /// Only those that count for this service.
    pub service: Option<String>,
    /// Only those of this team.
    pub team: Option<String>,
    /// Only those of this severity.
    pub severity: Option<String>,
    /// Largest number of failures.
    pub limit: usize,
}

/// Failures that count and have good times: the open ones, then the ended ones with the latest end first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TimedFailures {
    /// The failures.
    pub failures: Vec<TimedFailure>,
    /// `true` if there are more than the limit.
    pub is_cut: bool,
}

/// A failure with its times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimedFailure {
    /// Its id.
    pub id: String,
    /// The beginning of its title.
    pub title: Option<String>,
    /// The services it counts for.
    pub services: Arc<[String]>,
    /// Its start.
    pub started_at: Timestamp,
    /// Its end. `None` while it is open.
    pub finished_at: Option<Timestamp>,
    /// Its time to restore. `None` while it is open.
    pub restored_ns: Option<i64>,
}

/// A failure as the index has it.
struct Found {
    row: i64,
    times: FailureTimes,
    services: Arc<[String]>,
}

/// Decides by the texts in `counts_for` which failures pass. Few texts are different.
struct Scan<'a> {
    filter: &'a TimedFailureFilter,
    /// The services of a kind of failures that passes.
    known: HashMap<String, Option<Arc<[String]>>>,
    found: Vec<Found>,
}

/// Reads the times. Failures that do not pass are skipped in the index.
pub(super) fn read(db: &mut Db, filter: &TimedFailureFilter) -> sql::Result<TimedFailures> {
    const WITHOUT_END: &str = "SELECT id, started_at_ns, finished_at_ns, restore_ns, counts_for FROM failure
        WHERE state = 'open' AND finished_at_ns IS NULL AND started_at_ns >= ?1 AND started_at_ns < ?2
        AND counts_for IS NOT NULL ORDER BY started_at_ns DESC";
    const ENDED: &str = "SELECT id, started_at_ns, finished_at_ns, restore_ns, counts_for
        FROM failure INDEXED BY failure_by_end
        WHERE finished_at_ns >= ?1 AND finished_at_ns < ?2 AND counts_for IS NOT NULL ORDER BY finished_at_ns DESC";
    const TITLE: &str = "SELECT failure_id, evaluated FROM failure WHERE id = ?1";
    // One snapshot of the store for all reads.
    let db = db.snapshot()?;
    let mut scan = Scan { filter, known: HashMap::default(), found: Vec::new() };
    for sql in [WITHOUT_END, ENDED] {
        if scan.found.len() <= filter.limit {
            db.find(sql, params![filter.since.as_nanos(), filter.until.as_nanos()], |row| {
                scan.add(row)?;
                Ok((scan.found.len() > filter.limit).then_some(()))
            })?;
        }
    }
    let is_cut = scan.found.len() > filter.limit;
    scan.found.truncate(filter.limit);
    let failures = scan.found.into_iter().map(|Found { row, times, services }| {
        let (id, title) =
            db.only(TITLE, params![row], |row| Ok((row.get(0)?, beginning_of_title(row, 1)?)))?;
        let FailureTimes { started_at, finished_at, .. } = times;
        Ok(TimedFailure { id, title, services, started_at, finished_at, restored_ns: times.restored() })
    });
    Ok(TimedFailures { failures: failures.collect::<sql::Result<_>>()?, is_cut })
}

/// The beginning of a failure's title. The failure is in this column.
fn beginning_of_title(row: &Row<'_>, column: usize) -> sql::Result<Option<String>> {
    #[derive(Deserialize)]
    struct Titled {
        title: Option<String>,
    }
    let Some(failure) = row.text_or_null(column)? else { return Ok(None) };
    let Titled { title } = from_json(failure)?;
    Ok(title.map(|title| title.chars().take(MOST_CHARACTERS).collect()))
}

impl Scan<'_> {
    fn add(&mut self, row: &Row<'_>) -> sql::Result<()> {
        let Some(services) = self.services(row.text(4)?)? else { return Ok(()) };
        let finished_at: Option<i64> = row.get(2)?;
        let times = FailureTimes {
            started_at: Timestamp::from_nanos(row.get(1)?),
            finished_at: finished_at.map(Timestamp::from_nanos),
            restore_ns: row.get(3)?,
        };
        self.found.push(Found { row: row.get(0)?, times, services });
        Ok(())
    }

    /// The services of the failures with this text. `None` if these failures do not pass.
    fn services(&mut self, counts_for: &str) -> sql::Result<Option<Arc<[String]>>> {
        if let Some(known) = self.known.get(counts_for) {
            return Ok(known.clone());
        }
        let traits = kind(counts_for)?;
        let services = self.filter.passes(&traits).then(|| Arc::from(traits.services));
        self.known.insert(counts_for.to_owned(), services.clone());
        Ok(services)
    }
}

impl TimedFailureFilter {
    fn passes(&self, traits: &FailureTraits) -> bool {
        let is = |asked: Option<&String>, own: Option<&String>| asked.is_none() || asked == own;
        traits.state.counts()
            && traits.has_good_times
            && self.env.has(&traits.env)
            && self.service.as_ref().is_none_or(|service| traits.services.contains(service))
            && is(self.team.as_ref(), traits.team.as_ref())
            && is(self.severity.as_ref(), traits.severity.as_ref())
    }
}
