//! Links to failures, services, teams and deployments, by their names.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::format::{NO_DATA, cut_in_the_middle, name, safe_text};
use super::site::Site;
use crate::domain::deployment::Deployment;
use crate::domain::failure::Failure;

/// Number of digits of a commit that people read.
const COMMIT_DIGITS: usize = 7;

/// Deployments by their ids.
pub(super) type Deployments = BTreeMap<String, Deployment>;

/// Link to a failure's page, with the failure's name.
pub(super) fn failure(site: &Site, failure: &Failure) -> Markup {
    let id = failure.id.as_str();
    html! { a href=(site.failure(id)) { bdi { (name(failure.title.as_deref(), id)) } } }
}

/// Links to services, with commas between them.
pub(super) fn services(site: &Site, names: &[String]) -> Markup {
    html! {
        @if names.is_empty() { (NO_DATA) }
        @for (n, name) in names.iter().enumerate() {
            @if n > 0 { ", " }
            (named(site, "services", name))
        }
    }
}

/// Link to a team.
pub(super) fn team(site: &Site, team: Option<&str>) -> Markup {
    html! { @match team { Some(team) => { (named(site, "teams", team)) } None => { (NO_DATA) } } }
}

fn named(site: &Site, folder: &str, name: &str) -> Markup {
    let shown = html! { bdi { (safe_text(name)) } };
    html! { @match site.named(folder, name) { Some(href) => { a href=(href) { (shown) } } None => { (shown) } } }
}

/// A deployment, by its service and version, else by its service and commit. Without both, and if the deployment is not
/// known, by its id.
pub(super) fn deployment(id: Option<&str>, known: &Deployments) -> Markup {
    let Some(id) = id else { return html! { (NO_DATA) } };
    let label = known.get(id).and_then(deployment_name);
    html! { span title=(safe_text(id)) { bdi { (label.unwrap_or_else(|| cut_in_the_middle(id))) } } }
}

/// Service and version of a deployment, else its service and commit.
pub(super) fn deployment_name(deployment: &Deployment) -> Option<String> {
    let commit = || deployment.commit_sha.as_ref().map(|sha| sha.chars().take(COMMIT_DIGITS).collect());
    let version: String = deployment.version.clone().or_else(commit)?;
    Some(safe_text(&format!("{} {version}", deployment.service)))
}
