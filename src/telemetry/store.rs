//! Metrics of the store: its files, the room that is left, and writes that it refused.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::store::Sizes;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FileLabels {
    file: &'static str,
}

/// Metrics of the store besides its rows.
#[derive(Default)]
pub struct StoreMetrics {
    bytes: Family<FileLabels, Gauge>,
    free_bytes: Gauge,
    /// Writes that were not done, because the store could not commit.
    pub writes_refused: Counter,
    /// Scrapes for which the store could not be read.
    pub read_failures: Counter,
}

impl StoreMetrics {
    /// Has the registry tell of them.
    pub fn register(&self, registry: &mut Registry) {
        registry.register("pagerduty_dora_store_bytes", "Size of the store's files", self.bytes.clone());
        registry.register(
            "pagerduty_dora_store_free_bytes",
            "Room left on the store's file system",
            self.free_bytes.clone(),
        );
        registry.register(
            "pagerduty_dora_writes_refused",
            "Writes that the store could not commit",
            self.writes_refused.clone(),
        );
        registry.register(
            "pagerduty_dora_store_read_failures",
            "Scrapes for which the store could not be read",
            self.read_failures.clone(),
        );
    }

    /// Notes the sizes as they are now.
    pub fn note(&self, sizes: &Sizes) {
        let set = |gauge: &Gauge, bytes: u64| {
            gauge.set(i64::try_from(bytes).unwrap_or(i64::MAX));
        };
        set(&self.bytes.get_or_create(&FileLabels { file: "database" }), sizes.database);
        set(&self.bytes.get_or_create(&FileLabels { file: "wal" }), sizes.wal);
        if let Some(free) = sizes.free {
            set(&self.free_bytes, free);
        }
    }
}
