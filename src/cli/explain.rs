//! `explain`: shows one failure with its events, reasons and attempts.

use anyhow::anyhow;
use clap::Args;
use serde_json::json;

use super::cells::{cut_in_the_middle, display_width, wrapped};
use super::command_error::CommandError;
use super::failures::{or_dash, second};
use super::options::{FormatOption, OutputFormat};
use super::table::{Column, print_json, print_out, render, width};
use crate::catalog;
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::domain::deployment::Deployment;
use crate::domain::explain::Why;
use crate::domain::human_duration::human_duration;
use crate::domain::name::is_blank;
use crate::domain::printable::printable;
use crate::domain::related_change::DECIDE_NOTHING;
use crate::http::StoryJson;
use crate::sources;
use crate::store::{FoundId, FoundKind, Reader, ReceivedEvent, Story, StoryContext};

#[derive(Args)]
pub(super) struct ExplainOptions {
    /// Id of a failure, incident or deployment, or a unique beginning of it; case is ignored
    #[arg(value_name = "ID")]
    id: String,

    #[command(flatten)]
    format: FormatOption,
}

pub(super) fn run(options: &ExplainOptions, config: &Config) -> Result<(), CommandError> {
    let reader = Reader::open(&config.store.path).map_err(anyhow::Error::from)?;
    let found = find_one(&reader, &options.id, LISTINGS)?;
    match found.kind {
        FoundKind::Failure => explain_failure(options, config, &reader, &found.id)?,
        FoundKind::Deployment => explain_deployment(options, &reader, &found.id)?,
    }
    Ok(())
}

/// Maximum number of ids that the message about an ambiguous id lists.
pub(super) const MAX_LISTED_IDS: u32 = 10;

/// Advice on where to find the ids that `explain` takes.
const LISTINGS: &str = "`failures` lists the ids of failures; the event API answers a deployment with its id";

/// Finds the failure or deployment with this id, or with this unique beginning of its id.
///
/// # Errors
/// No id matches (the message then ends with `listings`), or several do.
pub(super) fn find_one(reader: &Reader, id: &str, listings: &str) -> anyhow::Result<FoundId> {
    let mut found = reader.find(id, sources::ALL, MAX_LISTED_IDS + 1)?;
    match found.len() {
        0 => Err(nothing_known(id, listings)),
        1 => Ok(found.remove(0)),
        _ => Err(ambiguous(id, &found)),
    }
}

fn nothing_known(id: &str, listings: &str) -> anyhow::Error {
    anyhow!("no failure, incident or deployment matches {id:?}: {listings}")
}

pub(super) fn ambiguous(id: &str, found: &[FoundId]) -> anyhow::Error {
    let named = found.iter().take(MAX_LISTED_IDS as usize).map(|found| match found.kind {
        FoundKind::Failure => format!("\n  {}", found.id),
        FoundKind::Deployment => format!("\n  {} (a deployment)", found.id),
    });
    let named: String = named.collect();
    let more = if found.len() > MAX_LISTED_IDS as usize { "\n  and more" } else { "" };
    anyhow!("{id:?} matches several ids, give more of the id:{named}{more}")
}

fn explain_failure(
    options: &ExplainOptions,
    config: &Config,
    reader: &Reader,
    id: &str,
) -> Result<(), CommandError> {
    let policy = catalog::policy(config)?;
    let backend_entries = config.backend_entries();
    let now = SystemClock.now();
    let today =
        StoryContext { policy: &policy, backend_entries: &backend_entries, now, sources: sources::ALL };
    let story = reader.story(id, today).map_err(anyhow::Error::from)?;
    let story = story.ok_or_else(|| nothing_known(&options.id, LISTINGS))?;
    match options.format.format {
        OutputFormat::Json => print_json(&StoryJson::from(&story))?,
        OutputFormat::Table => print_out(text(&story, width()).trim_end()),
    }
    Ok(())
}

