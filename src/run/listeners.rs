//! The two listening sockets, passed by systemd or bound here.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;

use listenfd::ListenFd;
use tokio::net::{TcpListener, TcpSocket};

use crate::config::{Config, socket_names};

/// Number of connections that may wait to be accepted. The system may allow fewer (`net.core.somaxconn`).
const ACCEPT_QUEUE: u32 = 1_024;

/// The two sockets, already listening.
pub struct Listeners {
    /// Socket for webhooks and for deployment pipelines.
    pub public: TcpListener,
    /// Socket for people and probes.
    pub admin: TcpListener,
}

impl Listeners {
    /// Binds the configured addresses. Must be called within a Tokio runtime.
    pub fn bind(config: &Config) -> io::Result<Self> {
        Self::of(BTreeMap::new(), config)
    }

    /// Takes the sockets that systemd passes, by their names, and binds the addresses of those that it does not pass. Must
    /// be called within a Tokio runtime.
    pub fn take_or_bind(config: &Config) -> io::Result<Self> {
        Self::of(passed_sockets()?, config)
    }

    fn of(mut passed: BTreeMap<String, TcpListener>, config: &Config) -> io::Result<Self> {
        let mut open = |name, key, address| match passed.remove(name) {
            Some(socket) => Ok(socket),
            None => {
                listen(address).map_err(|error| io::Error::new(error.kind(), not_bound(key, address, &error)))
            }
        };
        Ok(Self {
            public: open(WEBHOOKS, "server.listen", config.server.listen)?,
            admin: open(ADMIN, "admin.listen", config.admin.listen)?,
        })
    }
}

/// Names of the sockets (`FileDescriptorName=` of a socket unit).
const WEBHOOKS: &str = "webhooks";
const ADMIN: &str = "admin";

/// The sockets that systemd passes.
fn passed_sockets() -> io::Result<BTreeMap<String, TcpListener>> {
    let (mut sockets, mut names) = (ListenFd::from_env(), socket_names().into_iter());
    let mut passed = BTreeMap::new();
    for index in 0..sockets.len() {
        let name = names.next().unwrap_or_default();
        if name != WEBHOOKS && name != ADMIN {
            return Err(io::Error::other(format!(
                "systemd passes a socket with the name {name:?}: set FileDescriptorName= in its unit to {WEBHOOKS} or {ADMIN}"
            )));
        }
        let Some(socket) = sockets.take_tcp_listener(index)? else { continue };
        socket.set_nonblocking(true)?;
        if passed.insert(name.clone(), TcpListener::from_std(socket)?).is_some() {
            return Err(io::Error::other(format!(
                "systemd passes two sockets with the name {name}: give {name} one ListenStream="
            )));
        }
    }
    Ok(passed)
}

/// Lowest port that any process may use.
const FIRST_UNPRIVILEGED_PORT: u16 = 1_024;

/// Message for an address that cannot be bound: the reason, the key of the configuration, and what to do.
fn not_bound(key: &str, address: SocketAddr, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            format!(
                "another program is listening on {address} ({key}), perhaps an earlier start of this one: stop it, or \
                 change {key}"
            )
        }
        io::ErrorKind::PermissionDenied if address.port() < FIRST_UNPRIVILEGED_PORT => format!(
            "cannot listen on {address} ({key}): only a privileged process may use a port below \
             {FIRST_UNPRIVILEGED_PORT}. Use a higher port behind a proxy, or let systemd listen there \
             (packaging/systemd/pagerduty-dora-webhooks.socket)"
        ),
        io::ErrorKind::AddrNotAvailable => {
            format!("cannot listen on {address} ({key}): this machine has no such address: change {key}")
        }
        _ => format!("cannot listen on {address} ({key}): {error}"),
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // Lets a restart bind at once, while the system still remembers the old process's connections.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(ACCEPT_QUEUE)
}
