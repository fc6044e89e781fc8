//! Descriptions of services in catalog files: Datadog's service definitions (v2 to v2.2) and entities (v3), and
//! Backstage components.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_saphyr::{DuplicateKeyPolicy, NonFiniteFloatPolicy};

use super::document::{self, Document as Text};
use super::loose::Heading;
use crate::domain::catalog::Entity;
use crate::domain::name::trimmed;
use crate::domain::pagerduty_ref::PagerDutyRef;

/// Mistake in a file, and its line (from 1) if the line is known.
pub(super) type Mistake = (Option<u64>, String);

/// Services that a file describes.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Described {
    /// Its services, in its order.
    pub(super) entities: Vec<Entity>,
    /// Descriptions that have no effect.
    pub(super) warnings: Vec<Mistake>,
}

/// Reads all documents of a file. Those of other kinds are passed over, whatever they hold, as long as they are YAML.
pub(super) fn parse(text: &str) -> Result<Described, Mistake> {
    let mut described = Described::default();
    for text in document::split(text) {
        let heading = match read::<Heading>(&text, DuplicateKeyPolicy::FirstWins) {
            Ok(heading) => heading.unwrap_or_default(),
            // YAML, but a value is not what its own tag says: that is for the tool that the document is of.
            Err((_, Refused::Value(_))) if !has_our_keys(text.text) => continue,
            Err(refused) => return Err(told(refused)),
        };
        if !heading.is_of_a_service() {
            continue;
        }
        let Some(entity) =
            read::<Document>(&text, DuplicateKeyPolicy::Error).map_err(told)?.and_then(Document::into_entity)
        else {
            continue;
        };
        if let Some(pagerduty) = entity.pagerduty.as_ref().filter(|pagerduty| pagerduty.names_nothing()) {
            let said = format!(
                "the PagerDuty address of {:?} has no service id in it, so that it never matches: {:?}",
                entity.service,
                pagerduty.as_str()
            );
            described.warnings.push((Some(text.line), said));
        }
        described.entities.push(entity);
    }
    Ok(described)
}

/// One document as a `T`; `None`: there is nothing in it. Where a key may be `repeated`, the first counts.
fn read<T: DeserializeOwned>(
    text: &Text<'_>,
    repeated: DuplicateKeyPolicy,
) -> Result<Option<T>, (Option<u64>, Refused)> {
    // The files are the operator's own, and may be long: no limit on their size.
    let options = serde_saphyr::options! {
        budget: None,
        with_snippet: false,
        duplicate_keys: repeated,
        non_finite_float_policy: NonFiniteFloatPolicy::AsString,
    };
    let documents: Vec<T> =
        serde_saphyr::from_multiple_with_options(text.text, options).map_err(|error| {
            let line = error.location().map(|location| location.line() + text.line - 1);
            (line, Refused::of(&error))
        })?;
    Ok(documents.into_iter().next())
}

/// Reason why a document cannot be read.
enum Refused {
    /// One of its values is not of the type that it says itself.
    Value(String),
    /// It is no YAML, or not what we expect.
    Text(String),
}

impl Refused {
    fn of(error: &serde_saphyr::Error) -> Self {
        match error {
            serde_saphyr::Error::InvalidScalar { .. } => Self::Value(error.to_string()),
            _ => Self::Text(error.to_string()),
        }
    }
}

fn told((line, refused): (Option<u64>, Refused)) -> Mistake {
    let (Refused::Value(said) | Refused::Text(said)) = refused;
    (line, said)
}

/// `true` if a document that cannot be read may be one that this program reads, by the lines of its outermost map.
fn has_our_keys(text: &str) -> bool {
    let mut lines = text.lines().filter(|line| {
        let content = line.trim_start();
        !content.is_empty() && !content.starts_with('#') && !line.starts_with(['%', '-'])
    });
    let depth = |line: &str| line.len() - line.trim_start().len();
    let Some(first) = lines.next() else { return false };
    if first.trim_start().starts_with('{') || text.starts_with("--- {") {
        // One map on however many lines: told apart from those within it only by a parser, which refused it.
        return text.split(['{', ',', '\n']).any(is_our_key);
    }
    std::iter::once(first).chain(lines).filter(|line| depth(line) == depth(first)).any(is_our_key)
}

/// `true` if such a `key: value` is only in documents that this program reads.
fn is_our_key(line: &str) -> bool {
    let bare = |text: &str| text.trim().trim_matches(['"', '\'', '}']).to_owned();
    let Some((key, value)) = line.split_once(':') else { return false };
    let value = value.split(" #").next().unwrap_or_default();
    // Behind a tag, where there is one.
    let value = value.split_whitespace().next_back().map(bare).unwrap_or_default();
    match bare(key).as_str() {
        "dd-service" => true,
        "apiVersion" => value == "v3" || value.starts_with(BACKSTAGE),
        _ => false,
    }
}

