//! The migrations of the store, in order.

use crate::store::engine::schema::SCHEMA;

/// Migrations, never changed once released. `PRAGMA user_version` counts the applied ones.
pub(super) const MIGRATIONS: [&str; 3] = [
    include_str!("../migrations/0001_initial.sql"),
    include_str!("../migrations/0002_listings.sql"),
    include_str!("../migrations/0003_source_deployments.sql"),
];

const _: () = assert!(MIGRATIONS.len() == SCHEMA as usize, "SCHEMA is the number of the last migration");
