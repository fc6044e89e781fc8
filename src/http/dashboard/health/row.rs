//! One row of the table of the program's health.

use crate::http::dashboard::parts::page::Section;

/// One row: a part that an operator may have to act on.
pub(super) struct HealthRow {
    /// Subject of the row.
    pub(super) about: String,
    /// State of the subject, in a sentence or two. If somebody must act, it also says what to do.
    pub(super) says: String,
    /// `true` if somebody must act. Then the row is red.
    pub(super) must_act: bool,
    /// Page where it is dealt with. `None`: the row says all.
    pub(super) page: Option<Section>,
}
