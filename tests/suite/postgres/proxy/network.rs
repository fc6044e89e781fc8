//! The state of the network: what becomes of each message.

use std::io::{self, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use socket2::SockRef;

use super::message::{Message, Sender, contains};
use crate::harness::PATIENCE;

/// Type of a warning, or another notice.
const NOTICE: u8 = b'N';

/// Fate of messages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Network {
    #[default]
    Passes,
    /// No byte is passed, nor the end of a connection. Connections stay open, and new ones wait as well.
    Stalls,
    /// The same, except for what this side sends.
    PassesOnlyFrom(Sender),
    /// Connections are reset, and new ones too.
    Resets,
    /// Connections are ended in order, as by a process that ends. New ones are reset.
    Closes,
}

impl Network {
    fn passes(self, sender: Sender) -> bool {
        matches!(self, Self::Passes) || self == Self::PassesOnlyFrom(sender)
    }

    fn ends_connections(self) -> bool {
        matches!(self, Self::Resets | Self::Closes)
    }
}

/// A place in a connection. Messages of the side are counted from 1.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Place {
    Before(Sender, usize),
    After(Sender, usize),
}

/// The connections that a cut affects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// The one that has come to the place.
    Connection,
    /// All, and all that begin later.
    All,
}

/// A change of the network that happens at a place.
#[derive(Debug, Clone)]
pub(crate) struct Cut {
    pub(crate) connection: usize,
    /// Counting begins with the client's next message that contains this text. If it is empty, it begins now.
    pub(crate) from: &'static str,
    pub(crate) place: Place,
    pub(crate) network: Network,
    pub(crate) reach: Reach,
}

/// A cut that is waited for.
struct Armed {
    cut: Cut,
    has_begun: bool,
    /// Number of the side's messages that are still to pass.
    left: usize,
}

/// A connection has ended, or cannot go on.
pub(super) struct Ended;

impl From<io::Error> for Ended {
    fn from(_: io::Error) -> Self {
        Self
    }
}

struct Connection {
    /// Fate of its own messages. The network for all counts, too.
    network: Network,
    /// `None` once it has ended. Then only its threads have them, and will notice.
    sockets: Option<(Arc<TcpStream>, Arc<UnixStream>)>,
}

impl Connection {
    fn end(&mut self, by_reset: bool) {
        let Some((client, server)) = self.sockets.take() else { return };
        if by_reset {
            // Resets the connection when the last owner drops the socket. The owners are its threads: they wake up
            // because nothing more can be received. None of these calls fails in a way that matters: the peer may have
            // ended the connection before.
            let _ = SockRef::from(&*client).set_linger(Some(Duration::ZERO));
            let _ = client.shutdown(Shutdown::Read);
        } else {
            let _ = client.shutdown(Shutdown::Both);
        }
        let _ = server.shutdown(Shutdown::Both);
    }
}

#[derive(Default)]
struct Inner {
    network: Network,
    connections: Vec<Connection>,
    armed: Option<Armed>,
    recorded: Option<Vec<Message>>,
    drops_notices: bool,
}

#[derive(Default)]
pub(super) struct State {
    inner: Mutex<Inner>,
    changed: Condvar,
}

impl State {
    /// Adds a connection, and returns its number. `None` if new connections are reset now.
    pub(super) fn add(&self, client: &Arc<TcpStream>, server: &Arc<UnixStream>) -> Option<usize> {
        let mut inner = self.lock();
        let sockets = Some((Arc::clone(client), Arc::clone(server)));
        inner.connections.push(Connection { network: Network::Passes, sockets });
        let number = inner.connections.len() - 1;
        if inner.network.ends_connections() {
            inner.connections[number].end(true);
            return None;
        }
        Some(number)
    }

    /// Waits until a side may send, and passes its message, or the end of the connection.
    pub(super) fn pass(
        &self,
        connection: usize,
        sender: Sender,
        message: io::Result<Vec<u8>>,
        mut to: impl Write,
    ) -> Result<(), Ended> {
        let mut inner = self.wait_in(self.lock(), connection, sender)?;
        let bytes = message?;
        if inner.drops_notices && sender == Sender::Server && bytes[0] == NOTICE {
            return Ok(());
        }
        let mut after = None;
        if let Some(cut) = inner.reached(connection, sender, &bytes) {
            match cut.place {
                Place::Before(..) => {
                    inner.apply(&cut, cut.network);
                    self.changed.notify_all();
                    inner = self.wait_in(inner, connection, sender)?;
                }
                Place::After(..) => {
                    // Nothing else is passed from now on, even before this message is written.
                    let ends = cut.network.ends_connections();
                    inner.apply(&cut, if ends { Network::Stalls } else { cut.network });
                    after = ends.then_some(cut);
                    self.changed.notify_all();
                }
            }
        }
        if let Some(recorded) = &mut inner.recorded {
            recorded.push(Message { connection, sender, bytes: bytes.clone() });
        }
        drop(inner);
        to.write_all(&bytes)?;
        if let Some(cut) = after {
            self.lock().apply(&cut, cut.network);
            self.changed.notify_all();
        }
        Ok(())
    }

