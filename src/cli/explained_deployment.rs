//! The story of a deployment as text for people.

use std::collections::BTreeMap;

use super::cells::wrapped;
use super::story_tables::{attempts, event_with_origin, events, reasons, table};
use super::table::Column;
use crate::domain::deployment::Deployment;
use crate::domain::deployment_view::DeploymentView;
use crate::domain::printable::printable;
use crate::store::DeploymentStory;

/// The story as text for people.
pub(super) fn text(story: &DeploymentStory, width: usize) -> String {
    let view = &story.deployment;
    let names: BTreeMap<String, String> = view
        .remediation
        .iter()
        .map(|deployment| (deployment.id.to_string(), deployment.display_name()))
        .collect();
    let parts = [
        Some(heading(&view.deployment, width)),
        values(view, width),
        reasons(&story.why, &names, width),
        events(
            &story.events,
            |event| event_with_origin(event, event.was_read(&story.deployment.source)),
            width,
        ),
        attempts(&story.attempts, width),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join("\n")
}

fn heading(deployment: &Deployment, width: usize) -> String {
    let name = printable(&deployment.display_name());
    let env = printable(&deployment.env);
    let heading = format!("Deployment {}: {name} to {env}", deployment.id);
    wrapped(&heading, width).join("\n") + "\n"
}

/// Table of the values that were received.
fn values(view: &DeploymentView, width: usize) -> Option<String> {
    const COLUMNS: [Column; 2] = [Column::text("WHAT"), Column::text("VALUE").wrapped_to(30)];
    let deployment = &view.deployment;
    let known = [
        ("service", Some(deployment.service.clone())),
        ("team", deployment.team.clone()),
        ("env", Some(deployment.env.clone())),
        ("version", deployment.version.clone()),
        ("commit", deployment.commit_sha.clone()),
        ("repository", deployment.repository_url.clone()),
        ("started_at", Some(deployment.started_at.to_string())),
        ("finished_at", view.finished_at().map(|at| at.to_string())),
        ("tags", Some(deployment.tags.iter().cloned().collect::<Vec<_>>().join(", "))),
    ];
    let rows = known
        .into_iter()
        .filter_map(|(what, value)| Some(vec![what.to_owned(), value.filter(|value| !value.is_empty())?]));
    table(&COLUMNS, rows, width)
}
