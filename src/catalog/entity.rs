//! What catalog files hold: Datadog's service definitions (v2 to v2.2) and entities (v3), and Backstage components.

use serde::Deserialize;

use crate::domain::catalog::Entity;

/// Reads all documents of a file. An error is a line, where it is known, and what is wrong there.
pub(super) fn parse(text: &str) -> Result<Vec<Entity>, (Option<u64>, String)> {
    // The files are the operator's own, and may be long: no limit on their size.
    let options = serde_saphyr::options! { budget: None, with_snippet: false };
    let documents: Vec<Document> = serde_saphyr::from_multiple_with_options(text, options)
        .map_err(|error| (error.location().map(|location| location.line()), error.to_string()))?;
    Ok(documents.into_iter().filter_map(Document::into_entity).collect())
}

/// Any of the kinds: what is not known is passed over.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Document {
    #[serde(rename = "apiVersion")]
    api_version: Option<String>,
    kind: Option<String>,
    dd_service: Option<String>,
    team: Option<String>,
    metadata: Option<Metadata>,
    spec: Option<Spec>,
    integrations: Option<Integrations>,
}

#[derive(Deserialize)]
struct Metadata {
    name: Option<String>,
    owner: Option<String>,
    annotations: Option<Annotations>,
}

#[derive(Deserialize)]
struct Annotations {
    #[serde(rename = "pagerduty.com/service-id")]
    pagerduty_service_id: Option<String>,
}

#[derive(Deserialize)]
struct Spec {
    /// Of a Backstage component. Datadog's v3 has other things under `spec`.
    owner: Option<String>,
}

#[derive(Deserialize)]
struct Integrations {
    pagerduty: Option<PagerDuty>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum PagerDuty {
    /// v2.
    Url(String),
    /// v2.1 and later; v3 writes it the other way.
    Service {
        #[serde(rename = "service-url", alias = "serviceURL")]
        service_url: Option<String>,
    },
}

impl Document {
    fn into_entity(self) -> Option<Entity> {
        let service_url = match self.integrations.and_then(|integrations| integrations.pagerduty) {
            Some(PagerDuty::Url(url)) => Some(url),
            Some(PagerDuty::Service { service_url }) => service_url,
            None => None,
        };
        if let Some(service) = self.dd_service {
            return Some(Entity { service, team: self.team, pagerduty: service_url });
        }
        let Metadata { name, owner, annotations } = self.metadata?;
        let version = self.api_version.as_deref().unwrap_or_default();
        match (self.kind.as_deref(), version) {
            (Some("Component"), version) if version.starts_with("backstage.io/") => Some(Entity {
                service: name?,
                team: self.spec.and_then(|spec| spec.owner).map(|owner| owner_name(&owner)),
                pagerduty: annotations.and_then(|annotations| annotations.pagerduty_service_id),
            }),
            (Some(_), "v3") => Some(Entity { service: name?, team: owner, pagerduty: service_url }),
            _ => None,
        }
    }
}

/// Backstage: `[kind:][namespace/]name`.
fn owner_name(owner: &str) -> String {
    owner.rsplit(['/', ':']).next().unwrap_or(owner).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entity(service: &str, team: Option<&str>, pagerduty: Option<&str>) -> Entity {
        Entity { service: service.into(), team: team.map(Into::into), pagerduty: pagerduty.map(Into::into) }
    }

    #[test]
    fn rule_9_every_kind_of_catalog_file_is_read() {
        let url = Some("https://acme.pagerduty.com/service-directory/PSVC001");
        assert_eq!(
            parse(include_str!("../../fixtures/catalog/datadog-v2.yaml")).unwrap(),
            [
                entity("checkout", Some("payments"), url),
                entity(
                    "search",
                    Some("storefront"),
                    Some("https://acme.pagerduty.com/service-directory/PSVC002")
                ),
                entity("image-resizer", None, None),
            ]
        );
        assert_eq!(
            parse(include_str!("../../fixtures/catalog/datadog-v3.yaml")).unwrap(),
            [entity("checkout", Some("payments"), url), entity("orders-db", Some("payments"), None)]
        );
        assert_eq!(
            parse(include_str!("../../fixtures/catalog/backstage.yaml")).unwrap(),
            [entity("checkout", Some("payments"), Some("PSVC001")), entity("mail", Some("platform"), None)]
        );
    }

    #[test]
    fn what_is_no_service_is_passed_over() {
        assert_eq!(parse("").unwrap(), []);
        let bare = "dd-service: checkout\nintegrations:\nspec:\nmetadata:\n";
        assert_eq!(parse(bare).unwrap(), [entity("checkout", None, None)]);
        assert_eq!(parse("---\n---\nsome: thing\n---\nkind: service\nmetadata: {}\n").unwrap(), []);
        let other = "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: checkout\n";
        assert_eq!(parse(other).unwrap(), []);
    }

    #[test]
    fn a_mistake_is_told_with_its_line() {
        let (line, said) = parse("dd-service: a\n---\ndd-service: [b\n").unwrap_err();
        assert!(line.is_some_and(|line| line >= 3), "{line:?} {said}");
        let (line, _) = parse("dd-service: a\nteam: [b]\n").unwrap_err();
        assert_eq!(line, Some(2));
    }
}