/// Prints all known values of a deployment.
fn explain_deployment(options: &ExplainOptions, reader: &Reader, id: &str) -> anyhow::Result<()> {
    const COLUMNS: [Column; 2] = [Column::text("WHAT"), Column::text("VALUE").wrapped_to(30)];
    let deployment = reader.deployment(id)?.ok_or_else(|| nothing_known(&options.id, LISTINGS))?;
    let Deployment { id, service, team, env, started_at, finished_at, version, commit_sha, .. } = &deployment;
    let (repository_url, tags) = (&deployment.repository_url, &deployment.tags);
    if options.format.format == OutputFormat::Json {
        let known = json!({
            "id": id, "service": service, "team": team, "env": env, "version": version,
            "commit_sha": commit_sha, "repository_url": repository_url, "started_at": started_at,
            "finished_at": finished_at, "tags": tags,
        });
        return print_json(&json!({ "deployment": known }));
    }
    let known = [
        ("service", Some(service.clone())),
        ("team", team.clone()),
        ("env", Some(env.clone())),
        ("version", version.clone()),
        ("commit", commit_sha.clone()),
        ("repository", repository_url.clone()),
        ("started_at", Some(started_at.to_string())),
        ("finished_at", Some(finished_at.to_string())),
        ("tags", Some(tags.iter().cloned().collect::<Vec<_>>().join(", "))),
    ];
    let rows: Vec<_> = known
        .into_iter()
        .filter_map(|(what, value)| Some(vec![what.to_owned(), value.filter(|value| !value.is_empty())?]))
        .collect();
    let heading = wrapped(&format!("{id} is a deployment, not a failure."), width()).join("\n");
    print_out(format_args!("{heading}\n\n{}", render(&COLUMNS, &rows, width()).trim_end()));
    Ok(())
}

