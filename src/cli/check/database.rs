//! Checks that the daemon can use its database of PostgreSQL, and says what a commit there is worth.

use std::sync::Arc;

use super::item::{Finding, Item};
use crate::store::{Acknowledgement, OpenError, PostgresAddress, Reader, ServerGuarantees, StoreAddress};

const STORE: &str = "store";
const REPLICATION: &str = "store replication";
const READ_URL: &str = "store.read_url";

/// Connects to the database. Writes nothing.
pub(super) fn check(address: &Arc<PostgresAddress>) -> Vec<Item> {
    let found = match ServerGuarantees::ask(address) {
        Ok(found) => found,
        Err(error) => return vec![Item::new(STORE, Finding::Wrong(error.to_string()))],
    };
    let shown = StoreAddress::Postgres(Arc::clone(address)).to_string();
    let mut items = vec![Item::new(STORE, state(address, &shown, &found))];
    items.extend(later_migrations(&found).map(|finding| Item::new(STORE, finding)));
    items.push(Item::new(REPLICATION, replication(&found, address.acknowledgement)));
    items.extend(disk(&found).map(|finding| Item::new(REPLICATION, finding)));
    items.extend(second_address(address, &found).map(|finding| Item::new(READ_URL, finding)));
    items
}

/// State of the database, and the permissions of the user.
fn state(address: &Arc<PostgresAddress>, shown: &str, found: &ServerGuarantees) -> Finding {
    let ServerGuarantees { version, user, .. } = found;
    let Some(schema) = &found.schema else {
        return Finding::Wrong(format!(
            "{shown} has none of the schemas in the search path of {user}: create one (CREATE SCHEMA), or correct the options \
             in store.url"
        ));
    };
    if !found.refused_tables.is_empty() {
        return Finding::Wrong(format!(
            "the user {user} may not read and write all tables of {shown} ({}): GRANT SELECT, INSERT, UPDATE, DELETE ON ALL \
             TABLES IN SCHEMA {schema} TO {user}",
            some_of(&found.refused_tables)
        ));
    }
    if !found.is_set_up {
        return if found.may_create {
            Finding::Ok(format!("{shown}: PostgreSQL {version}, schema {schema} (will be set up)"))
        } else {
            Finding::Wrong(format!(
                "the user {user} may not create tables in {shown}: GRANT CREATE, USAGE ON SCHEMA {schema} TO {user}"
            ))
        };
    }
    // Finds a store that a later version has written.
    match Reader::open(StoreAddress::Postgres(Arc::clone(address)).primary()) {
        Ok(_) => Finding::Ok(format!("{shown}: PostgreSQL {version}, schema {schema}")),
        Err(error) => Finding::Wrong(error.to_string()),
    }
}

/// Warning of a user who cannot migrate the tables.
fn later_migrations(found: &ServerGuarantees) -> Option<Finding> {
    let ServerGuarantees { user, schema, .. } = found;
    let schema = schema.as_deref().unwrap_or_default();
    (found.is_set_up && !(found.owns_tables && found.may_create)).then(|| {
        Finding::Warn(format!(
            "the user {user} can use the tables, but a later version of the program could not migrate them: make {user} their \
             owner, and GRANT CREATE ON SCHEMA {schema} TO {user}"
        ))
    })
}

/// Durability of a commit, with the way to more of it.
fn replication(found: &ServerGuarantees, acknowledgement: Acknowledgement) -> Finding {
    let (awaited, connected) = (found.awaited_standbys(), found.standbys);
    let names = &found.synchronous_standby_names;
    if awaited == 0 && acknowledgement == Acknowledgement::Standby {
        return Finding::Failed(
            "store.durable is \"replicated\", and the server has no synchronous standby (synchronous_standby_names is empty), \
             so webhooks would be answered 503: set it, for example to 'ANY 1 (*)' (Patroni: synchronous_mode and \
             synchronous_mode_strict), or set store.durable to \"server\""
                .to_owned(),
        );
    }
    if awaited == 0 && connected == 0 {
        return Finding::Warn(
            "one server: what it has committed is lost with its disk, unless its provider keeps copies of the disk. Connect two \
             standbys, and set synchronous_standby_names, for example to 'ANY 1 (*)'"
                .to_owned(),
        );
    }
    if awaited == 0 {
        return Finding::Warn(format!(
            "asynchronous standbys ({connected}): the last moments before a failover are lost, also events that PagerDuty will \
             not send again. Set synchronous_standby_names, for example to 'ANY 1 (*)' (Patroni: synchronous_mode and \
             synchronous_mode_strict)"
        ));
    }
    // Without the right to see more, all that are connected may count.
    let synchronous = found.synchronous_standbys.unwrap_or(connected);
    if synchronous < awaited {
        return Finding::Failed(format!(
            "a commit waits for {} ({names}), and {synchronous} of {connected} connected ones can end the wait. Until then webhooks \
             are answered 503: start the standbys, or correct synchronous_standby_names",
            counted(awaited)
        ));
    }
    let guarantee = format!(
        "a commit waits for {} ({names}), so what was answered 2xx survives the loss of the server. Connected standbys: \
         {connected}",
        counted(awaited)
    );
    if connected == awaited {
        return Finding::Warn(format!(
            "{guarantee}. If one of them stops, no commit ends, and webhooks are answered 503: connect one more"
        ));
    }
    let mut text = guarantee;
    if found.synchronous_standbys.is_none() {
        text.push_str(". Not known: which of them are synchronous, so they count as if all were (GRANT pg_read_all_stats TO ");
        text.push_str(&found.user);
        text.push_str(" shows it)");
    }
    if acknowledgement == Acknowledgement::Server {
        text.push_str(
            ". Not noticed: that somebody empties synchronous_standby_names while the program runs (store.durable = \
             \"replicated\" notices it)",
        );
    }
    Finding::Ok(text)
}

