//! Texts with placeholders, such as `{service}`, in `[[deployment]]` tables.

use std::collections::BTreeMap;
use std::fmt;

use super::deployment_event::DeploymentFacts;
use super::name::name;

/// Texts of the named groups of a match, by their names. None is empty.
pub type Groups = BTreeMap<String, String>;

/// Placeholders for facts of a deployment, beside `{payload.KEY}` and the named groups.
pub const FACTS: [&str; 7] = ["repository", "environment", "ref", "job", "workflow", "task", "tier"];
/// Beginning of the placeholders for values of the payload.
const PAYLOAD: &str = "payload.";

/// A text in which `{…}` stands for a named group or a fact. A group wins over a fact of the same name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    written: String,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Placeholder(String),
}

impl Template {
    /// Reads a text. The error is a message for people.
    pub fn parse(written: &str) -> Result<Self, &'static str> {
        const UNPAIRED: &str = "has a { or } without the other: a placeholder is written {name}";
        let mut parts = Vec::new();
        let mut rest = written;
        while let Some((text, after)) = rest.split_once('{') {
            if !text.is_empty() {
                parts.push(Part::Text(text.to_owned()));
            }
            let (placeholder, after) = after.split_once('}').ok_or(UNPAIRED)?;
            if placeholder.contains('{') {
                return Err(UNPAIRED);
            }
            if name(placeholder) != Some(placeholder) || placeholder == PAYLOAD {
                return Err("has an empty placeholder, or one with blanks around its name: write {name}");
            }
            parts.push(Part::Placeholder(placeholder.to_owned()));
            rest = after;
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        if parts.iter().any(|part| matches!(part, Part::Text(text) if text.contains('}'))) {
            return Err(UNPAIRED);
        }
        Ok(Self { written: written.to_owned(), parts })
    }

    /// The text as it was written.
    pub fn as_str(&self) -> &str {
        &self.written
    }

    /// Names of its placeholders.
    pub fn placeholders(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Placeholder(name) => Some(name.as_str()),
            Part::Text(_) => None,
        })
    }

    /// Placeholders that must be named groups, because they are no facts.
    pub fn groups(&self) -> impl Iterator<Item = &str> {
        self.placeholders().filter(|name| !FACTS.contains(name) && !name.starts_with(PAYLOAD))
    }

    /// The text with the values of its placeholders.
    ///
    /// # Errors
    /// The first placeholder without a value.
    pub fn fill(&self, groups: &Groups, facts: &DeploymentFacts) -> Result<String, EmptyPlaceholder> {
        let mut filled = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => filled.push_str(text),
                Part::Placeholder(placeholder) => {
                    let group = groups.get(placeholder).map(String::as_str);
                    let value = group.or_else(|| fact(placeholder, facts)).and_then(name);
                    filled.push_str(value.ok_or_else(|| EmptyPlaceholder(placeholder.clone()))?);
                }
            }
        }
        Ok(filled)
    }
}

/// Placeholder without a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmptyPlaceholder(String);

/// Shows the placeholder as it is written in a table.
impl fmt::Display for EmptyPlaceholder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{}}}", self.0)
    }
}

/// Value of a placeholder for a fact.
fn fact<'a>(placeholder: &str, facts: &'a DeploymentFacts) -> Option<&'a str> {
    let fact = match placeholder {
        "repository" => &facts.repository,
        "environment" => &facts.environment,
        "ref" => &facts.reference,
        "job" => &facts.job,
        "workflow" => &facts.workflow,
        "task" => &facts.task,
        "tier" => &facts.tier,
        _ => return facts.payload.as_ref()?.get(placeholder.strip_prefix(PAYLOAD)?).map(String::as_str),
    };
    fact.as_deref()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(template: &str) -> Result<String, String> {
        let groups = Groups::from([
            ("service".to_owned(), "cart".to_owned()),
            ("task".to_owned(), "group".to_owned()),
        ]);
        let payload =
            BTreeMap::from([("version".to_owned(), "1.2".to_owned()), ("blank".to_owned(), " ".to_owned())]);
        let facts = DeploymentFacts {
            repository: Some("acme/shop".to_owned()),
            task: Some("deploy".to_owned()),
            payload: Some(payload),
            ..DeploymentFacts::default()
        };
        Template::parse(template).unwrap().fill(&groups, &facts).map_err(|empty| empty.to_string())
    }

    #[test]
    fn placeholders_are_replaced() {
        for (template, expected) in [
            ("", ""),
            ("checkout", "checkout"),
            ("{service}", "cart"),
            ("{repository}/{service}:v{payload.version}", "acme/shop/cart:v1.2"),
            ("{task}", "group"),
        ] {
            assert_eq!(filled(template).as_deref(), Ok(expected), "{template}");
        }
        for (template, empty) in [
            ("x-{region}", "{region}"),
            ("{service}-{environment}", "{environment}"),
            ("{payload.other}", "{payload.other}"),
            ("{payload.blank}", "{payload.blank}"),
        ] {
            assert_eq!(filled(template), Err(empty.to_owned()), "{template}");
        }
    }

    #[test]
    fn groups_are_the_placeholders_that_are_no_facts() {
        let template = Template::parse("{service}-{environment}-{payload.x}-{region}").unwrap();
        assert_eq!(template.groups().collect::<Vec<_>>(), ["service", "region"]);
    }

    #[test]
    fn a_text_with_unpaired_braces_is_refused() {
        for text in ["{", "}", "a}b", "{a", "{a{b}}", "{a}}", "{}", "{ a}", "{payload.}"] {
            assert!(Template::parse(text).is_err(), "{text}");
        }
    }
}