/// Prefix of the versions of Backstage's entities.
pub(super) const BACKSTAGE: &str = "backstage.io/";

/// Any of the kinds: keys that are not known are passed over.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Document {
    #[serde(rename = "apiVersion")]
    api_version: Option<String>,
    dd_service: Option<String>,
    team: Option<String>,
    /// The team's handle at Datadog.
    dd_team: Option<String>,
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
    /// The service that it describes; `None`: it has no name.
    fn into_entity(self) -> Option<Entity> {
        let service_url = match self.integrations.and_then(|integrations| integrations.pagerduty) {
            Some(PagerDuty::Url(url)) => Some(url),
            Some(PagerDuty::Service { service_url }) => service_url,
            None => None,
        };
        if let Some(service) = name(self.dd_service) {
            let team = name(self.team).or_else(|| name(self.dd_team));
            return Some(Entity { service, team, pagerduty: reference(service_url) });
        }
        let Metadata { name: service, owner, annotations } = self.metadata?;
        let version = self.api_version.as_deref().unwrap_or_default();
        if version.starts_with(BACKSTAGE) {
            let owner = self.spec.and_then(|spec| spec.owner);
            return Some(Entity {
                service: name(service)?,
                team: name(owner).and_then(|owner| name(Some(owner_name(&owner)))),
                pagerduty: reference(annotations.and_then(|annotations| annotations.pagerduty_service_id)),
            });
        }
        Some(Entity { service: name(service)?, team: name(owner), pagerduty: reference(service_url) })
    }
}

/// A name without the blanks around it. `None` if nothing is left.
fn name(text: Option<String>) -> Option<String> {
    text.map(|text| trimmed(&text).to_owned()).filter(|text| !text.is_empty())
}