/// A number of standbys.
fn counted(standbys: u32) -> String {
    match standbys {
        1 => "one synchronous standby".to_owned(),
        more => format!("{more} synchronous standbys"),
    }
}

/// Warning of settings with which the disk does not have what is committed.
fn disk(found: &ServerGuarantees) -> Option<Finding> {
    if !found.fsync {
        return Some(Finding::Warn(
            "the server runs with fsync = off: a crash of its machine loses what was committed, and may damage the database. \
             Switch fsync on"
                .to_owned(),
        ));
    }
    // A session of the program waits in any case.
    (found.synchronous_commit != "on").then(|| {
        Finding::Ok(format!(
            "synchronous_commit is {} at the server; the program's own sessions set it to on",
            found.synchronous_commit
        ))
    })
}

/// Finding about `store.read_url`. `None` if it is not set.
fn second_address(address: &Arc<PostgresAddress>, found: &ServerGuarantees) -> Option<Finding> {
    let url = address.read_url.as_ref()?;
    let there = PostgresAddress { url: url.clone(), read_url: None, ..(**address).clone() };
    let there = StoreAddress::Postgres(Arc::new(there));
    let shown = there.to_string();
    Some(match Reader::open(there) {
        Ok(_) => Finding::Ok(format!("{shown} (listings and figures are read there, and may lag)")),
        Err(OpenError::NoSchema { .. }) if !found.is_set_up => {
            Finding::Ok(format!("{shown} (will have what is set up at store.url)"))
        }
        Err(OpenError::NoSchema { .. }) => Finding::Wrong(format!(
            "{shown} has no store, and store.url has one: read_url has to name a standby of the same server"
        )),
        Err(error) => Finding::Wrong(error.to_string()),
    })
}

/// The first names, and the number of the others.
fn some_of(names: &[String]) -> String {
    const MOST: usize = 5;
    match names.get(MOST..) {
        Some(more) if !more.is_empty() => format!("{} and {} more", names[..MOST].join(", "), more.len()),
        _ => names.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(names: &str, standbys: u32, synchronous_standbys: Option<u32>) -> ServerGuarantees {
        ServerGuarantees {
            version: "15.18".to_owned(),
            user: "dora".to_owned(),
            schema: Some("public".to_owned()),
            is_set_up: true,
            may_create: true,
            refused_tables: Vec::new(),
            owns_tables: true,
            synchronous_standby_names: names.to_owned(),
            standbys,
            synchronous_standbys,
            synchronous_commit: "on".to_owned(),
            fsync: true,
        }
    }

    fn marked(finding: &Finding) -> String {
        let mark = match finding {
            Finding::Ok(_) => "ok",
            Finding::Warn(_) => "warn",
            Finding::Failed(_) => "failed",
            Finding::Wrong(_) => "wrong",
        };
        format!("{mark}: {finding}")
    }

    #[test]
    fn each_kind_of_replication_is_told_with_its_cure() {
        let servers = [
            server("", 0, Some(0)),
            server("", 2, None),
            server("ANY 1 (*)", 2, Some(2)),
            server("ANY 1 (*)", 2, None),
            server("FIRST 2 (a, b)", 2, Some(2)),
            server("a", 0, Some(0)),
            server("a", 2, Some(0)),
        ];
        let told = |acknowledgement| {
            let lines = servers.iter().map(move |server| {
                let names = &server.synchronous_standby_names;
                format!("{names:?} {:?}: {}", server.standbys, marked(&replication(server, acknowledgement)))
            });
            lines.collect::<Vec<_>>().join("\n")
        };
        insta::assert_snapshot!(format!(
            "{}\n\nreplicated\n{}",
            told(Acknowledgement::Server),
            told(Acknowledgement::Standby)
        ));
    }

    #[test]
    fn a_server_that_does_not_wait_for_its_disk_is_warned_about() {
        let plain = server("", 0, Some(0));
        assert!(disk(&plain).is_none());
        let unsafe_disk = ServerGuarantees { fsync: false, ..plain.clone() };
        assert!(matches!(disk(&unsafe_disk), Some(Finding::Warn(text)) if text.contains("fsync")));
        let lazy = ServerGuarantees { synchronous_commit: "off".to_owned(), ..plain };
        assert!(matches!(disk(&lazy), Some(Finding::Ok(text)) if text.contains("synchronous_commit is off")));
    }
}
