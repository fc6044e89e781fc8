//! Rows that a pair of servers keeps and loses.

use std::path::Path;
use std::thread::JoinHandle;

use super::{Network, Pair};
use crate::postgres::programs::psql;

const INSERT: &str = "INSERT%";

/// A pair with a table that its standby has, too.
fn start(is_synchronous: bool) -> Option<Pair> {
    let pair = Pair::start(is_synchronous)?;
    pair.primary().ask("CREATE TABLE fact (a BIGINT);");
    pair.until_streaming();
    Some(pair)
}

/// Commits a row in a session of its own, which may wait for the standby. Returns what the session is told.
fn commit(pair: &Pair, row: u32) -> JoinHandle<String> {
    let url = format!("{}?target_session_attrs=read-write", pair.url());
    std::thread::spawn(move || psql(&url, &format!("INSERT INTO fact VALUES ({row});")).1)
}

fn rows(pair: &Pair) -> String {
    pair.primary().ask("SELECT coalesce(string_agg(a::text, ' ' ORDER BY a), 'none') FROM fact;")
}

/// Waits until the primary shows a row, although the standby cannot have it.
fn until_shown(pair: &Pair, row: u32) {
    pair.primary().until(&format!("EXISTS (SELECT FROM fact WHERE a = {row})"));
}

#[test]
fn a_new_primary_has_what_was_committed() {
    let Some(mut pair) = start(true) else { return };
    for row in 1..=3 {
        assert_eq!(commit(&pair, row).join().unwrap(), "");
        pair.kill_primary();
        pair.promote();
        assert_eq!(
            pair.primary().ask("SHOW transaction_read_only; SELECT max(a) FROM fact;"),
            format!("off\n{row}")
        );
        pair.rebuild();
    }
    assert_eq!(rows(&pair), "1 2 3");
}

#[test]
fn an_asynchronous_pair_loses_what_was_not_sent() {
    let Some(mut pair) = start(false) else { return };
    assert_eq!(commit(&pair, 1).join().unwrap(), "");
    pair.until_streaming();
    pair.link().set(Network::Stalls);
    assert_eq!(commit(&pair, 2).join().unwrap(), "");
    pair.kill_primary();
    pair.promote();
    assert_eq!(rows(&pair), "1");
}

#[test]
fn a_commit_waits_for_the_standby_and_is_not_shown_before() {
    let Some(pair) = start(true) else { return };
    pair.link().set(Network::Stalls);
    let told = commit(&pair, 1);
    pair.until_waiting(INSERT);
    assert_eq!(rows(&pair), "none");
    pair.link().set(Network::Passes);
    assert_eq!(told.join().unwrap(), "");
    assert_eq!(rows(&pair), "1");
}

/// PostgreSQL tells this client that it committed. Only the warning tells it that a failover may undo it.
#[test]
fn a_cancelled_wait_is_a_success_with_a_warning_and_is_lost() {
    let Some(mut pair) = start(true) else { return };
    pair.link().set(Network::Stalls);
    let told = commit(&pair, 1);
    pair.until_waiting(INSERT);
    assert_eq!(pair.cancel_waiting(INSERT), 1);
    let told = told.join().unwrap();
    assert!(
        told.contains("WARNING:  canceling wait for synchronous replication due to user request"),
        "{told}"
    );
    assert!(!told.contains("ERROR"), "{told}");
    assert_eq!(rows(&pair), "1");
    pair.kill_primary();
    pair.promote();
    assert_eq!(rows(&pair), "none");
}

#[test]
fn a_terminated_wait_ends_the_session_and_commits() {
    let Some(pair) = start(true) else { return };
    pair.link().set(Network::Stalls);
    let told = commit(&pair, 1);
    pair.until_waiting(INSERT);
    assert_eq!(pair.terminate_waiting(INSERT), 1);
    let told = told.join().unwrap();
    assert!(told.contains("terminating connection due to administrator command"), "{told}");
    until_shown(&pair, 1);
}

/// Nothing tells this client that only one server has its row.
#[test]
fn emptied_names_end_a_wait_without_a_warning() {
    let Some(mut pair) = start(true) else { return };
    pair.link().set(Network::Stalls);
    let told = commit(&pair, 1);
    pair.until_waiting(INSERT);
    pair.empty_names();
    assert_eq!(told.join().unwrap(), "");
    pair.kill_primary();
    pair.promote();
    assert_eq!(rows(&pair), "none");
}

/// A server reads its settings again between two messages. So a question in the message of the commit does not show it.
#[test]
fn the_message_after_the_commit_shows_that_the_names_were_emptied() {
    let Some(pair) = start(true) else { return };
    pair.link().set(Network::Stalls);
    let url = pair.primary().url();
    let script = "INSERT INTO fact VALUES (1) \\; SHOW synchronous_standby_names;
        SHOW synchronous_standby_names;";
    let asked = std::thread::spawn(move || psql(&url, script).0);
    pair.until_waiting(INSERT);
    pair.empty_names();
    assert_eq!(asked.join().unwrap(), "standby\n\n");
}

#[test]
fn a_pair_becomes_synchronous_and_asynchronous() {
    let Some(pair) = start(false) else { return };
    for row in 1..=2 {
        pair.set_synchronous(true);
        pair.link().set(Network::Stalls);
        let told = commit(&pair, 2 * row);
        pair.until_waiting(INSERT);
        pair.link().set(Network::Passes);
        assert_eq!(told.join().unwrap(), "");
        pair.set_synchronous(false);
        pair.link().set(Network::Stalls);
        assert_eq!(commit(&pair, 2 * row + 1).join().unwrap(), "");
        pair.link().set(Network::Passes);
    }
    assert_eq!(rows(&pair), "2 3 4 5");
}

/// The old primary still runs, without its standby, so it cannot commit. It is replaced by a copy of the new one.
#[test]
fn a_primary_that_is_cut_off_does_not_commit_beside_the_new_one() {
    let Some(mut pair) = start(true) else { return };
    pair.link().set(Network::Stalls);
    let (old, url) = (commit(&pair, 1), pair.primary().url());
    pair.until_waiting(INSERT);
    pair.promote();
    assert_eq!(psql(&url, "SELECT count(*) FROM fact;").0, "0\n");
    assert!(!old.is_finished());
    pair.rebuild();
    assert!(old.join().unwrap().contains("server closed the connection"));
    assert_eq!(commit(&pair, 2).join().unwrap(), "");
    assert_eq!(rows(&pair), "2");
}

#[test]
fn a_pair_is_removed_whichever_of_its_servers_run() {
    for kills in [false, true] {
        let Some(pair) = Pair::start(true) else { return };
        let process = |folder: &Path| std::fs::read_link(folder.join("exe"));
        let processes = [pair.primary(), pair.standby()]
            .map(|server| Path::new("/proc").join(server.process().unwrap().to_string()));
        assert!(processes.iter().all(|folder| process(folder).is_ok()));
        let folder = pair.owner.folder().to_owned();
        if kills {
            pair.kill_primary();
            assert!(process(&processes[0]).is_err());
        }
        drop(pair);
        assert!(!folder.exists());
        assert!(processes.iter().all(|folder| process(folder).is_err()));
    }
}
