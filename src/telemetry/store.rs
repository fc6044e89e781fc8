//! Metrics of the store: its files, the free space, and failed writes and reads.

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

/// Metrics of the store, without those of its rows.
#[derive(Default)]
pub struct StoreMetrics {
    bytes: Family<FileLabels, Gauge>,
    free_bytes: Gauge,
    /// Writes that failed because the store could not commit.
    pub writes_refused: Counter,
    /// Scrapes that could not read the store.
    pub read_failures: Counter,
}

impl StoreMetrics {
    /// Registers the metrics.
    pub fn register(&self, registry: &mut Registry) {
        registry.register("pagerduty_dora_store_bytes", "Size of the store's files", self.bytes.clone());
        registry.register(
            "pagerduty_dora_writes_refused",
            "Writes that the store could not commit",
            self.writes_refused.clone(),
        );
        registry.register(
            "pagerduty_dora_store_read_failures",
            "Scrapes that could not read the store",
            self.read_failures.clone(),
        );
    }

    /// Registers the metrics of a file. The disk of a database is not seen from here.
    pub fn register_file(&self, registry: &mut Registry) {
        registry.register(
            "pagerduty_dora_store_free_bytes",
            "Free space on the store's file system",
            self.free_bytes.clone(),
        );
    }

    /// Sets the sizes.
    pub fn note(&self, sizes: &Sizes) {
        let set = |gauge: &Gauge, bytes: u64| {
            gauge.set(i64::try_from(bytes).unwrap_or(i64::MAX));
        };
        set(&self.bytes.get_or_create(&FileLabels { file: "database" }), sizes.database);
        if let Some(wal) = sizes.wal {
            set(&self.bytes.get_or_create(&FileLabels { file: "wal" }), wal);
        }
        if let Some(free) = sizes.free {
            set(&self.free_bytes, free);
        }
    }
}
