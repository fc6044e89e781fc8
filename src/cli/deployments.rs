//! `deployments`: lists the deployments in the store.

use clap::Args;

use super::command_error::CommandError;
use super::failures::{or_dash, since};
use super::options::{FormatOption, OutputFormat, limit};
use super::outbox::short;
use super::store_reader::reader;
use super::table::{Column, print_err, print_json, print_out, render, width};
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::domain::deployment_view::{DeploymentView, PendingRule};
use crate::domain::figures::Env;
use crate::domain::name::{name, named};
use crate::http::DeploymentPageJson;
use crate::store::{DeploymentFilter, DeploymentPage};

#[derive(Args)]
pub(super) struct DeploymentsOptions {
    /// Only deployments of this service
    #[arg(long, value_name = "S")]
    service: Option<String>,

    /// Only deployments to this env; all: to every env
    #[arg(long, value_name = "E")]
    env: Option<String>,

    /// Only deployments of this team
    #[arg(long, value_name = "T")]
    team: Option<String>,

    /// Only deployments that ended then or later: RFC 3339, a date, or an age such as 30d
    #[arg(long, value_name = "T")]
    since: Option<String>,

    /// Only deployments that caused a failure that counts
    #[arg(long)]
    failed: bool,

    /// List the deployments of GitHub and GitLab that do not count, with the reasons
    #[arg(long)]
    ignored: bool,

    /// Greatest number of rows to show
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = limit)]
    limit: u32,

    #[command(flatten)]
    format: FormatOption,
}

pub(super) fn run(options: &DeploymentsOptions, config: &Config) -> Result<(), CommandError> {
    let filter = DeploymentFilter {
        service: named(options.service.clone()),
        env: named(options.env.clone()).and_then(|env| Env::parse(&env).only()),
        team: named(options.team.clone()),
        since: since(options.since.as_deref().and_then(name), config)?,
        until: None,
        failed: options.failed,
        ignored: options.ignored,
        limit: options.limit as usize,
        cursor: None,
    };
    let pending = PendingRule { link_window: config.dora.link_window.get(), now: SystemClock.now() };
    let reader = reader(config)?;
    let page = reader.deployments(&filter, pending).map_err(anyhow::Error::from)?;
    match options.format.format {
        OutputFormat::Json => print_json(&DeploymentPageJson::from(&page))?,
        OutputFormat::Table => print(&page, options.ignored),
    }
    Ok(())
}

fn print(page: &DeploymentPage, are_ignored: bool) {
    if page.deployments.is_empty() {
        return print_err("no deployments");
    }
    let table = if are_ignored { ignored_table } else { table };
    print_out(table(&page.deployments, width()).trim_end());
    if page.next.is_some() {
        print_err("there are more rows: use a higher --limit");
    }
}

const COLUMNS: [Column; 10] = [
    Column::text("ENDED"),
    Column::text("ID").cut_in_middle_to(9),
    Column::text("SERVICE").cut_to(8).favoured(),
    Column::text("VERSION").wrapped_to(8),
    Column::text("COMMIT").droppable(2),
    Column::text("ENV").cut_to(8).droppable(3),
    Column::text("STARTED").droppable(0),
    Column::text("SOURCE").droppable(1),
    Column::text("CAUSED").wrapped_to(14),
    Column::text("FIXED").wrapped_to(14),
];

/// The table of a listing.
pub(super) fn table(deployments: &[DeploymentView], width: usize) -> String {
    let rows: Vec<Vec<String>> = deployments.iter().map(row).collect();
    render(&COLUMNS, &rows, width)
}

const IGNORED_COLUMNS: [Column; 7] = [
    Column::text("LAST EVENT"),
    Column::text("ID").cut_in_middle_to(9),
    Column::text("SERVICE").cut_to(8).droppable(1),
    Column::text("ENV").cut_to(8).droppable(0),
    Column::text("SOURCE").droppable(2),
    Column::text("REASON").wrapped_to(24).favoured(),
    Column::text("FACTS").wrapped_to(20),
];

/// The table of deployments that do not count, with the facts that a `[[deployment]]` table can match.
pub(super) fn ignored_table(deployments: &[DeploymentView], width: usize) -> String {
    let row = |view: &DeploymentView| {
        let deployment = &view.deployment;
        let facts: Vec<String> = deployment.tags.iter().map(|fact| quoted(fact)).collect();
        vec![
            deployment.finished_at.minute(),
            deployment.id.to_string(),
            deployment.service.clone(),
            deployment.env.clone(),
            view.source.as_str().to_owned(),
            or_dash(view.ignored_because.as_ref()),
            or_dash(Some(facts.join(" ")).filter(|facts| !facts.is_empty()).as_ref()),
        ]
    };
    let rows: Vec<Vec<String>> = deployments.iter().map(row).collect();
    render(&IGNORED_COLUMNS, &rows, width)
}

/// A fact, with quotes around a value with blanks.
fn quoted(fact: &str) -> String {
    match fact.split_once(':') {
        Some((key, value)) if value.contains(char::is_whitespace) => format!("{key}:{value:?}"),
        _ => fact.to_owned(),
    }
}

fn row(view: &DeploymentView) -> Vec<String> {
    let deployment = &view.deployment;
    vec![
        deployment.finished_at.minute(),
        deployment.id.to_string(),
        deployment.service.clone(),
        version(view),
        deployment.short_commit().unwrap_or("-").to_owned(),
        deployment.env.clone(),
        deployment.started_at.minute(),
        view.source.as_str().to_owned(),
        failures(&view.failures),
        failures(&view.remediates),
    ]
}

/// Version, with a remark if it was brought back. The commit has a column of its own.
fn version(view: &DeploymentView) -> String {
    let deployed = view.deployment.version.as_deref().unwrap_or("-");
    if view.is_rollback { format!("{deployed} rollback") } else { deployed.to_owned() }
}

/// Greatest number of failures that a cell lists.
const MAX_LISTED: usize = 3;

/// Short ids of failures. A dash if there are none.
fn failures(ids: &[String]) -> String {
    let mut listed: Vec<String> = ids.iter().take(MAX_LISTED).map(|id| short(id).to_owned()).collect();
    if ids.len() > MAX_LISTED {
        listed.push(format!("+{}", ids.len() - MAX_LISTED));
    }
    // Without commas, which would not fit behind an id that fills its line.
    let listed = Some(listed.join(" ")).filter(|listed| !listed.is_empty());
    or_dash(listed.as_ref())
}
