//! Tests of a pair of servers. What a failover keeps and loses is shown on the daemon, in `failover`.

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
