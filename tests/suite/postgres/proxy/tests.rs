//! A client that speaks the protocol itself, through a network that is cut at each of its messages.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;

use super::message::read_message;
use super::{Cut, Message, Network, Place, Proxy, Reach, Sender};
use crate::postgres::Schema;
use crate::postgres::programs::psql;

/// The transaction of the tests. The server answers each statement with two messages.
const STATEMENTS: [&str; 3] = ["BEGIN", "INSERT INTO fact VALUES (1)", "COMMIT"];
/// Number of the client's messages from the first statement on. The last one ends the connection.
const FROM_CLIENT: usize = STATEMENTS.len() + 1;
const FROM_SERVER: usize = 2 * STATEMENTS.len();

struct Client(TcpStream);

impl Client {
    fn connect(proxy: &Proxy, schema: &Schema) -> io::Result<Self> {
        let mut client = Self(TcpStream::connect(proxy.address)?);
        let name = schema.name();
        let start =
            format!("\0\x03\0\0user\0postgres\0options\0-csearch_path={name}\0application_name\0{name}\0\0");
        client.send("", &start)?;
        client.until_ready()?;
        Ok(client)
    }

    /// Sends a message of this kind.
    fn send(&mut self, kind: &str, content: &str) -> io::Result<()> {
        let length = u32::try_from(content.len()).unwrap() + 4;
        self.0.write_all(&[kind.as_bytes(), &length.to_be_bytes(), content.as_bytes()].concat())
    }

    /// Reads until the server is ready for the next statement.
    fn until_ready(&mut self) -> io::Result<()> {
        loop {
            let message = read_message(&mut self.0)?;
            assert_ne!(message[0], b'E', "{}", String::from_utf8_lossy(&message));
            if message[0] == b'Z' {
                return Ok(());
            }
        }
    }

    fn run(&mut self, statement: &str) -> io::Result<()> {
        self.send("Q", &format!("{statement}\0"))?;
        self.until_ready()
    }

    /// Runs the transaction, and ends the connection.
    fn transaction(mut self) -> io::Result<()> {
        STATEMENTS.iter().try_for_each(|statement| self.run(statement))?;
        // The server does not answer the end.
        let _ = self.send("X", "");
        Ok(())
    }
}

/// A schema with an empty table, and a network before it.
fn start(name: &str) -> Option<(Schema, Proxy)> {
    let schema = Schema::new(name)?;
    assert_eq!(schema.run("CREATE TABLE fact (a BIGINT);").1, "");
    let (proxy, _) = schema.through_proxy();
    Some((schema, proxy))
}

/// Number of rows that are committed once all sessions have ended that came through the network.
fn committed_in_the_end(schema: &Schema) -> String {
    schema.until(&format!(
        "NOT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = '{}')",
        schema.name()
    ));
    schema.run("SELECT count(*) FROM fact; DELETE FROM fact;").0
}

/// A cut of everything at a place of the transaction.
fn cut(connection: usize, place: Place, network: Network) -> Cut {
    Cut { connection, from: "BEGIN", place, network, reach: Reach::All }
}

/// Each place of the transaction, and `true` if its COMMIT is passed to the server before it.
fn places() -> Vec<(Place, bool)> {
    let client = (1..=FROM_CLIENT).map(|n| (Sender::Client, n));
    let server = (1..=FROM_SERVER).map(|n| (Sender::Server, n));
    let commit = STATEMENTS.len();
    client
        .chain(server)
        .flat_map(|(sender, n)| {
            let (before, after) = match sender {
                Sender::Client => (n > commit, n >= commit),
                // The first answer to COMMIT comes after the two answers to each statement before it.
                Sender::Server => (n > FROM_SERVER - 2, n > FROM_SERVER - 2),
            };
            [(Place::Before(sender, n), before), (Place::After(sender, n), after)]
        })
        .collect()
}

/// `true` if the client has every answer at this place.
fn is_answered(place: Place) -> bool {
    match place {
        Place::Before(Sender::Client, n) | Place::After(Sender::Client, n) => n == FROM_CLIENT,
        Place::After(Sender::Server, n) => n == FROM_SERVER,
        Place::Before(Sender::Server, _) => false,
    }
}

fn kinds(messages: &[Message], sender: Sender) -> String {
    messages.iter().filter(|message| message.sender == sender).map(Message::kind).collect()
}

#[test]
fn psql_works_through_the_network_and_its_messages_are_recorded() {
    let Some(schema) = Schema::new("proxy_psql") else { return };
    let (proxy, url) = schema.through_proxy();
    proxy.record();
    let asked = psql(&url, "SELECT current_schema();");
    assert_eq!(asked, ("proxy_psql\n".to_owned(), String::new()));
    let recorded = proxy.recorded();
    // The end of the connection may still be on its way.
    assert!(kinds(&recorded, Sender::Client).starts_with('Q'));
    assert!(recorded[0].sender == Sender::Server && kinds(&recorded, Sender::Server).ends_with("ZTDCZ"));
    let question = recorded.iter().find(|message| message.sender == Sender::Client).unwrap();
    assert!(question.contains("current_schema()") && question.connection == 0);
}

