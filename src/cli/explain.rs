//! `explain`: shows one failure, or one deployment, with its events, reasons and attempts.

use anyhow::anyhow;
use clap::Args;

use super::cells::wrapped;
use super::command_error::CommandError;
use super::explained_deployment;
use super::failures::{or_dash, second};
use super::options::{FormatOption, OutputFormat};
use super::store_reader::reader;
use super::story_tables::{attempts, event_with_origin, events, reasons, table};
use super::table::{Column, print_json, print_out, width};
use crate::catalog;
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::domain::deployment_view::PendingRule;
use crate::domain::name::is_blank;
use crate::domain::printable::printable;
use crate::domain::related_change::DECIDE_NOTHING;
use crate::http::{DeploymentStoryJson, StoryJson};
use crate::sources;
use crate::store::{DeploymentContext, FoundId, FoundKind, Reader, ReceivedEvent, Story, StoryContext};

#[derive(Args)]
pub(super) struct ExplainOptions {
    /// Id of a failure, incident or deployment, or a unique beginning of it, or a deployment's commit; case is ignored
    #[arg(value_name = "ID")]
    id: String,

    #[command(flatten)]
    format: FormatOption,
}

pub(super) fn run(options: &ExplainOptions, config: &Config) -> Result<(), CommandError> {
    let reader = reader(config)?;
    let found = find_one_or_commit(&reader, &options.id)?;
    match found.kind {
        FoundKind::Failure => explain_failure(options, config, &reader, &found.id)?,
        FoundKind::Deployment => explain_deployment(options, config, &reader, &found.id)?,
    }
    Ok(())
}

/// Maximum number of ids that the message about an ambiguous id lists.
pub(super) const MAX_LISTED_IDS: u32 = 100;

/// Advice on where to find the ids that `explain` takes.
const LISTINGS: &str = "`failures` and `deployments` list the ids";

/// Finds the failure or deployment with this id, or with this unique beginning of its id. If there is none, finds the
/// deployment of this commit.
fn find_one_or_commit(reader: &Reader, id: &str) -> anyhow::Result<FoundId> {
    let mut found = reader.find(id, sources::ALL, MAX_LISTED_IDS + 1)?;
    if found.is_empty() {
        found = reader.find_deployments_of_commit(id, MAX_LISTED_IDS + 1)?;
    }
    only(id, found, LISTINGS)
}

/// Finds the failure or deployment with this id, or with this unique beginning of its id.
///
/// # Errors
/// No id matches (the message then ends with `listings`), or several do.
pub(super) fn find_one(reader: &Reader, id: &str, listings: &str) -> anyhow::Result<FoundId> {
    only(id, reader.find(id, sources::ALL, MAX_LISTED_IDS + 1)?, listings)
}

fn only(id: &str, mut found: Vec<FoundId>, listings: &str) -> anyhow::Result<FoundId> {
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
    let named = found.iter().take(MAX_LISTED_IDS as usize).map(|found| match &found.name {
        Some(name) => format!("\n  {} (a deployment: {})", found.id, printable(name)),
        None => format!("\n  {}", found.id),
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

fn explain_deployment(
    options: &ExplainOptions,
    config: &Config,
    reader: &Reader,
    id: &str,
) -> Result<(), CommandError> {
    let pending = PendingRule { link_window: config.dora.link_window.get(), now: SystemClock.now() };
    let (policy, backend_entries) = (catalog::policy(config)?, config.backend_entries());
    let context = DeploymentContext {
        policy: &policy,
        pending,
        sources: sources::ALL,
        backend_entries: &backend_entries,
    };
    let story = reader.deployment_story(id, context).map_err(anyhow::Error::from)?;
    let story = story.ok_or_else(|| nothing_known(&options.id, LISTINGS))?;
    match options.format.format {
        OutputFormat::Json => print_json(&DeploymentStoryJson::from(&story))?,
        OutputFormat::Table => print_out(explained_deployment::text(&story, width()).trim_end()),
    }
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
        reasons(&story.why, &story.deployment_names, width),
        events(&story.events, |event| event_with_origin(event, was_read(event, story)), width),
        related_changes(story, width),
        attempts(&story.attempts, width),
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

/// `true` if an event was read from an API, and no webhook told it.
fn was_read(event: &ReceivedEvent, story: &Story) -> bool {
    story.failure.as_ref().is_some_and(|listed| event.was_read(&listed.failure.source))
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
