//! `explain`: one failure's whole story.

use anyhow::anyhow;
use clap::Args;

use super::failures::{or_dash, second};
use super::table::{Column, render, say, width, wrapped};
use super::{Failed, Format, FormatName};
use crate::catalog;
use crate::config::Config;
use crate::domain::printable::printable;
use crate::domain::span::span;
use crate::pagerduty::payload;
use crate::store::{Reader, Story};

#[derive(Args)]
pub(super) struct Options {
    /// The PagerDuty incident's id, or a failure's
    #[arg(value_name = "ID")]
    id: String,

    #[command(flatten)]
    format: Format,
}

pub(super) fn run(options: &Options, config: &Config) -> Result<(), Failed> {
    let reader =
        Reader::open(&config.store.path, config.dora.link_window.get()).map_err(anyhow::Error::from)?;
    let story =
        reader.story(&options.id, &catalog::policy(config)?, payload::stored).map_err(anyhow::Error::from)?;
    let story = story.ok_or_else(|| anyhow!("nothing is known of {:?}", options.id))?;
    match options.format.format {
        FormatName::Json => say(serde_json::to_string_pretty(&story).map_err(anyhow::Error::from)?),
        FormatName::Table => say(text(&story, width()).trim_end()),
    }
    Ok(())
}

/// The story as people read it.
pub(super) fn text(story: &Story, width: usize) -> String {
    let parts =
        [Some(heading(story, width)), why(story, width), events(story, width), attempts(story, width)];
    parts.into_iter().flatten().collect::<Vec<_>>().join("\n")
}

fn heading(story: &Story, width: usize) -> String {
    let Some(listed) = &story.failure else {
        return "No failure: no event has shown the incident itself.\n".to_owned();
    };
    let failure = &listed.failure;
    let number = failure.number.map_or_else(String::new, |number| format!("#{number} "));
    let title = printable(failure.title.as_deref().unwrap_or("(no title)"));
    let title = wrapped(&format!("{} {number}{title}", failure.id), width).join("\n");
    // In one piece, so that it stays a link.
    let url = failure.url.as_deref().map_or_else(String::new, |url| format!("{}\n", printable(url)));
    format!("{title}\n{url}")
}

fn why(story: &Story, width: usize) -> Option<String> {
    const COLUMNS: [Column; 3] = [
        Column::text("WHAT").wrapped_to(16),
        Column::text("VALUE").wrapped_to(30),
        Column::text("BECAUSE").wrapped_to(24),
    ];
    let rows = story.why.iter().map(|why| vec![why.about.clone(), why.value.clone(), why.because.clone()]);
    table(&COLUMNS, rows, width)
}

fn events(story: &Story, width: usize) -> Option<String> {
    const COLUMNS: [Column; 5] = [
        Column::text("OCCURRED"),
        Column::number("RECEIVED AFTER").wrapped_to(8),
        Column::text("EVENT").wrapped_to(26),
        Column::text("ID").wrapped_to(26).leaves(1),
        Column::number("DUPLICATES"),
    ];
    let rows = story.events.iter().map(|event| {
        #[expect(clippy::cast_precision_loss, reason = "whole seconds are shown")]
        let lag_seconds = event.received_at.nanos_since(event.occurred_at) as f64 / 1e9;
        vec![
            event.occurred_at.to_string(),
            if lag_seconds < 0.0 { "before".to_owned() } else { span(lag_seconds) },
            event.event_type.clone(),
            event.id.clone(),
            event.duplicates.to_string(),
        ]
    });
    table(&COLUMNS, rows, width)
}

fn attempts(story: &Story, width: usize) -> Option<String> {
    const COLUMNS: [Column; 5] = [
        Column::text("TOLD"),
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

/// Nothing for nothing.
fn table(columns: &[Column], rows: impl Iterator<Item = Vec<String>>, width: usize) -> Option<String> {
    let rows: Vec<_> = rows.collect();
    (!rows.is_empty()).then(|| render(columns, &rows, width))
}