/// The story as text for people.
pub(super) fn text(story: &Story, width: usize) -> String {
    let not_forwarded: String = story
        .not_forwarded
        .iter()
        .flat_map(|sentence| wrapped(&printable(sentence), width))
        .map(|line| line + "\n")
        .collect();
    let not_forwarded = Some(not_forwarded).filter(|not_forwarded| !not_forwarded.is_empty());
    let parts = [
        Some(heading(story, width)),
        why(story, width),
        events(story, width),
        related_changes(story, width),
        attempts(story, width),
        not_forwarded,
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join("\n")
}

fn heading(story: &Story, width: usize) -> String {
    let Some(listed) = &story.failure else {
        return "No failure: no event with the incident's data was received.\n".to_owned();
    };
    let failure = &listed.failure;
    let number = failure.number.map_or_else(String::new, |number| format!("#{number} "));
    let title = failure.title.as_deref().filter(|title| !is_blank(title)).unwrap_or("(no title)");
    let title = printable(title);
    let title = wrapped(&format!("{} {number}{title}", failure.id), width).join("\n");
    // Not wrapped, so that it stays a link.
    let url = failure.url.as_deref().map_or_else(String::new, |url| format!("{}\n", printable(url)));
    format!("{title}\n{url}")
}

/// Rows of the table of reasons whose value is the id of a deployment.
const IDS: [&str; 2] = ["deployment", "remediation"];
/// Narrowest columns of the table of reasons.
const NARROWEST_WHAT: usize = 16;
const NARROWEST_VALUE: usize = 30;
const NARROWEST_BECAUSE: usize = 24;

/// Table of reasons. Ids stay whole, so that they can be copied. An id that is too wide for the terminal is cut in the
/// middle, and printed whole in a line above the table.
fn why(story: &Story, width: usize) -> Option<String> {
    let room = width.saturating_sub(NARROWEST_WHAT + NARROWEST_BECAUSE + 4).max(NARROWEST_VALUE);
    let is_id = |why: &Why| IDS.contains(&why.about.as_str());
    let ids = story.why.iter().filter(|why| is_id(why)).map(|why| display_width(&printable(&why.value)));
    let value = ids.filter(|wide| *wide <= room).max().unwrap_or_default().max(NARROWEST_VALUE);
    let columns = [
        Column::text("WHAT").wrapped_to(NARROWEST_WHAT),
        Column::text("VALUE").wrapped_to(value),
        Column::text("BECAUSE").wrapped_to(NARROWEST_BECAUSE),
    ];
    let mut whole = String::new();
    let rows = story.why.iter().map(|why| {
        let shown = printable(&why.value);
        let is_cut = is_id(why) && display_width(&shown) > room;
        if is_cut {
            whole.extend([&why.about, ": ", &shown, "\n"]);
        }
        let shown = if is_cut { cut_in_the_middle(&shown, value) } else { shown };
        vec![why.about.clone(), shown, why.because.clone()]
    });
    let table = table(&columns, rows, width)?;
    Some(if whole.is_empty() { table } else { [&whole, "\n", &table].concat() })
}

fn events(story: &Story, width: usize) -> Option<String> {
    const COLUMNS: [Column; 5] = [
        Column::text("OCCURRED"),
        Column::number("RECEIVED AFTER").wrapped_to(8),
        Column::text("EVENT").wrapped_to(26),
        Column::text("ID").wrapped_to(26).droppable(1),
        Column::number("DUPLICATES"),
    ];
    let rows = story.events.iter().map(|event| {
        #[expect(clippy::cast_precision_loss, reason = "whole seconds are shown")]
        let lag_seconds = event.received_at.nanos_since(event.occurred_at) as f64 / 1e9;
        vec![
            event.occurred_at.to_string(),
            if lag_seconds < 0.0 { "before".to_owned() } else { human_duration(lag_seconds) },
            with_origin(event, story),
            event.id.clone(),
            event.duplicates.to_string(),
        ]
    });
    table(&COLUMNS, rows, width)
}

/// Type of an event, with a remark if no webhook told it.
fn with_origin(event: &ReceivedEvent, story: &Story) -> String {
    let was_read = story.failure.as_ref().is_some_and(|listed| event.was_read(&listed.failure.source));
    if was_read { format!("{} (read, no webhook)", event.event_type) } else { event.event_type.clone() }
}

/// Changes that PagerDuty relates to the incident, with a sentence on their worth.
fn related_changes(story: &Story, width: usize) -> Option<String> {
    const COLUMNS: [Column; 5] = [
        Column::text("CHANGED"),
        Column::text("SUMMARY").wrapped_to(24),
        Column::text("SOURCE").wrapped_to(10).droppable(1),
        Column::text("SERVICES").wrapped_to(10).droppable(2),
        Column::text("REASON").wrapped_to(8),
    ];
    let rows = story.related_changes.iter().flatten().map(|change| {
        vec![
            second(change.at),
            or_dash(change.summary.as_ref()),
            or_dash(change.source.as_ref()),
            or_dash(Some(change.services.join(", ")).filter(|services| !services.is_empty()).as_ref()),
            or_dash(change.reason_in_words().as_ref()),
        ]
    });
    let table = table(&COLUMNS, rows, width)?;
    let sentence = format!("Changes that PagerDuty relates to this incident. {DECIDE_NOTHING}");
    Some(format!("{}\n\n{table}", wrapped(&sentence, width).join("\n")))
}

fn attempts(story: &Story, width: usize) -> Option<String> {
    const COLUMNS: [Column; 5] = [
        Column::text("ATTEMPTED"),
        Column::text("BACKEND").wrapped_to(16),
        Column::number("REVISION"),
        Column::text("ANSWER"),
        Column::text("ERROR").wrapped_to(20),
    ];
    let rows = story.attempts.iter().map(|attempt| {
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
fn table(columns: &[Column], rows: impl Iterator<Item = Vec<String>>, width: usize) -> Option<String> {
    let rows: Vec<_> = rows.collect();
    (!rows.is_empty()).then(|| render(columns, &rows, width))
}
