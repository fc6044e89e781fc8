//! Queries of the outbox.

use std::collections::BTreeMap;

use pagerduty_dora::domain::timestamp::Timestamp;

use super::Probe;
use crate::engine::Value;

/// A row of the outbox about a failure.
pub(crate) struct Revision {
    pub(crate) state: String,
    pub(crate) attempts: u32,
    /// Number of attempts without an answer. Their requests may arrive at any later time.
    pub(crate) of_unknown_outcome: u32,
    pub(crate) body: Vec<u8>,
}

/// Numbers of rows, by state.
impl Probe {
    fn rows_in(&self, state: &str) -> i64 {
        self.number("SELECT count(*) FROM outbox WHERE state = ?1", &[state.into()])
    }

    /// Number of rows that wait to be sent, without those that wait to be sent once more.
    pub(crate) fn pending(&self) -> i64 {
        self.number("SELECT count(*) FROM outbox WHERE state = 'pending' AND repeats = 0", &[])
    }

    /// Number of rows that wait to be sent once more.
    pub(crate) fn waiting_to_be_repeated(&self) -> i64 {
        self.number("SELECT count(*) FROM outbox WHERE state = 'pending' AND repeats = 1", &[])
    }

    pub(crate) fn sent(&self) -> i64 {
        self.rows_in("sent")
    }

    pub(crate) fn dead(&self) -> i64 {
        self.rows_in("dead")
    }

    pub(crate) fn superseded(&self) -> i64 {
        self.rows_in("superseded")
    }

    /// `true` if everything is folded, and no row waits to be sent.
    pub(crate) fn is_drained(&self) -> bool {
        // Folding adds rows, so it is checked first.
        self.is_folded() && self.pending() == 0
    }

    /// `true` if everything is folded, and every row was sent or superseded.
    pub(crate) fn is_all_sent(&self) -> bool {
        let unsent = "SELECT count(*) FROM outbox WHERE state NOT IN ('sent', 'superseded') AND repeats = 0";
        self.is_folded() && self.number(unsent, &[]) == 0
    }

    /// Number of rows that are sent, dead or discarded.
    pub(crate) fn finished(&self) -> i64 {
        self.number("SELECT count(*) FROM outbox WHERE state NOT IN ('pending', 'superseded')", &[])
    }

    pub(crate) fn sent_to(&self, backend: &str) -> i64 {
        self.number("SELECT count(*) FROM outbox WHERE backend = ?1 AND state = 'sent'", &[backend.into()])
    }

    pub(crate) fn dead_of(&self, backend: &str) -> i64 {
        self.number("SELECT count(*) FROM outbox WHERE backend = ?1 AND state = 'dead'", &[backend.into()])
    }

    pub(crate) fn sent_of_revision(&self, revision: i64) -> i64 {
        self.number("SELECT count(*) FROM outbox WHERE revision = ?1 AND state = 'sent'", &[revision.into()])
    }

    pub(crate) fn suspects(&self) -> i64 {
        self.number("SELECT count(*) FROM outbox WHERE suspect = 1", &[])
    }

    /// Number of marks that were accepted at the first attempt.
    pub(crate) fn marks_sent_at_once(&self) -> i64 {
        let sql = "SELECT count(*) FROM outbox WHERE action = 'mark' AND state = 'sent' AND attempts = 1";
        self.number(sql, &[])
    }

    /// Id of the only row that is a mark.
    pub(crate) fn mark_id(&self) -> i64 {
        self.number("SELECT id FROM outbox WHERE action = 'mark'", &[])
    }

    /// The revisions of each failure, in order.
    pub(crate) fn revisions(&self) -> BTreeMap<String, Vec<Revision>> {
        // An attempt that a kill interrupted was counted and has no outcome.
        const SQL: &str = "SELECT failure_id, o.state, attempts, body,
            attempts - (SELECT count(*) FROM attempt WHERE outbox = o.id AND status IS NOT NULL)
            FROM outbox o JOIN failure f ON f.id = o.failure ORDER BY o.failure, o.revision, o.id";
        let mut revisions = BTreeMap::<String, Vec<Revision>>::new();
        for row in self.db.rows(SQL, &[]) {
            let number = |column: usize| u32::try_from(row[column].integer()).unwrap();
            let revision = Revision {
                state: row[1].text().to_owned(),
                attempts: number(2),
                of_unknown_outcome: number(4),
                body: row[3].bytes().to_owned(),
            };
            revisions.entry(row[0].text().to_owned()).or_default().push(revision);
        }
        revisions
    }
}

/// Numbers of attempts and of answers.
impl Probe {
    /// Number of attempts of all rows, including those under way.
    pub(crate) fn attempts(&self) -> i64 {
        self.number("SELECT CAST(coalesce(sum(attempts), 0) AS BIGINT) FROM outbox", &[])
    }

    /// Largest number of attempts of a row.
    pub(crate) fn most_attempts(&self) -> i64 {
        self.number("SELECT coalesce(max(attempts), 0) FROM outbox", &[])
    }

    /// Number of rows whose last attempt was answered.
    pub(crate) fn answered(&self) -> i64 {
        self.number("SELECT count(*) FROM outbox WHERE last_status IS NOT NULL", &[])
    }