#[test]
fn an_end_at_each_message_leaves_a_transaction_that_is_whole_or_undone() {
    let Some((schema, proxy)) = start("proxy_ends") else { return };
    for (network, error) in
        [(Network::Resets, ErrorKind::ConnectionReset), (Network::Closes, ErrorKind::UnexpectedEof)]
    {
        for (place, is_committed) in places() {
            proxy.set(Network::Passes);
            let client = Client::connect(&proxy, &schema).unwrap();
            proxy.cut(cut(proxy.connections() - 1, place, network));
            let told = client.transaction();
            proxy.until_cut();
            assert_eq!(told.is_ok(), is_answered(place), "{network:?} {place:?}: {told:?}");
            if let Err(told) = told {
                assert!(
                    [error, ErrorKind::BrokenPipe].contains(&told.kind()),
                    "{network:?} {place:?}: {told}"
                );
            }
            let expected = if is_committed { "1\n" } else { "0\n" };
            assert_eq!(committed_in_the_end(&schema), expected, "{network:?} {place:?}");
        }
    }
}

#[test]
fn a_stall_at_each_message_only_delays() {
    let Some((schema, proxy)) = start("proxy_stalls") else { return };
    for (place, is_committed) in places() {
        let client = Client::connect(&proxy, &schema).unwrap();
        proxy.cut(cut(proxy.connections() - 1, place, Network::Stalls));
        let told = std::thread::spawn(|| client.transaction());
        proxy.until_cut();
        let count = "(SELECT count(*) FROM fact)";
        // The server may still be busy with a COMMIT that has passed.
        schema.until(&format!("{count} = {}", i32::from(is_committed)));
        assert!(is_answered(place) || !told.is_finished(), "{place:?}");
        proxy.set(Network::Passes);
        told.join().unwrap().unwrap();
        assert_eq!(committed_in_the_end(&schema), "1\n", "{place:?}");
    }
}

#[test]
fn a_network_of_one_direction_commits_and_does_not_say_so() {
    let Some((schema, proxy)) = start("proxy_one_way") else { return };
    let commit = Place::Before(Sender::Client, STATEMENTS.len());
    for (passing, is_committed) in [(Sender::Client, 1), (Sender::Server, 0)] {
        let client = Client::connect(&proxy, &schema).unwrap();
        proxy.cut(cut(proxy.connections() - 1, commit, Network::PassesOnlyFrom(passing)));
        let told = std::thread::spawn(|| client.transaction());
        proxy.until_cut();
        schema.until(&format!("(SELECT count(*) FROM fact) = {is_committed}"));
        assert!(!told.is_finished());
        proxy.set(Network::Passes);
        told.join().unwrap().unwrap();
        assert_eq!(committed_in_the_end(&schema), "1\n");
    }
}

/// A network may deliver a request when nobody waits for its answer any more.
#[test]
fn a_stalled_commit_of_a_client_that_has_left_comes_late() {
    let Some((schema, proxy)) = start("proxy_late") else { return };
    let mut client = Client::connect(&proxy, &schema).unwrap();
    client.run("BEGIN").unwrap();
    client.run("INSERT INTO fact VALUES (1)").unwrap();
    proxy.set(Network::Stalls);
    client.send("Q", "COMMIT\0").unwrap();
    drop(client);
    assert_eq!(schema.run("SELECT count(*) FROM fact;").0, "0\n");
    proxy.set(Network::Passes);
    assert_eq!(committed_in_the_end(&schema), "1\n");
}

#[test]
fn a_cut_may_affect_only_one_connection() {
    let Some((schema, proxy)) = start("proxy_reach") else { return };
    let (mut one, mut other) =
        (Client::connect(&proxy, &schema).unwrap(), Client::connect(&proxy, &schema).unwrap());
    let place = Place::Before(Sender::Client, 2);
    proxy.cut(Cut { connection: 0, from: "", place, network: Network::Resets, reach: Reach::Connection });
    one.run("SELECT").unwrap();
    other.run("SELECT").unwrap();
    other.run("SELECT").unwrap();
    assert!(!proxy.has_cut());
    assert_eq!(one.run("SELECT").unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert!(proxy.has_cut());
    other.run("SELECT").unwrap();
    Client::connect(&proxy, &schema).unwrap().run("SELECT").unwrap();
}

#[test]
fn new_connections_meet_the_same_network() {
    let Some((schema, proxy)) = start("proxy_new") else { return };
    for network in [Network::Resets, Network::Closes] {
        proxy.set(network);
        // The system has taken the connection before the proxy knows it.
        let mut stream = TcpStream::connect(proxy.address).unwrap();
        let ended = stream.read(&mut [0]).map_err(|error| error.kind());
        assert_eq!(ended, Err(ErrorKind::ConnectionReset));
    }
    proxy.set(Network::Stalls);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| Client::connect(&proxy, &schema).map(drop));
        schema.until("true");
        assert!(!waiting.is_finished());
        proxy.set(Network::Passes);
        waiting.join().unwrap().unwrap();
    });
}
