//! Servers of PostgreSQL for tests, and a network that fails.
//!
//! - [`Schema`] is one of a server that all tests of a run share.
//! - [`Pair`] is a primary and its standby. A test can kill, promote and rebuild them.
//! - [`Proxy`] is a network between a program and a server. A test can cut it at any message.
//!
//! A test without PostgreSQL prints that it is skipped. With `REQUIRE_ALL` in the environment it fails.

mod owner;
mod pair;
mod programs;
mod proxy;
mod schema;
mod server;

pub(crate) use self::pair::Pair;
pub(crate) use self::programs::ask;
pub(crate) use self::proxy::{Cut, Message, Network, Place, Proxy, Reach, Sender};
pub(crate) use self::schema::Schema;

/// `true` if PostgreSQL is installed. With `REQUIRE_ALL` it has to be.
pub(crate) fn is_installed() -> bool {
    programs::installed().is_some()
}
