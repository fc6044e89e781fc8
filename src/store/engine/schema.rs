//! Number of the newest schema.

/// Number of the newest schema, the same for both engines. A store has it once this version of the program has opened it
/// for writing.
pub const SCHEMA: u32 = 3;
