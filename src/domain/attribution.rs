//! Whose failure it is: services, team and env, from what PagerDuty says and what was configured.

use super::event::Reference;
use super::policy::{Policy, ServiceEntry};

/// What a failure counts for, and which step of rule 9 decided it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attribution {
    /// The services, at least one wherever PagerDuty named one.
    pub services: Vec<String>,
    /// The team.
    pub team: Option<String>,
    /// The env.
    pub env: String,
    /// The repository of the services.
    pub repository_url: Option<String>,
    /// `key:value` tags.
    pub tags: Vec<String>,
    /// The deciding step, in words.
    pub step: &'static str,
}

/// Attributes an incident on `service` whose first team is `team`.
///
/// What the deciding step leaves open, the later ones fill in.
pub fn attribute(policy: &Policy, service: Option<&Reference>, team: Option<&Reference>) -> Attribution {
    let own = Attribution {
        services: service.and_then(|s| s.name.clone().or_else(|| s.id.clone())).into_iter().collect(),
        team: team.and_then(|t| t.name.clone().or_else(|| t.id.clone())),
        env: policy.default_env.clone(),
        step: "PagerDuty's own names",
        ..Attribution::default()
    };
    let Some(entry) = service.and_then(|service| matching_entry(&policy.services, service)) else {
        return own;
    };
    Attribution {
        services: if entry.services.is_empty() { own.services } else { entry.services.clone() },
        team: entry.team.clone().or(own.team),
        env: entry.env.clone().unwrap_or(own.env),
        repository_url: entry.repository_url.clone(),
        tags: entry.tags.clone(),
        step: "service entry",
    }
}

/// The entry that names the service: by id before URL before name, the first in the file among equals.
fn matching_entry<'a>(entries: &'a [ServiceEntry], service: &Reference) -> Option<&'a ServiceEntry> {
    let by_id = |entry: &&ServiceEntry| service.id.as_deref() == Some(&entry.pagerduty);
    let by_url = |entry: &&ServiceEntry| {
        let named = url_id(&entry.pagerduty);
        named.is_some()
            && (named == service.url.as_deref().and_then(url_id) || named == service.id.as_deref())
    };
    let by_name = |entry: &&ServiceEntry| service.name.as_deref() == Some(&entry.pagerduty);
    entries
        .iter()
        .find(by_id)
        .or_else(|| entries.iter().find(by_url))
        .or_else(|| entries.iter().find(by_name))
}

/// The last path segment of a URL: catalogs write `/service-directory/P…`, webhooks `/services/P…`.
fn url_id(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("://")?;
    let path = rest.split(['?', '#']).next()?.trim_end_matches('/');
    path.rsplit_once('/').map(|(_, id)| id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(pagerduty: &str, service: &str) -> ServiceEntry {
        let services = vec![service.to_owned()];
        ServiceEntry { pagerduty: pagerduty.into(), services, ..ServiceEntry::default() }
    }

    fn checkout() -> Reference {
        Reference {
            id: Some("PSVC001".into()),
            name: Some("Checkout API".into()),
            url: Some("https://acme.pagerduty.com/services/PSVC001".into()),
        }
    }

    fn policy(services: Vec<ServiceEntry>) -> Policy {
        Policy { services, default_env: "production".into(), ..Policy::default() }
    }

    #[test]
    fn rule_9_an_entry_by_id_then_url_then_name() {
        let by_name = entry("Checkout API", "by name");
        let by_url = entry("https://acme.pagerduty.com/service-directory/PSVC001/?tab=x", "by url");
        let by_id = entry("PSVC001", "by id");
        let mut entries = vec![by_name, by_url, by_id];
        for expected in ["by id", "by url", "by name"] {
            let found = attribute(&policy(entries.clone()), Some(&checkout()), None);
            assert_eq!((found.services, found.step), (vec![expected.to_owned()], "service entry"));
            entries.pop();
        }
    }

    #[test]
    fn rule_9_what_an_entry_leaves_open_comes_from_pagerduty() {
        let bare = ServiceEntry { pagerduty: "PSVC001".into(), ..ServiceEntry::default() };
        let payments = Reference { name: Some("Payments".into()), ..Reference::default() };
        let found = attribute(&policy(vec![bare]), Some(&checkout()), Some(&payments));
        assert_eq!(found.services, ["Checkout API"]);
        assert_eq!(found.team.as_deref(), Some("Payments"));
        assert_eq!(found.env, "production");
    }

    #[test]
    fn rule_9_without_an_entry_pagerdutys_names_stand() {
        let nameless = Reference { name: None, ..checkout() };
        let found = attribute(&policy(vec![entry("other", "other")]), Some(&nameless), None);
        assert_eq!((found.services, found.team), (vec!["PSVC001".to_owned()], None));
        assert_eq!(found.step, "PagerDuty's own names");
        assert!(attribute(&policy(vec![]), None, None).services.is_empty());
    }
}
