//! The migrations of the store, in order.

/// Migrations, never changed once released. `PRAGMA user_version` counts the applied ones.
pub(super) const MIGRATIONS: [&str; 3] = [
    include_str!("../migrations/0001_initial.sql"),
    include_str!("../migrations/0002_listings.sql"),
    include_str!("../migrations/0003_source_deployments.sql"),
];

/// Number of the newest schema. A store has it once this version of the program has opened it for writing.
#[expect(clippy::cast_possible_truncation, reason = "there are a handful of them")]
pub const SCHEMA: u32 = MIGRATIONS.len() as u32;
