//! Descriptions of services in catalog files: Datadog's service definitions (v2 to v2.2) and entities (v3), and
//! Backstage components.

use super::document;
use super::tree::{Mistake, NodeRef, Tree};
use crate::domain::address::text_without_credentials;
use crate::domain::catalog::Entity;
use crate::domain::name::trimmed;
use crate::domain::pagerduty_ref::PagerDutyRef;
use crate::domain::text_limits::fitting_name;

/// Service, and the line (from 1) of its name.
pub(super) type PlacedEntity = (u64, Entity);

/// Services that a file describes.
#[derive(Debug, Default, PartialEq)]
pub(super) struct FileEntities {
    /// Its services, in its order.
    pub(super) entities: Vec<PlacedEntity>,
    /// Descriptions that have no effect.
    pub(super) warnings: Vec<Mistake>,
}

/// Reads all documents of a file. Documents of other kinds are skipped, also if they are not YAML.
pub(super) fn parse(text: &str) -> Result<FileEntities, Mistake> {
    let mut described = FileEntities::default();
    for text in document::split(text) {
        match Tree::read(&text) {
            Ok(tree) => {
                for value in tree.roots() {
                    if let Some(format) = EntityFormat::of(value) {
                        described.take(format.entity(value)?, text.line);
                    }
                }
            }
            // Not YAML, such as a template: the document is for another tool.
            Err((line, message)) if !has_our_keys(text.text) => {
                described
                    .warnings
                    .push((line, format!("this document is not YAML and is skipped: {message}")));
            }
            Err(mistake) => return Err(mistake),
        }
    }
    Ok(described)
}

impl FileEntities {
    /// Adds a description whose document begins at `line`.
    fn take(&mut self, entity: Option<PlacedEntity>, line: u64) {
        let Some((name_line, entity)) = entity else { return };
        if let Some(pagerduty) = entity.pagerduty.as_ref().filter(|pagerduty| pagerduty.cannot_match()) {
            let message = format!(
                "the PagerDuty URL of {:?} has no service id and never matches: {:?}",
                entity.service,
                pagerduty.as_str()
            );
            self.warnings.push((Some(line), message));
        }
        self.entities.push((name_line, entity));
    }
}

/// `true` if the keys of the outermost map show that an invalid document may be for this program.
fn has_our_keys(text: &str) -> bool {
    let mut lines = text.lines().filter(|line| {
        let content = line.trim_start();
        !content.is_empty() && !content.starts_with('#') && !line.starts_with(['%', '-'])
    });
    let depth = |line: &str| line.len() - line.trim_start().len();
    let Some(first) = lines.next() else { return false };
    if first.trim_start().starts_with('{') || text.starts_with("--- {") {
        // A map in braces. Without a parser its keys look like those of inner maps, so all keys count.
        return text.split(['{', ',', '\n']).any(is_our_key);
    }
    std::iter::once(first).chain(lines).filter(|line| depth(line) == depth(first)).any(is_our_key)
}

/// `true` if only documents for this program have such a `key: value`.
fn is_our_key(line: &str) -> bool {
    let bare = |text: &str| text.trim().trim_matches(['"', '\'', '}']).to_owned();
    let Some((key, value)) = line.split_once(':') else { return false };
    let value = value.split_once(" #").map_or(value, |(value, _)| value);
    // The value may follow a tag.
    let value = value.split_whitespace().next_back().map(bare).unwrap_or_default();
    match bare(key).as_str() {
        "dd-service" => true,
        "apiVersion" => value == "v3" || value.starts_with(BACKSTAGE),
        _ => false,
    }
}

/// Prefix of the versions of Backstage's entities.
const BACKSTAGE: &str = "backstage.io/";

/// Kinds of Datadog's entities, v3 (the API's `EntityV3`). Other tools use that version, too.
const V3_KINDS: [&str; 5] = ["service", "datastore", "queue", "system", "api"];

/// Format of a description. Only the keys of its own format are read; all others are for other tools.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum EntityFormat {
    /// Datadog's service definition, v2 to v2.2.
    Definition,
    /// Datadog's entity, v3.
    Entity,
    /// Backstage's component.
    Component,
}

impl EntityFormat {
    /// Format of a document. `None` if it describes no service for this program.
    fn of(document: NodeRef<'_>) -> Option<Self> {
        let text = |key| document.get(key).and_then(NodeRef::text);
        if text("dd-service").is_some() {
            return Some(Self::Definition);
        }
        match (text("apiVersion")?, text("kind")?) {
            ("v3", kind) if V3_KINDS.contains(&kind) => Some(Self::Entity),
            (version, "Component") if version.starts_with(BACKSTAGE) => Some(Self::Component),
            _ => None,
        }
    }

