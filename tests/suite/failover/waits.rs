//! The wait for the standby ends without the standby: somebody cancels it, ends the session, or empties the setting.

use tokio::task::JoinHandle;

use crate::daemon::{Daemon, STORED};
use crate::postgres::{Network, Pair, Proxy};

/// Beginning of the message that commits a webhook.
const COMMIT: &str = "COMMIT%";
/// A condition on each commit.
const REPLICATED: &str = "durable = \"replicated\"\n";

/// The incident of the webhook before, as the standby has it.
const FIRST: &str = "QWAIT001";
/// The incidents of both webhooks.
const BOTH: &str = "QWAIT001\nQWAIT002";

/// A webhook whose transaction waits for a standby that is cut off. Another one was stored before.
struct Waiting {
    pair: Pair,
    daemon: Daemon,
    answer: JoinHandle<u16>,
}

impl Waiting {
    async fn start(more: &str) -> Option<Self> {
        let pair = Pair::start(true)?;
        let daemon = Daemon::start(&pair.url(), more);
        Some(Self::of(pair, daemon).await)
    }

    async fn of(pair: Pair, daemon: Daemon) -> Self {
        assert_eq!(daemon.client().deliver(FIRST).await, 202);
        pair.until_streaming();
        pair.link().set(Network::Stalls);
        let client = daemon.client();
        let answer = tokio::spawn(async move { client.deliver("QWAIT002").await });
        pair.until_waiting(COMMIT);
        Self { pair, daemon, answer }
    }

    /// Kills the primary and promotes the standby, which must have the events of these incidents, a line for each.
    fn fail_over(&mut self, stored: &str) {
        self.pair.kill_primary();
        self.pair.promote();
        assert_eq!(self.pair.primary().ask(STORED), stored);
    }

    /// Delivers the webhook again, as PagerDuty does after an answer that is not 2xx. Then both servers have it.
    async fn recover(&mut self) {
        self.pair.rebuild();
        assert_eq!(self.daemon.client().deliver("QWAIT002").await, 202);
        self.fail_over(BOTH);
    }
}

/// Ends the wait. The daemon repeats the transaction, which waits as well.
async fn ended_wait_is_not_acknowledged(end: fn(&Pair, &str) -> usize) {
    let Some(mut waiting) = Waiting::start("").await else { return };
    assert_eq!(end(&waiting.pair, COMMIT), 1);
    waiting.pair.until_waiting(COMMIT);
    assert!(!waiting.answer.is_finished());
    // Only the primary has the webhook.
    waiting.fail_over(FIRST);
    assert_eq!((&mut waiting.answer).await.unwrap(), 503);
    waiting.recover().await;
}

/// The server says that it has committed, with a warning.
#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_wait_is_not_acknowledged() {
    ended_wait_is_not_acknowledged(Pair::cancel_waiting).await;
}

/// The server ends the session without an answer.
#[tokio::test(flavor = "multi_thread")]
async fn a_terminated_wait_is_not_acknowledged() {
    ended_wait_is_not_acknowledged(Pair::terminate_waiting).await;
}

/// The control: whoever does not read the warning acknowledges what the standby does not have.
#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_wait_loses_an_acknowledged_webhook_where_warnings_are_dropped() {
    let Some(pair) = Pair::start(true) else { return };
    let proxy = Proxy::to(&pair.primary().socket());
    proxy.drop_notices();
    let daemon = Daemon::start(&proxy.url(), "");
    let mut waiting = Waiting::of(pair, daemon).await;
    assert_eq!(waiting.pair.cancel_waiting(COMMIT), 1);
    assert_eq!((&mut waiting.answer).await.unwrap(), 202);
    waiting.fail_over(FIRST);
}

/// A repeated transaction whose standby comes back is answered in time.
#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_wait_is_acknowledged_once_the_standby_has_it() {
    let Some(mut waiting) = Waiting::start("").await else { return };
    assert_eq!(waiting.pair.cancel_waiting(COMMIT), 1);
    waiting.pair.until_waiting(COMMIT);
    waiting.pair.link().set(Network::Passes);
    assert_eq!((&mut waiting.answer).await.unwrap(), 202);
    waiting.fail_over(BOTH);
}

/// The old primary still runs and takes connections, but its standby is a primary now.
#[tokio::test(flavor = "multi_thread")]
async fn a_primary_that_is_cut_off_acknowledges_nothing() {
    let Some(mut waiting) = Waiting::start("").await else { return };
    waiting.pair.promote();
    assert_eq!((&mut waiting.answer).await.unwrap(), 503);
    assert_eq!(waiting.daemon.client().deliver("QWAIT002").await, 503);
    // Replaces the old primary by a copy of the new one.
    waiting.recover().await;
}

/// No warning tells of it, so the daemon asks for the setting after each commit.
#[tokio::test(flavor = "multi_thread")]
async fn emptied_names_are_noticed_where_the_store_must_be_replicated() {
    let Some(mut waiting) = Waiting::start(REPLICATED).await else { return };
    waiting.pair.empty_names();
    assert_eq!((&mut waiting.answer).await.unwrap(), 503);
    // The store is not replicated before a commit either.
    assert_eq!(waiting.daemon.client().deliver("QWAIT003").await, 503);
    waiting.fail_over(FIRST);
    waiting.recover().await;
}

/// The control: without that condition the server's word counts, and a failover undoes what was acknowledged.
#[tokio::test(flavor = "multi_thread")]
async fn emptied_names_lose_an_acknowledged_webhook_where_the_servers_commit_counts() {
    let Some(mut waiting) = Waiting::start("").await else { return };
    waiting.pair.empty_names();
    assert_eq!((&mut waiting.answer).await.unwrap(), 202);
    waiting.fail_over(FIRST);
}
