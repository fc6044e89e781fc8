//! Turns: of all processes that share a database, one at a time decides.

use std::time::{Duration, Instant};

use super::replica::Generation;
use crate::store::engine::schema::SCHEMA;
use crate::store::engine::sql::error::ErrorKind;
use crate::store::engine::sql::{Error, Result};

/// Time without a sign of life after which a replica counts as gone.
const ALIVE_FOR: Duration = Duration::from_secs(15);

/// Who asks for a turn.
#[derive(Clone, Copy)]
pub(super) enum Asks<'a> {
    /// A daemon that is registered.
    Daemon(&'a Generation),
    /// A command with this fingerprint. `None`: it decides in any case.
    Command(Option<&'a str>),
}

/// The turns of this process.
pub(super) struct Turns {
    /// The present session, and its beginning.
    session: (u64, Instant),
    /// Session in which a later start was seen.
    later_seen_in: Option<u64>,
}

impl Turns {
    pub(super) fn new() -> Self {
        Self { session: (0, Instant::now()), later_seen_in: None }
    }

    /// Statements that wait for the turn, and then look for a later start. After that, nothing has to be waited for long.
    ///
    /// The row is what makes turns exclude each other. The lock before it only makes them fair: who waits for a lock has a
    /// place in a queue, and who waits for a row may be overtaken. Each statement sees what was committed before it, so the
    /// last question sees what the turn before has done.
    pub(super) fn statements(asks: Asks<'_>) -> [String; 5] {
        // Fingerprints are hexadecimal numbers.
        let (number, fingerprint) = match asks {
            Asks::Daemon(generation) => (generation.number, Some(&*generation.fingerprint)),
            Asks::Command(fingerprint) => (0, fingerprint),
        };
        let later = fingerprint.map_or_else(
            || "SELECT WHERE FALSE".to_owned(),
            |fingerprint| {
                format!(
                    "SELECT generation FROM (SELECT generation, fingerprint FROM replica
                        WHERE alive_until > clock_timestamp() ORDER BY generation DESC LIMIT 1) newest
                    WHERE generation > {number} AND fingerprint <> '{fingerprint}'"
                )
            },
        );
        [
            "SELECT pg_advisory_xact_lock(hashtext('pagerduty-dora turn ' || current_schema()))".to_owned(),
            format!(
                "UPDATE turn SET number = number + 1 WHERE id = 1 AND schema = {SCHEMA} RETURNING number"
            ),
            later,
            "SET LOCAL statement_timeout = '2500ms'".to_owned(),
            "SET LOCAL lock_timeout = '2s'".to_owned(),
        ]
    }

    /// Begins the turn. The server has said whether it has this program's schema, and whether a later start lives.
    ///
    /// # Errors
    /// Another process decides.
    pub(super) fn begin(
        &mut self,
        asks: Asks<'_>,
        (has_schema, has_later): (bool, bool),
        session: u64,
    ) -> Result<()> {
        if self.session.0 != session {
            self.session = (session, Instant::now());
        }
        if !has_schema {
            return Err(stepped_back("a later version has migrated the database"));
        }
        if has_later {
            self.later_seen_in = Some(session);
            return Err(stepped_back(match asks {
                Asks::Daemon(_) => "it was started later, with another version or configuration, and lives",
                Asks::Command(_) => {
                    "a daemon with another version or configuration lives, so give the command on its host, or with the \
                     same configuration"
                }
            }));
        }
        // After an outage, a replica that lives may not have given a sign of life yet.
        if self.later_seen_in.is_some_and(|seen_in| seen_in != session)
            && self.session.1.elapsed() < ALIVE_FOR
        {
            return Err(stepped_back(
                "it was started later, and whether it lives is known 15 s after an outage of the database",
            ));
        }
        self.later_seen_in = None;
        Ok(())
    }
}

fn stepped_back(reason: &str) -> Error {
    Error::new(ErrorKind::SteppedBack, format!("another replica decides: {reason}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_start_that_was_seen_counts_as_living_for_a_while_after_an_outage() {
        let generation = Generation { number: 1, fingerprint: "5eed".to_owned() };
        let mut turns = Turns::new();
        let mut begin =
            |session, has_later| turns.begin(Asks::Daemon(&generation), (true, has_later), session).is_ok();
        assert!(begin(1, false) && !begin(1, true));
        assert!(!begin(2, false));
        assert!(!begin(2, true) && begin(2, false));
    }
}
