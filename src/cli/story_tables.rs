//! The tables that the stories of failures and deployments have in common.

use std::collections::BTreeMap;

use super::cells::{cut_in_the_middle, display_width};
use super::failures::{or_dash, second};
use super::table::{Column, render};
use crate::domain::explain::Why;
use crate::domain::human_duration::human_duration;
use crate::domain::printable::printable;
use crate::store::{AttemptRecord, ReceivedEvent};

/// Rows of the table of reasons whose value is an id.
const IDS: [&str; 4] = ["deployment", "remediation", "failure", "remediates"];
/// Narrowest columns of the table of reasons.
const NARROWEST_WHAT: usize = 16;
const NARROWEST_VALUE: usize = 30;
const NARROWEST_BECAUSE: usize = 24;

/// Table of reasons. Ids stay whole, so that they can be copied. An id that is too wide for the terminal is cut in the
/// middle, and printed whole in a line above the table. The name of a deployment stands before its id.
pub(super) fn reasons(
    why: &[Why],
    deployment_names: &BTreeMap<String, String>,
    width: usize,
) -> Option<String> {
    let room = width.saturating_sub(NARROWEST_WHAT + NARROWEST_BECAUSE + 4).max(NARROWEST_VALUE);
    let is_id = |why: &Why| IDS.contains(&why.about.as_str());
    let ids = why.iter().filter(|why| is_id(why)).map(|why| display_width(&printable(&why.value)));
    let value = ids.filter(|wide| *wide <= room).max().unwrap_or_default().max(NARROWEST_VALUE);
    let columns = [
        Column::text("WHAT").wrapped_to(NARROWEST_WHAT),
        Column::text("VALUE").wrapped_to(value),
        Column::text("BECAUSE").wrapped_to(NARROWEST_BECAUSE),
    ];
    let mut whole = String::new();
    let rows = why.iter().map(|why| {
        let shown = printable(&why.value);
        let is_cut = is_id(why) && display_width(&shown) > room;
        if is_cut {
            whole.extend([&why.about, ": ", &shown, "\n"]);
        }
        let shown = if is_cut { cut_in_the_middle(&shown, value) } else { shown };
        let shown = match deployment_names.get(&why.value) {
            Some(name) if is_id(why) => format!("{name} {shown}"),
            _ => shown,
        };
        vec![why.about.clone(), shown, why.because.clone()]
    });
    let table = table(&columns, rows, width)?;
    Some(if whole.is_empty() { table } else { [&whole, "\n", &table].concat() })
}

/// Type of an event and the state in it, with a remark if it was read from an API and no webhook told it.
pub(super) fn event_with_origin(event: &ReceivedEvent, was_read: bool) -> String {
    let state = event.state.map_or_else(String::new, |state| format!(": {}", state.in_words()));
    let remark = if was_read { " (read, no webhook)" } else { "" };
    format!("{}{state}{remark}", event.event_type)
}

/// Table of the events about a failure or a deployment. `event_type` gives the type, perhaps with a remark.
pub(super) fn events(
    events: &[ReceivedEvent],
    event_type: impl Fn(&ReceivedEvent) -> String,
    width: usize,
) -> Option<String> {
    const COLUMNS: [Column; 5] = [
        Column::text("OCCURRED"),
        Column::number("RECEIVED AFTER").wrapped_to(8),
        Column::text("EVENT").wrapped_to(26),
        Column::text("ID").wrapped_to(26).droppable(1),
        Column::number("DUPLICATES"),
    ];
    let rows = events.iter().map(|event| {
        #[expect(clippy::cast_precision_loss, reason = "whole seconds are shown")]
        let lag_seconds = event.received_at.nanos_since(event.occurred_at) as f64 / 1e9;
        vec![
            event.occurred_at.to_string(),
            if lag_seconds < 0.0 { "before".to_owned() } else { human_duration(lag_seconds) },
            event_type(event),
            event.id.clone(),
            event.duplicates.to_string(),
        ]
    });
    table(&COLUMNS, rows, width)
}

/// Table of the attempts to send a failure or a deployment.
pub(super) fn attempts(attempts: &[AttemptRecord], width: usize) -> Option<String> {
    const COLUMNS: [Column; 5] = [
        Column::text("ATTEMPTED"),
        Column::text("BACKEND").wrapped_to(16),
        Column::number("REVISION"),
        Column::text("ANSWER"),
        Column::text("ERROR").wrapped_to(20),
    ];
    let rows = attempts.iter().map(|attempt| {
        vec![
            second(attempt.at),
            attempt.backend.clone(),
            attempt.revision.to_string(),
            attempt.status.map_or_else(|| "none".to_owned(), |status| status.to_string()),
            or_dash(attempt.error.as_ref()),
        ]
    });
    table(&COLUMNS, rows, width)
}

/// Renders a table. `None` if there are no rows.
pub(super) fn table(
    columns: &[Column],
    rows: impl Iterator<Item = Vec<String>>,
    width: usize,
) -> Option<String> {
    let rows: Vec<_> = rows.collect();
    (!rows.is_empty()).then(|| render(columns, &rows, width))
}
