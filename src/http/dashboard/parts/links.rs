//! Links to failures, services, teams and deployments, by their names.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::format::{self, NO_DATA, cut_in_the_middle, safe_text};
use super::site::Site;
use crate::domain::deployment::Deployment;
use crate::domain::failure::{Failure, Flag};

/// Deployments by their ids.
pub(in crate::http::dashboard) type Deployments = BTreeMap<String, Deployment>;
/// Failures by their ids.
pub(in crate::http::dashboard) type Failures = BTreeMap<String, Failure>;

/// Link to a failure's page, with the failure's name.
pub(in crate::http::dashboard) fn failure(site: &Site, failure: &Failure) -> Markup {
    let id = failure.id.as_str();
    html! { a href=(site.failure(id)) { bdi { (format::name(failure.title.as_deref(), id)) } } }
}

/// Link to a failure's page by its id. Without the failure at hand, it is named by the id.
pub(in crate::http::dashboard) fn failure_of_id(site: &Site, id: &str, known: &Failures) -> Markup {
    html! { @match known.get(id) {
        Some(found) => { (failure(site, found)) }
        None => { a href=(site.failure(id)) { bdi { (safe_text(id)) } } }
    } }
}

/// Link to the failure of an incident.
pub(in crate::http::dashboard) fn incident(site: &Site, incident: &str) -> Markup {
    html! { a href=(site.failure(incident)) { bdi { (safe_text(incident)) } } }
}

/// The incident that a failure was merged into, if an event showed it. Only then it has a page.
pub(in crate::http::dashboard) fn known_target(failure: &Failure) -> Option<&str> {
    let is_unseen = failure.flags.contains(&Flag::MergeTargetUnseen);
    failure.merged_into.as_deref().filter(|_| !is_unseen)
}

/// Link from a merged failure to the one that counts in its place.
pub(in crate::http::dashboard) fn merged_into(site: &Site, failure: &Failure) -> Markup {
    html! { @if let Some(target) = known_target(failure) { " into " (incident(site, target)) } }
}

/// Link to a service.
pub(in crate::http::dashboard) fn service(site: &Site, service: &str) -> Markup {
    named(site, "services", service)
}

/// Links to services, with commas between them.
pub(in crate::http::dashboard) fn services(site: &Site, names: &[String]) -> Markup {
    html! {
        @if names.is_empty() { (NO_DATA) }
        @for (n, name) in names.iter().enumerate() {
            @if n > 0 { ", " }
            (named(site, "services", name))
        }
    }
}

/// Link to a team.
pub(in crate::http::dashboard) fn team(site: &Site, team: Option<&str>) -> Markup {
    html! { @match team { Some(team) => { (named(site, "teams", team)) } None => { (NO_DATA) } } }
}

/// Link to the page of a name in a folder. A name that can have no page is shown without a link.
pub(in crate::http::dashboard) fn named(site: &Site, folder: &str, name: &str) -> Markup {
    self::name(site.named(folder, name), name)
}

/// A name as a link, if it has a page.
pub(in crate::http::dashboard) fn name(page: Option<String>, name: &str) -> Markup {
    let shown = html! { bdi { (safe_text(name)) } };
    html! { @match page { Some(href) => { a href=(href) { (shown) } } None => { (shown) } } }
}

/// Link to the page of a deployment, by its service and version, else by its service and commit. Without both, and if
/// the deployment is not known, by its id.
pub(in crate::http::dashboard) fn deployment(site: &Site, id: Option<&str>, known: &Deployments) -> Markup {
    let Some(id) = id else { return html! { (NO_DATA) } };
    let label = known.get(id).and_then(deployment_name);
    html! {
        a href=(site.deployment(id)) title=(safe_text(id)) {
            bdi { (label.unwrap_or_else(|| cut_in_the_middle(id))) }
        }
    }
}

/// The same for a deployment whose values are at hand.
pub(in crate::http::dashboard) fn known_deployment(site: &Site, deployment: &Deployment) -> Markup {
    let id = deployment.id.as_str();
    html! { a href=(site.deployment(id)) title=(safe_text(id)) { bdi { (name_or_id(deployment)) } } }
}

/// Service and version of a deployment, else its service and short commit, else its id.
pub(in crate::http::dashboard) fn name_or_id(deployment: &Deployment) -> String {
    deployment_name(deployment).unwrap_or_else(|| cut_in_the_middle(deployment.id.as_str()))
}

/// Service and version of a deployment, else its service and short commit.
pub(in crate::http::dashboard) fn deployment_name(deployment: &Deployment) -> Option<String> {
    deployment.version_or_commit().map(|_| safe_text(&deployment.display_name()))
}
