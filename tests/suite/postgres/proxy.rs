//! A network between a program and a server, which a test can cut at any message.
//!
//! The proxy takes TCP connections on loopback and passes each message on to the server's socket. It knows only the frame
//! of messages in PostgreSQL's protocol (PostgreSQL: Frontend/Backend Protocol, Message Formats). The order in which
//! things happen in one connection does not depend on the machine: a cut takes effect for both directions before the
//! next message of either side.

mod message;
mod network;
mod tests;

use std::io::{self, BufReader};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use socket2::SockRef;

pub(crate) use self::message::{Message, Sender};
use self::message::{read_message, read_start};
pub(crate) use self::network::{Cut, Network, Place, Reach};
use self::network::{Ended, State};

/// A listener, and the threads of its connections. Everything is closed when it is dropped.
pub(crate) struct Proxy {
    address: SocketAddr,
    listener: TcpListener,
    state: Arc<State>,
    target: Arc<Mutex<PathBuf>>,
}

impl Proxy {
    /// A proxy before the server with this socket.
    pub(crate) fn to(socket: &Path) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let (state, target) = (Arc::<State>::default(), Arc::new(Mutex::new(socket.to_owned())));
        let accepting = (listener.try_clone().unwrap(), Arc::clone(&state), Arc::clone(&target));
        std::thread::spawn(move || {
            let (listener, state, target) = accepting;
            // Ends when the listener is shut down.
            while let Ok((client, _)) = listener.accept() {
                let target = target.lock().unwrap().clone();
                // Without a server the client's connection ends at once, as it does on a host without a listener.
                if let Ok(server) = UnixStream::connect(target) {
                    connect(&state, client, server);
                }
            }
        });
        Self { address, listener, state, target }
    }

    /// `store.url` of a program that uses this network.
    pub(crate) fn url(&self) -> String {
        format!("postgres://postgres@{}/postgres?sslmode=disable", self.address)
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// New connections lead to the server with this socket. Those that exist are reset.
    pub(crate) fn lead_to(&self, socket: &Path) {
        socket.clone_into(&mut self.target.lock().unwrap());
        self.state.reset_all();
    }

    /// Changes what becomes of all messages from now on, and forgets a cut that has not happened yet. After a pause, the
    /// messages that have waited are passed first.
    pub(crate) fn set(&self, network: Network) {
        self.state.set(network);
    }

    /// Drops warnings and other notices of the server from now on.
    pub(crate) fn drop_notices(&self) {
        self.state.drop_notices();
    }

    /// Changes the network once a connection has come to a place.
    pub(crate) fn cut(&self, cut: Cut) {
        self.state.arm(cut);
    }

    /// Waits until the last cut has happened.
    pub(crate) fn until_cut(&self) {
        self.state.until_cut();
    }

    /// `true` if the last cut has happened.
    pub(crate) fn has_cut(&self) -> bool {
        self.state.has_cut()
    }

    /// Begins to keep the messages that are passed. Those of before are forgotten.
    pub(crate) fn record(&self) {
        self.state.record();
    }

    /// Messages that have been passed since `record`.
    pub(crate) fn recorded(&self) -> Vec<Message> {
        self.state.recorded()
    }

    /// Number of connections so far. They are numbered from 0, in the order in which they began.
    pub(crate) fn connections(&self) -> usize {
        self.state.connections()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        SockRef::from(&self.listener).shutdown(Shutdown::Both).unwrap();
        self.state.reset_all();
    }
}

/// Starts the two threads of a connection.
fn connect(state: &Arc<State>, client: TcpStream, server: UnixStream) {
    // Fails only if the client has left.
    let _ = client.set_nodelay(true);
    let (client, server) = (Arc::new(client), Arc::new(server));
    // Without a number, the last owners are here, so the connection is reset now.
    let Some(number) = state.add(&client, &server) else { return };
    for pass in [pass_from_client, pass_from_server] {
        let (state, client, server) = (Arc::clone(state), Arc::clone(&client), Arc::clone(&server));
        std::thread::spawn(move || {
            // Ends with the connection, in each case.
            let _ = pass(&state, number, &client, &server);
            state.end(number);
        });
    }
}

fn pass_from_client(
    state: &State,
    number: usize,
    client: &TcpStream,
    mut server: &UnixStream,
) -> Result<(), Ended> {
    let mut input = BufReader::new(client);
    let start = read_start(&mut input, client);
    state.wait(number, Sender::Client)?;
    io::Write::write_all(&mut server, &start?)?;
    loop {
        let message = read_message(&mut input);
        state.pass(number, Sender::Client, message, server)?;
    }
}

fn pass_from_server(
    state: &State,
    number: usize,
    client: &TcpStream,
    server: &UnixStream,
) -> Result<(), Ended> {
    let mut input = BufReader::new(server);
    loop {
        let message = read_message(&mut input);
        state.pass(number, Sender::Server, message, client)?;
    }
}