    /// Service that the document describes. `None` if it has no name.
    fn entity(self, document: NodeRef<'_>) -> Result<Option<PlacedEntity>, Mistake> {
        let below = |key| map(document, key);
        let named = match self {
            Self::Definition => text(document, "dd-service")?,
            Self::Entity | Self::Component => match below("metadata")? {
                Some(metadata) => text(metadata, "name")?,
                None => None,
            },
        };
        let Some((line, service)) = named.and_then(|(line, text)| Some((line, name(&text)?))) else {
            return Ok(None);
        };
        let team = match self {
            Self::Definition => match team_at(Some(document), "team")? {
                Some(team) => Some(team),
                None => team_at(Some(document), "dd-team")?,
            },
            Self::Entity => team_at(below("metadata")?, "owner")?,
            Self::Component => team_at(below("spec")?, "owner")?.and_then(|owner| name(owner_name(&owner))),
        };
        let pagerduty = match self {
            Self::Definition | Self::Entity => pagerduty_in_integrations(document)?,
            Self::Component => annotation(document)?,
        };
        let pagerduty = pagerduty.and_then(|text| visible(&text)).map(PagerDutyRef::from);
        Ok(Some((line, Entity { service, team, pagerduty })))
    }
}

/// PagerDuty services of Datadog's formats. v2 has the URL itself. Later versions have it one level deeper, and v3
/// spells the key differently.
fn pagerduty_in_integrations(document: NodeRef<'_>) -> Result<Option<String>, Mistake> {
    let integrations = document.get("integrations").filter(|integrations| integrations.is_map());
    let Some(integrations) = integrations else { return Ok(None) };
    let Some(pagerduty) = one(integrations, "pagerduty")? else { return Ok(None) };
    if !pagerduty.is_map() {
        return texts(integrations, "pagerduty");
    }
    match texts(pagerduty, "service-url")? {
        Some(url) => Ok(Some(url)),
        None => texts(pagerduty, "serviceURL"),
    }
}

/// PagerDuty services of a component.
fn annotation(document: NodeRef<'_>) -> Result<Option<String>, Mistake> {
    let Some(metadata) = map(document, "metadata")? else { return Ok(None) };
    let Some(annotations) = map(metadata, "annotations")? else { return Ok(None) };
    texts(annotations, "pagerduty.com/service-id")
}

fn team_at(parent: Option<NodeRef<'_>>, key: &str) -> Result<Option<String>, Mistake> {
    let Some(parent) = parent else { return Ok(None) };
    Ok(text(parent, key)?.and_then(|(_, text)| name(&text)))
}

/// Value of a key. A key that is there twice is an error.
fn one<'a>(parent: NodeRef<'a>, key: &str) -> Result<Option<NodeRef<'a>>, Mistake> {
    match parent.every(key).as_slice() {
        [_, again, ..] => Err((Some(again.line()), format!("{key} is there twice: remove one"))),
        values => Ok(values.first().copied()),
    }
}

fn map<'a>(parent: NodeRef<'a>, key: &str) -> Result<Option<NodeRef<'a>>, Mistake> {
    let value = one(parent, key)?;
    match value.filter(|value| !value.is_map()) {
        Some(other) => Err((Some(other.line()), format!("{key} must have keys below it"))),
        None => Ok(value),
    }
}

/// The text of a key, and its line.
fn text(parent: NodeRef<'_>, key: &str) -> Result<Option<(u64, String)>, Mistake> {
    let Some(value) = one(parent, key)? else { return Ok(None) };
    match value.text() {
        Some(text) => Ok(Some((value.line(), text.to_owned()))),
        None => Err((Some(value.line()), format!("{key} must be one text"))),
    }
}

/// Text of a key. The texts of a list are joined with commas.
fn texts(parent: NodeRef<'_>, key: &str) -> Result<Option<String>, Mistake> {
    let Some(value) = one(parent, key)? else { return Ok(None) };
    let values = value.list().unwrap_or_else(|| vec![value]);
    let wrong =
        |value: &NodeRef<'_>| (Some(value.line()), format!("{key} must be a text or a list of texts"));
    let texts: Result<Vec<&str>, _> =
        values.iter().map(|value| value.text().ok_or_else(|| wrong(value))).collect();
    Ok(Some(texts?.join(",")))
}

/// The name of a service or a team, as [`visible`] reads it, made to fit.
fn name(text: &str) -> Option<String> {
    visible(text).map(|name| fitting_name(&name).into_owned())
}

/// A text without the blanks around it and without the credentials of an address. `None` if nothing is left.
fn visible(text: &str) -> Option<String> {
    Some(text_without_credentials(trimmed(text)).into_owned()).filter(|text| !text.is_empty())
}

/// Backstage: `[kind:][namespace/]name`.
fn owner_name(owner: &str) -> &str {
    owner.rsplit_once(['/', ':']).map_or(owner, |(_, name)| name)
}

#[cfg(test)]
mod tests;
