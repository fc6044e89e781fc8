//! The network to the server is cut at each message of the transaction that stores a webhook.

use std::collections::BTreeSet;
use std::time::Instant;

use tokio::task::JoinSet;

use crate::daemon::{Daemon, PAGERDUTY_WAITS, STORED};
use crate::postgres::{Cut, Message, Network, Place, Proxy, Reach, Schema, Sender};

/// A daemon that reaches its store through a network.
pub(super) struct ProxiedDaemon {
    pub(super) schema: Schema,
    pub(super) proxy: Proxy,
    pub(super) daemon: Daemon,
    acknowledged: BTreeSet<String>,
    /// Number of incidents so far.
    incidents: usize,
}

/// The messages of a transaction, in the connection where it was run.
#[derive(Debug)]
struct Transaction {
    connection: usize,
    from_client: usize,
    from_server: usize,
}

impl ProxiedDaemon {
    pub(super) fn start(name: &str, more: &str) -> Option<Self> {
        let schema = Schema::new(name)?;
        let (proxy, url) = schema.through_proxy();
        let daemon = Daemon::start(&url, more);
        Some(Self { schema, proxy, daemon, acknowledged: BTreeSet::new(), incidents: 0 })
    }

    /// A new incident.
    pub(super) fn incident(&mut self) -> String {
        self.incidents += 1;
        format!("QCUT{:04}", self.incidents)
    }

    /// Delivers an event of an incident, which must be answered 202.
    pub(super) async fn deliver(&mut self, event_type: &str, incident: &str) {
        let status = self.daemon.client().deliver_type(event_type, incident).await;
        self.expect_accepted(incident, status);
    }

    /// Delivers an event of a new incident, which must be answered 202.
    async fn deliver_new(&mut self) -> String {
        let incident = self.incident();
        self.deliver("incident.triggered", &incident).await;
        incident
    }

    fn expect_accepted(&mut self, incident: &str, status: u16) {
        assert_eq!(status, 202, "{incident}");
        self.acknowledged.insert(incident.to_owned());
    }

    /// The transaction that stores a webhook, as it is when nothing is cut and the connection has prepared all statements.
    async fn transaction(&mut self) -> Transaction {
        self.deliver_new().await;
        self.proxy.record();
        let incident = self.deliver_new().await;
        let recorded = self.proxy.recorded();
        let is_from = |message: &&Message, sender, text| message.sender == sender && message.contains(text);
        let stores = recorded.iter().find(|message| is_from(message, Sender::Client, &incident)).unwrap();
        let connection = stores.connection;
        let messages = recorded.iter().filter(|message| message.connection == connection);
        let mut messages = messages.skip_while(|message| !is_from(message, Sender::Client, "BEGIN"));
        let mut found = Transaction { connection, from_client: 0, from_server: 0 };
        let mut is_ending = false;
        loop {
            let message = messages.next().expect("a transaction ends with a message of the server");
            match message.sender {
                Sender::Client => {
                    found.from_client += 1;
                    is_ending = message.contains("COMMIT");
                }
                Sender::Server => found.from_server += 1,
            }
            if is_ending && message.kind() == 'Z' {
                assert!(found.from_client >= 3 && found.from_server >= 6, "{found:?}");
                return found;
            }
        }
    }

    /// Cuts the network at a place of the next transaction in this connection.
    fn cut(&self, connection: usize, place: Place, (network, reach): (Network, Reach)) {
        self.proxy.cut(Cut { connection, from: "BEGIN", place, network, reach });
    }

    /// Checks that each acknowledged event is stored, and no other one.
    pub(super) fn check(&self) {
        let stored = self.schema.ask(STORED);
        let acknowledged: Vec<&str> = self.acknowledged.iter().map(String::as_str).collect();
        assert_eq!(stored.lines().collect::<Vec<_>>(), acknowledged);
    }
}

impl Transaction {
    /// Every place of it.
    fn places(&self) -> Vec<Place> {
        let client = (1..=self.from_client).map(|n| (Sender::Client, n));
        let server = (1..=self.from_server).map(|n| (Sender::Server, n));
        let both = |(sender, n)| [Place::Before(sender, n), Place::After(sender, n)];
        client.chain(server).flat_map(both).collect()
    }

    /// The place where the client does not know if the server has committed: the COMMIT or its answer is not passed.
    fn place_in_doubt(&self, network: Network) -> Place {
        match network {
            Network::PassesOnlyFrom(Sender::Server) => Place::Before(Sender::Client, self.from_client),
            _ => Place::Before(Sender::Server, self.from_server - 1),
        }
    }
}

/// The transaction is repeated on another connection, so the webhook is answered 202 whatever became of the first one.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_lost_at_any_message_costs_no_webhook() {
    let Some(mut proxied) = ProxiedDaemon::start("failover_lost", "") else { return };
    let places = proxied.transaction().await.places();
    for network in [Network::Resets, Network::Closes] {
        for place in &places {
            let connection = proxied.transaction().await.connection;
            proxied.cut(connection, *place, (network, Reach::Connection));
            proxied.deliver_new().await;
            assert!(proxied.proxy.has_cut(), "{place:?}");
        }
    }
    proxied.check();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_stalls_at_any_message_only_delays() {
    let Some(mut proxied) = ProxiedDaemon::start("failover_stalls", "") else { return };
    let transaction = proxied.transaction().await;
    for network in
        [Network::Stalls, Network::PassesOnlyFrom(Sender::Client), Network::PassesOnlyFrom(Sender::Server)]
    {
        for place in transaction.places() {
            let (incident, client) = (proxied.incident(), proxied.daemon.client());
            proxied.cut(transaction.connection, place, (network, Reach::All));
            let answer = tokio::spawn({
                let incident = incident.clone();
                async move { client.deliver(&incident).await }
            });
            proxied.proxy.until_cut();
            proxied.proxy.set(Network::Passes);
            proxied.expect_accepted(&incident, answer.await.unwrap());
        }
    }
    proxied.check();
}

/// Nobody is told 2xx while the network is cut, and everybody is told something before PagerDuty gives up.
#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_stays_cut_is_answered_503_and_the_store_comes_back_after_it() {
    let mut all = JoinSet::new();
    for (name, network) in [
        ("failover_cut_off", Network::Stalls),
        ("failover_unheard", Network::PassesOnlyFrom(Sender::Client)),
        ("failover_deaf", Network::PassesOnlyFrom(Sender::Server)),
        ("failover_resets", Network::Resets),
    ] {
        let Some(mut proxied) = ProxiedDaemon::start(name, "") else { return };
        all.spawn(async move {
            let transaction = proxied.transaction().await;
            let incident = proxied.incident();
            proxied.cut(transaction.connection, transaction.place_in_doubt(network), (network, Reach::All));
            let other = proxied.incident();
            for incident in [&incident, &other] {
                let began = Instant::now();
                assert_eq!(proxied.daemon.client().deliver(incident).await, 503, "{network:?}");
                assert!(proxied.proxy.has_cut() && began.elapsed() < PAGERDUTY_WAITS, "{network:?}");
            }
            proxied.proxy.set(Network::Passes);
            let began = Instant::now();
            // PagerDuty sends both again.
            for incident in [incident, other] {
                let status = proxied.daemon.client().deliver(&incident).await;
                proxied.expect_accepted(&incident, status);
            }
            assert!(began.elapsed() < PAGERDUTY_WAITS, "{network:?}: {:?}", began.elapsed());
            println!("{network:?}: 202 comes {:?} after the end of the cut", began.elapsed());
            proxied.check();
        });
    }
    all.join_all().await;
}
