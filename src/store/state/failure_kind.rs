//! The kinds of failures: the values by which listings filter, stored once for all failures that share them.

use sha2::{Digest, Sha256};

use crate::domain::failure::{Failure, FailureState};
use crate::store::engine::json::to_json;
use crate::store::engine::session::Session;
use crate::store::engine::sql::{self, params};

/// `traits`: the state, services, team, env and severity.
type Traits<'a> = (FailureState, &'a [String], Option<&'a str>, &'a str, Option<&'a str>);

/// Maximum length of traits that are stored as they are, in bytes. A failure may have any number of services.
const LONGEST_TRAITS: usize = 512;

/// The column `traits`, which only distinguishes kinds: the traits, or a hash of them, because a row of an index has a
/// limited length in PostgreSQL.
fn key(traits: String) -> String {
    if traits.len() <= LONGEST_TRAITS { traits } else { hex::encode(Sha256::digest(traits)) }
}

/// The row of the kind of a failure. A new kind is stored.
pub(super) fn row(session: &Session<'_>, failure: &Failure) -> sql::Result<i64> {
    const FIND: &str = "SELECT id FROM failure_kind WHERE traits = ?1";
    let Failure { state, services, team, env, severity, .. } = failure;
    let traits: Traits<'_> = (*state, services, team.as_deref(), env, severity.as_deref());
    let traits = key(to_json(&traits)?);
    let known = session.db().one(FIND, params![&traits], |row| row.get(0))?;
    known.map_or_else(|| add(session, failure, &traits), Ok)
}

fn add(session: &Session<'_>, failure: &Failure, traits: &str) -> sql::Result<i64> {
    const ADD: &str =
        "INSERT INTO failure_kind (traits, state, team, env, severity) VALUES (?1, ?2, ?3, ?4, ?5)";
    // A failure may name a service twice.
    const ADD_SERVICE: &str = "INSERT INTO failure_kind_service VALUES (?1, ?2) ON CONFLICT DO NOTHING";
    let Failure { state, services, team, env, severity, .. } = failure;
    let kind = session.insert_new(ADD, params![traits, state.as_str(), team, env, severity])?;
    for service in services {
        session.run(ADD_SERVICE, params![service, kind])?;
    }
    Ok(kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_traits_have_a_short_key_of_their_own() {
        let short = "x".repeat(LONGEST_TRAITS);
        assert_eq!(key(short.clone()), short);
        let keys = ["y", "z"].map(|end| key(short.clone() + end));
        assert!(keys[0] != keys[1] && keys.iter().all(|key| key.len() == 64), "{keys:?}");
    }
}
