//! Name by which a backend finds the deployment that a mark is about.

use super::deployment::Deployment;
use super::mark::MarkTarget;

/// Way in which the marks of a backend name their deployments (`change_failures`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MarksBy {
    /// By the deployment's id.
    Id,
    /// By service, env and version where the backend does not know the deployment's id.
    Version,
}

/// Facts that decide how a backend finds a deployment.
#[derive(Debug, Clone, Copy)]
pub struct AddressFacts<'a> {
    /// The deployment.
    pub deployment: &'a Deployment,
    /// Configuration of the backend.
    pub marks_by: MarksBy,
    /// `true` if this program has sent the deployment to the backend, or will: then the backend knows its id.
    pub is_told: bool,
    /// `true` if another stored deployment has the same service, env and version.
    pub shares_version: bool,
}

/// Reason why no request about a mark can name its deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoAddress {
    /// It has no version, and its id is known only here.
    #[error(
        "the deployment has no version, and its id is known only to this program: no request can name it. Send a version, \
         or set `deployments = true`"
    )]
    NoVersion,
    /// Its version names several deployments, and its id is known only here.
    #[error(
        "its version names several deployments of this service and env, and its id is known only to this program: no \
         request can name it"
    )]
    SharedVersion,
}

/// Explanation for a mark that does not hold any more, and is not removed.
pub const MARK_STAYS: &str = "its mark stays: since it was set, its version names several deployments of this service and \
                              env, and a request could reach another one";

/// The name by which a backend finds a deployment.
pub fn address(facts: AddressFacts<'_>) -> Result<MarkTarget, NoAddress> {
    let AddressFacts { deployment, marks_by, is_told, shares_version } = facts;
    let by_id = MarkTarget::Id(deployment.id.clone());
    if marks_by == MarksBy::Id || is_told {
        return Ok(by_id);
    }
    match &deployment.version {
        Some(version) if !shares_version => Ok(MarkTarget::Version {
            service: deployment.service.clone(),
            env: deployment.env.clone(),
            version: version.clone(),
        }),
        // A pipeline may have sent its id to the backend, too.
        _ if !deployment.id.is_made_here() => Ok(by_id),
        Some(_) => Err(NoAddress::SharedVersion),
        None => Err(NoAddress::NoVersion),
    }
}

/// Explains a name. `None` if there is nothing to explain: the backend takes ids alone.
pub fn explain_address(facts: AddressFacts<'_>) -> Option<String> {
    if facts.marks_by == MarksBy::Id {
        return None;
    }
    Some(match address(facts) {
        Ok(MarkTarget::Id(_)) if facts.is_told => {
            "by its id: this program sends the deployment there".to_owned()
        }
        Ok(MarkTarget::Id(_)) => {
            let why = match (&facts.deployment.version, facts.shares_version) {
                (None, _) => "it has no version",
                (Some(_), _) => "its version names several deployments of this service and env",
            };
            format!("by its id, which the backend may not know: {why}")
        }
        Ok(MarkTarget::Version { version, .. }) => format!(
            "by service, env and version {version}, which name no other deployment here: this program does not send the \
             deployment there"
        ),
        Err(reason) => format!("not marked: {reason}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::deployment::tests::deployment;
    use crate::domain::id::DeploymentId;

    #[test]
    fn a_version_names_a_deployment_only_where_its_id_is_not_known_and_it_is_alone() {
        let sent = deployment("1", "checkout", "10:00", "10:10");
        let made =
            Deployment { id: DeploymentId::parse("github:github.com:deployment:1").unwrap(), ..sent.clone() };
        let bare = Deployment { version: None, ..made.clone() };
        let cases = [
            (&sent, MarksBy::Id, false, false),
            (&sent, MarksBy::Version, true, false),
            (&sent, MarksBy::Version, false, false),
            (&sent, MarksBy::Version, false, true),
            (&made, MarksBy::Version, true, true),
            (&made, MarksBy::Version, false, false),
            (&made, MarksBy::Version, false, true),
            (&bare, MarksBy::Version, false, false),
        ];
        let shown = cases.map(|(deployment, marks_by, is_told, shares_version)| {
            let facts = AddressFacts { deployment, marks_by, is_told, shares_version };
            let explained = explain_address(facts);
            assert_eq!(
                address(facts).is_err(),
                explained.as_ref().is_some_and(|why| why.starts_with("not marked"))
            );
            explained.unwrap_or_else(|| "-".to_owned())
        });
        insta::assert_snapshot!(shown.join("\n"), @r"
        -
        by its id: this program sends the deployment there
        by service, env and version v1, which name no other deployment here: this program does not send the deployment there
        by its id, which the backend may not know: its version names several deployments of this service and env
        by its id: this program sends the deployment there
        by service, env and version v1, which name no other deployment here: this program does not send the deployment there
        not marked: its version names several deployments of this service and env, and its id is known only to this program: no request can name it
        not marked: the deployment has no version, and its id is known only to this program: no request can name it. Send a version, or set `deployments = true`
        ");
    }
}
