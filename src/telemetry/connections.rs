//! Connections that a listener ended or refused, by reason.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use strum::VariantArray as _;

/// A listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Listener {
    /// For webhooks and deployment pipelines.
    Public,
    /// For people and probes.
    Admin,
}

/// Reason why a connection was refused, or ended early.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum ConnectionRefusal {
    /// The listener has no room for more connections, so an older one gave way to a new one.
    Limit,
    /// The process has no free file descriptor, so an older connection gave way.
    Descriptors,
    /// The TLS handshake failed.
    Tls,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    listener: &'static str,
    reason: &'static str,
}

/// Counters of all listeners.
#[derive(Debug, Default)]
pub struct Connections(Family<Labels, Counter>);

/// Counters of one listener.
#[derive(Debug, Clone)]
pub struct RefusedConnections {
    counters: Family<Labels, Counter>,
    listener: Listener,
}

impl Connections {
    /// Registers the counters. All of them are there from the start.
    pub(super) fn register(&self, registry: &mut Registry) {
        for &listener in Listener::VARIANTS {
            for &reason in ConnectionRefusal::VARIANTS {
                self.of(listener).get(reason);
            }
        }
        registry.register(
            "pagerduty_dora_connections_refused",
            "Connections that were refused or ended early, by listener and reason",
            self.0.clone(),
        );
    }

    /// Counters of one listener.
    pub fn of(&self, listener: Listener) -> RefusedConnections {
        RefusedConnections { counters: self.0.clone(), listener }
    }
}

impl RefusedConnections {
    /// Counts a connection.
    pub fn count(&self, reason: ConnectionRefusal) {
        self.get(reason).inc();
    }

    fn get(&self, reason: ConnectionRefusal) -> Counter {
        let labels = Labels { listener: self.listener.into(), reason: reason.into() };
        self.counters.get_or_create(&labels).clone()
    }
}