    /// Number of rows whose last answer had this status.
    pub(crate) fn answered_with(&self, status: u16) -> i64 {
        self.number("SELECT count(*) FROM outbox WHERE last_status = ?1", &[i64::from(status).into()])
    }

    /// Number of rows whose last attempt failed.
    pub(crate) fn failed(&self) -> i64 {
        self.number("SELECT count(*) FROM outbox WHERE last_error IS NOT NULL", &[])
    }

    /// Number of rows whose last attempt failed, and which will be retried.
    pub(crate) fn failed_and_pending(&self) -> i64 {
        let sql = "SELECT count(*) FROM outbox WHERE last_error IS NOT NULL AND due_at_ns IS NOT NULL";
        self.number(sql, &[])
    }

    /// Largest number of attempts of a row, among rows whose last answer had this status and whose requests were all
    /// answered.
    pub(crate) fn most_attempts_refused_with(&self, status: u16) -> i64 {
        let sql = "SELECT coalesce(max(attempts), 0) FROM outbox WHERE last_status = ?1 AND in_doubt = 0";
        self.number(sql, &[i64::from(status).into()])
    }

    /// Number of consecutive answers 404 or 405 that the only row got last.
    pub(crate) fn answers_missing(&self) -> i64 {
        self.number("SELECT missing FROM outbox", &[])
    }

    /// Number of rows that will be retried at a later time.
    pub(crate) fn pending_until_later(&self) -> i64 {
        self.number("SELECT count(*) FROM outbox WHERE due_at_ns > 0", &[])
    }

    /// Time of the next attempt after `now`. `None` if every pending row may be sent now.
    pub(crate) fn next_attempt_after(&self, now: Timestamp) -> Option<Timestamp> {
        const SQL: &str = "SELECT min(at_ns) FROM (
            SELECT CASE WHEN not_before_ns > due_at_ns THEN not_before_ns ELSE due_at_ns END AS at_ns
            FROM outbox LEFT JOIN lane USING (backend, lane)) AS attempt WHERE at_ns > ?1";
        match self.db.value(SQL, &[now.as_nanos().into()]) {
            Value::Null => None,
            nanos => Some(Timestamp::from_nanos(nanos.integer())),
        }
    }

    /// Time of the latest attempt that is due.
    pub(crate) fn last_due_at_ns(&self) -> i64 {
        self.number("SELECT max(due_at_ns) FROM outbox", &[])
    }

    /// Number of rows that failed, and one of whose requests may still arrive late.
    pub(crate) fn failed_with_unknown_outcome(&self) -> i64 {
        self.number("SELECT count(*) FROM outbox WHERE unknown > 0 AND last_error IS NOT NULL", &[])
    }

    /// Number of rows that will be sent once more, because an older request may arrive late.
    pub(crate) fn to_be_sent_again(&self) -> i64 {
        self.number("SELECT count(*) FROM outbox WHERE repeats = 1 AND state = 'pending'", &[])
    }

    /// Number of rows that will be sent once more, or one of whose requests may arrive late.
    pub(crate) fn in_doubt(&self) -> i64 {
        self.number(
            "SELECT count(*) FROM outbox WHERE (repeats = 1 AND state = 'pending') OR unknown > 0",
            &[],
        )
    }

    /// Number of attempts whose end is recorded.
    pub(crate) fn recorded_attempts(&self) -> i64 {
        self.number("SELECT count(*) FROM attempt", &[])
    }

    /// Number of recorded attempts that were the `number`-th attempt of their row.
    pub(crate) fn recorded_attempts_numbered(&self, number: i64) -> i64 {
        self.number("SELECT count(*) FROM attempt WHERE number = ?1", &[number.into()])
    }

    /// Number of recorded attempts that were answered with this status.
    pub(crate) fn recorded_answers(&self, status: u16) -> i64 {
        self.number("SELECT count(*) FROM attempt WHERE status = ?1", &[i64::from(status).into()])
    }

    /// Number of pairs of rows that were both answered 403 within a minute.
    pub(crate) fn refusals_within_a_minute(&self) -> i64 {
        let sql = "SELECT count(*) FROM attempt a JOIN attempt b ON a.outbox < b.outbox
            WHERE a.status = 403 AND b.status = 403 AND abs(a.ended_at_ns - b.ended_at_ns) < 60000000000";
        self.number(sql, &[])
    }

    /// Longest distance, over all rows, between the first and the last recorded attempt of a row.
    pub(crate) fn longest_history(&self) -> i64 {
        let sql = "SELECT coalesce(max(last - first), 0) FROM
            (SELECT min(number) AS first, max(number) AS last FROM attempt GROUP BY outbox) AS one";
        self.number(sql, &[])
    }

    /// `true` if the only lane is in this condition.
    pub(crate) fn is_lane(&self, condition: &str) -> bool {
        self.number("SELECT count(*) FROM lane WHERE condition = ?1", &[condition.into()]) == 1
    }

    /// `true` if the only lane waits for no probe.
    pub(crate) fn is_lane_free(&self) -> bool {
        self.number("SELECT not_before_ns IS NULL FROM lane", &[]) == 1
    }
}
