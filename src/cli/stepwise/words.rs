//! Names for people.

/// Names of what a command asks and finds.
#[derive(Clone, Copy)]
pub(in crate::cli) struct Words {
    /// The system that is asked.
    pub(in crate::cli) system: &'static str,
    /// The records that are found.
    pub(in crate::cli) records: &'static str,
}
