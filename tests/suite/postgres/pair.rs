//! A primary and its standby, which a test can kill, promote, rebuild and cut off from each other.
//!
//! The standby reads the primary's log through a `Proxy`, the link. As long as the link stalls, the standby gets nothing.

mod tests;

use super::owner::Owner;
use super::programs::installed;
use super::proxy::{Network, Proxy};
use super::server::Server;

/// Name under which each server receives the other's log.
const STANDBY: &str = "standby";

/// The standby asks again at once, and `pg_rewind` can be used.
const SETTINGS: [&str; 4] = [
    "wal_retrieve_retry_interval = 20ms",
    "wal_log_hints = on",
    "wal_keep_size = 1GB",
    "include_if_exists = 'start.conf'",
];

/// Two servers. Both sync their files. They are removed when this is dropped.
pub(crate) struct Pair {
    servers: [Server; 2],
    /// Index of the primary.
    primary: usize,
    link: Proxy,
    owner: Owner,
}

impl Pair {
    /// Starts both. If they are synchronous, a commit waits until the standby has it. `None` if PostgreSQL is not
    /// installed.
    pub(crate) fn start(is_synchronous: bool) -> Option<Self> {
        let mut owner = Owner::start(installed()?);
        let servers = ["one", "two"].map(|name| Server::new(&mut owner, name));
        let link = Proxy::to(&servers[0].socket());
        let connection = format!(
            "primary_conninfo = 'host=127.0.0.1 port={} user=postgres application_name={STANDBY}'",
            link.port()
        );
        let names = format!("synchronous_standby_names = '{}'", names(is_synchronous));
        servers[0].create(&mut owner, &[&[connection.as_str(), &names], &SETTINGS[..]].concat());
        owner.run(&format!(
            "cp -R '{}' '{1}' && touch '{1}/standby.signal'",
            servers[0].data().display(),
            servers[1].data().display()
        ));
        for server in &servers {
            server.start(&mut owner);
        }
        let pair = Self { servers, primary: 0, link, owner };
        pair.until_streaming();
        Some(pair)
    }

    pub(crate) fn primary(&self) -> &Server {
        &self.servers[self.primary]
    }

    pub(crate) fn standby(&self) -> &Server {
        &self.servers[1 - self.primary]
    }

    /// The network between both. A test sets it back to `Passes` before it needs the standby again.
    pub(crate) fn link(&self) -> &Proxy {
        &self.link
    }

    /// `store.url` of a program. It takes the server that is the primary.
    pub(crate) fn url(&self) -> String {
        let [one, two] = self.servers.each_ref().map(Server::host);
        format!("postgres://postgres@{one},{two}/postgres")
    }

    /// Kills all processes of the primary as `kill -9` does.
    pub(crate) fn kill_primary(&self) {
        self.primary().kill();
    }

    /// Makes the standby the primary. The old one may still run, as one that is cut off does.
    pub(crate) fn promote(&mut self) {
        let data = self.standby().data();
        self.owner.run(&format!(r#""$1/pg_ctl" -D '{}' -w promote"#, data.display()));
        self.primary = 1 - self.primary;
        self.link.lead_to(&self.servers[self.primary].socket());
    }

    /// Makes the old primary a standby of the new one. What only the old one had is lost.
    pub(crate) fn rebuild(&mut self) {
        self.link.set(Network::Passes);
        let standby = &self.servers[1 - self.primary];
        if standby.process().is_some() {
            standby.kill();
        }
        // `pg_rewind` reads the present timeline from the last checkpoint.
        self.primary().ask("CHECKPOINT;");
        self.owner.run(&format!(
            r#""$1/pg_rewind" -D '{0}' --source-server='host={1} user=postgres dbname=postgres' --no-sync && touch '{0}/standby.signal' && echo 'fsync = off' >'{0}/start.conf'"#,
            standby.data().display(),
            self.primary().folder().display()
        ));
        // A start after a kill syncs every file, which takes seconds. Only the machine's end could make use of that.
        standby.start(&mut self.owner);
        std::fs::remove_file(standby.data().join("start.conf")).unwrap();
        standby.ask("SELECT pg_reload_conf();");
        self.until_streaming();
    }

    /// Waits until the standby has all that was committed.
    pub(crate) fn until_streaming(&self) {
        self.primary().until(
            "EXISTS (SELECT FROM pg_stat_replication WHERE state = 'streaming'
                AND flush_lsn >= pg_current_wal_flush_lsn()
                AND (sync_state = 'sync') = (current_setting('synchronous_standby_names') <> ''))",
        );
    }

    /// From now on each commit waits for the standby, or none does.
    pub(crate) fn set_synchronous(&self, is_synchronous: bool) {
        let names = names(is_synchronous);
        for server in &self.servers {
            server.ask(&format!(
                "ALTER SYSTEM SET synchronous_standby_names = '{names}'; SELECT pg_reload_conf();"
            ));
        }
        // The setting is in effect once the checkpointer has it. Before a checkpoint it reads settings.
        let shown = self.primary().ask("SHOW synchronous_standby_names; CHECKPOINT;");
        assert_eq!(shown, names);
        self.until_streaming();
    }

    /// Waits until a session waits for the standby, with a statement like this.
    pub(crate) fn until_waiting(&self, statement: &str) {
        self.primary().until(&format!("EXISTS (SELECT {})", waiting(statement)));
    }

    /// Cancels the waits for the standby of statements like this, as an administrator may do. Returns their number.
    pub(crate) fn cancel_waiting(&self, statement: &str) -> usize {
        self.end_waiting("pg_cancel_backend", statement)
    }

    /// Ends the sessions that wait for the standby with a statement like this. Returns their number.
    pub(crate) fn terminate_waiting(&self, statement: &str) -> usize {
        self.end_waiting("pg_terminate_backend", statement)
    }

    fn end_waiting(&self, function: &str, statement: &str) -> usize {
        let count = format!("SELECT count({function}(pid)) {};", waiting(statement));
        self.primary().ask(&count).parse().unwrap()
    }

    /// Makes the primary wait for no standby any more, as Patroni does without its strict mode. Waits end, too.
    pub(crate) fn empty_names(&self) {
        self.primary().ask("ALTER SYSTEM SET synchronous_standby_names = ''; SELECT pg_reload_conf();");
    }
}

/// Sessions that have committed, and wait for the standby.
fn waiting(statement: &str) -> String {
    format!("FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND query LIKE '{statement}'")
}

fn names(is_synchronous: bool) -> &'static str {
    if is_synchronous { STANDBY } else { "" }
}