fn reference(text: Option<String>) -> Option<PagerDutyRef> {
    name(text).map(PagerDutyRef::from)
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

    fn entities(text: &str) -> Vec<Entity> {
        parse(text).unwrap().entities
    }

    #[test]
    fn rule_9_every_kind_of_catalog_file_is_read() {
        let url = Some("https://acme.pagerduty.com/service-directory/PSVC001");
        assert_eq!(
            entities(include_str!("../../fixtures/catalog/datadog-v2.yaml")),
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
            entities(include_str!("../../fixtures/catalog/datadog-v3.yaml")),
            [entity("checkout", Some("payments"), url), entity("orders-db", Some("payments"), None)]
        );
        assert_eq!(
            entities(include_str!("../../fixtures/catalog/backstage.yaml")),
            [entity("checkout", Some("payments"), Some("PSVC001")), entity("mail", Some("platform"), None)]
        );
    }

    #[test]
    fn what_is_no_service_is_passed_over() {
        assert_eq!(entities(""), []);
        let bare = "dd-service: checkout\nintegrations:\nspec:\nmetadata:\n";
        assert_eq!(entities(bare), [entity("checkout", None, None)]);
        assert_eq!(entities("---\n---\nsome: thing\n---\nkind: service\nmetadata: {}\n"), []);
        let other = "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: checkout\n";
        assert_eq!(entities(other), []);
    }

    #[test]
    fn a_mistake_is_told_with_its_line() {
        let (line, said) = parse("dd-service: a\n---\ndd-service: [b\n").unwrap_err();
        assert!(line.is_some_and(|line| line >= 3), "{line:?} {said}");
        let (line, _) = parse("dd-service: a\nteam: [b]\n").unwrap_err();
        assert_eq!(line, Some(2));
    }

    const OURS: &str = "dd-service: checkout\nteam: payments\n";

    /// Documents of other tools, each with something in it that ours never have.
    #[test]
    fn documents_of_other_kinds_are_passed_over_whatever_they_hold() {
        for foreign in [
            "apiVersion: example.org/v1\nkind: PlatformComponent\nmetadata:\n  name: [a]\nspec:\n  owner: [eng-a, eng-b]\n",
            "apiVersion: v1\nkind: List\nitems: []\nmetadata: text\n",
            "kind: [Component]\napiVersion: 3\n",
            "kind: Component\napiVersion: {backstage.io/v1: x}\nmetadata: [x]\n",
            "apiVersion: backstage.io/v1alpha1\nkind: API\nmetadata:\n  name: x\n  annotations: []\nspec: [x]\n",
            "apiVersion: backstage.io/v1alpha1\nkind: System\nspec:\n  owner: {name: x}\n",
            "Resources:\n  Topic: !Ref Name\n  Policy: !Sub\n    - a\n    - {b: !GetAtt c.d}\n",
            "team: [a, b]\nintegrations: 3\nmetadata: !thing {}\n",
            "!custom\nkind: 1\n",
            "- dd-service: listed\n- 2\n",
            "just a text",
            "42",
            "null",
            "~",
            "",
            "# a comment\n",
            "1: number\n? [a, b]\n: list as a key\nnull: x\ntrue: y\n",
            "a: &a {x: 1}\nb: *a\nc:\n  <<: *a\n",
            "kind: Secret\ndata: !!binary aGVsbG8=\nwhen: 2001-12-14t21:59:43.10-05:00\nn: .nan\n",
            "same: 1\nsame: 2\n",
            "tagged: !!int abc\n",
            "text: |\n  dd-service: inner\n  ...\n   ---\n",
            "dd-service:\nteam: [x]\n",
        ] {
            for text in [
                format!("{OURS}---\n{foreign}\n"),
                format!("{foreign}\n---\n{OURS}"),
                format!("---\n{foreign}\n...\n---\n{OURS}"),
            ] {
                let found = parse(&text).unwrap_or_else(|error| panic!("{text}: {error:?}")).entities;
                assert_eq!(found, [entity("checkout", Some("payments"), None)], "{text}");
            }
        }
    }

    /// YAML whose values are not what their own tags say, which nothing more can be read of.
    #[test]
    fn documents_that_cannot_be_read_are_ours_by_their_outermost_keys_only() {
        for foreign in [
            "port: !!int http\nimage: registry/v3/app\n",
            "apiVersion: apps/v3\nport: !!int http\n",
            "port: !!int http\nspec:\n  apiVersion: v3\n  dd-service: inner\n",
            "port: !!int http\nlabels:\n  backstage.io/kubernetes-id: x\ntext: |\n  dd-service: inner\n",
            "# dd-service: x\nport: !!int http\n",
            "{port: !!int http, image: registry/v3/app}",
        ] {
            assert_eq!(entities(foreign), [], "{foreign}");
        }
        for ours in [
            "dd-service: a\nport: !!int http\n",
            "---\n  \"dd-service\": a\n  port: !!int http\n",
            "apiVersion: !!str 'v3' # ours\nkind: service\nport: !!int http\n",
            "port: !!int http\napiVersion: backstage.io/v1alpha1\nkind: Component\n",
            "{\"apiVersion\": \"v3\", port: !!int http}",
        ] {
            parse(ours).expect_err(ours);
        }
    }

    #[test]
    fn ours_are_read_whole() {
        for (text, expected) in [
            ("dd-service: checkout\ndd-team: payments\n", entity("checkout", Some("payments"), None)),
            ("dd-service: a\nteam: b\ndd-team: c\n", entity("a", Some("b"), None)),
            ("dd-service: a\nteam: ' '\ndd-team: c\n", entity("a", Some("c"), None)),
            ("dd-service: ' checkout '\nteam: \"payments\\t\"\n", entity("checkout", Some("payments"), None)),
            ("dd-service: 42\nteam: 007\n", entity("42", Some("007"), None)),
            ("dd-service: on\nteam: true\n", entity("on", Some("true"), None)),
            ("dd-service: a\nteam: ~\nextra: [1, {b: !x c}]\n", entity("a", None, None)),
            ("{\"dd-service\": \"a\", \"team\": \"b\"}", entity("a", Some("b"), None)),
            ("%YAML 1.2\n--- # ours\ndd-service: a\n...\n", entity("a", None, None)),
            ("\u{feff}dd-service: a\r\nteam: b\r\n", entity("a", Some("b"), None)),
            ("x-base: &t payments\ndd-service: a\nteam: *t\n", entity("a", Some("payments"), None)),
            (
                "apiVersion: v3\nkind: service\nmetadata:\n  name: 42\n  owner: 7\n",
                entity("42", Some("7"), None),
            ),
            (
                "apiVersion: backstage.io/v1alpha1\nkind: Component\nmetadata:\n  name: shop\n  annotations:\n    \
                 pagerduty.com/service-id: PSVC001,PSVC002\n    other/list: [a]\nspec:\n  owner: group:default/x\n",
                entity("shop", Some("x"), Some("PSVC001,PSVC002")),
            ),
        ] {
            assert_eq!(entities(text), [expected], "{text}");
        }
    }

    #[test]
    fn an_address_without_an_id_is_warned_about() {
        let text =
            "dd-service: a\n---\ndd-service: b\nintegrations:\n  pagerduty: https://acme.pagerduty.com/\n";
        let warnings = parse(text).unwrap().warnings;
        assert_eq!(warnings.len(), 1);
        assert_eq!(warnings[0].0, Some(2));
        assert!(warnings[0].1.contains("\"b\"") && warnings[0].1.contains("https://acme.pagerduty.com/"));
    }
}