    /// Waits until a side may send.
    pub(super) fn wait(&self, connection: usize, sender: Sender) -> Result<(), Ended> {
        self.wait_in(self.lock(), connection, sender).map(drop)
    }

    fn wait_in<'a>(
        &self,
        inner: MutexGuard<'a, Inner>,
        connection: usize,
        sender: Sender,
    ) -> Result<MutexGuard<'a, Inner>, Ended> {
        let must_wait = |inner: &mut Inner| {
            let this = &inner.connections[connection];
            let passes = inner.network.passes(sender) && this.network.passes(sender);
            this.sockets.is_some() && !passes
        };
        let inner = self.changed.wait_while(inner, must_wait).unwrap();
        if inner.connections[connection].sockets.is_some() { Ok(inner) } else { Err(Ended) }
    }

    pub(super) fn end(&self, connection: usize) {
        self.lock().connections[connection].end(false);
        self.changed.notify_all();
    }

    pub(super) fn reset_all(&self) {
        self.lock().connections.iter_mut().for_each(|connection| connection.end(true));
        self.changed.notify_all();
    }

    pub(super) fn set(&self, network: Network) {
        let mut inner = self.lock();
        inner.armed = None;
        inner.connections.iter_mut().for_each(|connection| connection.network = Network::Passes);
        inner.set_all(network);
        self.changed.notify_all();
    }

    pub(super) fn drop_notices(&self) {
        self.lock().drops_notices = true;
    }

    pub(super) fn arm(&self, cut: Cut) {
        let (Place::Before(_, left) | Place::After(_, left)) = cut.place;
        assert!(left > 0, "messages are counted from 1");
        let has_begun = cut.from.is_empty();
        self.lock().armed = Some(Armed { cut, has_begun, left });
    }

    pub(super) fn until_cut(&self) {
        let inner = self.lock();
        let (inner, waited) =
            self.changed.wait_timeout_while(inner, PATIENCE, |inner| inner.armed.is_some()).unwrap();
        let left = inner.armed.as_ref().map(|armed| armed.left);
        assert!(!waited.timed_out(), "{left:?} messages are missing until the cut");
    }

    pub(super) fn has_cut(&self) -> bool {
        self.lock().armed.is_none()
    }

    pub(super) fn record(&self) {
        self.lock().recorded = Some(Vec::new());
    }

    pub(super) fn recorded(&self) -> Vec<Message> {
        self.lock().recorded.clone().expect("nothing is recorded before `record`")
    }

    pub(super) fn connections(&self) -> usize {
        self.lock().connections.len()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }
}

impl Inner {
    /// The cut, if this message comes to its place.
    fn reached(&mut self, connection: usize, sender: Sender, bytes: &[u8]) -> Option<Cut> {
        let armed = self.armed.as_mut().filter(|armed| armed.cut.connection == connection)?;
        if sender == Sender::Client && !armed.has_begun {
            armed.has_begun = contains(bytes, armed.cut.from);
        }
        let (Place::Before(counted, _) | Place::After(counted, _)) = armed.cut.place;
        if !armed.has_begun || sender != counted {
            return None;
        }
        armed.left -= 1;
        (armed.left == 0).then(|| self.armed.take()).flatten().map(|armed| armed.cut)
    }

    /// Makes a cut.
    fn apply(&mut self, cut: &Cut, network: Network) {
        match cut.reach {
            Reach::All => self.set_all(network),
            Reach::Connection => {
                let connection = &mut self.connections[cut.connection];
                connection.network = network;
                if network.ends_connections() {
                    connection.end(network == Network::Resets);
                }
            }
        }
    }

    fn set_all(&mut self, network: Network) {
        self.network = network;
        if network.ends_connections() {
            let by_reset = network == Network::Resets;
            self.connections.iter_mut().for_each(|connection| connection.end(by_reset));
        }
    }
}
