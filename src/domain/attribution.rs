//! Attribution of a failure: services, team and env, from PagerDuty's facts and the configuration.

use super::catalog::{Catalog, Entity};
use super::event::Reference;
use super::name::trimmed;
use super::pagerduty_ref::id_in_address;
use super::policy::{Policy, ServiceEntry};
use super::text_limits::fitting_name;

/// Services, team and env that a failure counts for, and the steps of rule 9 that found the services and the team.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attribution {
    /// The services. At least one if PagerDuty named a service.
    pub services: Vec<String>,
    /// The team.
    pub team: Option<String>,
    /// The env.
    pub env: String,
    /// The repository of the services.
    pub repository_url: Option<String>,
    /// `key:value` tags.
    pub tags: Vec<String>,
    /// Name of the deciding step: the first one that found something.
    pub step: &'static str,
    /// Name of the step that found the services.
    pub services_step: &'static str,
    /// Name of the step that found the team.
    pub team_step: &'static str,
    /// `true` if the service entry names the env.
    pub env_is_from_entry: bool,
}

/// Attributes an incident on `service` whose first team is `team`.
///
/// Later steps fill in the fields that the deciding step leaves open.
pub fn attribute(policy: &Policy, service: Option<&Reference>, team: Option<&Reference>) -> Attribution {
    let catalog = &policy.catalog;
    let steps: [&dyn Fn() -> Option<AttributionFacts>; 5] = [
        &|| of_entry(&policy.services, service?),
        &|| of_catalog_url(catalog, service?),
        &|| of_catalog_name(catalog, service?),
        &|| catalog_team(catalog, team, "catalog team of the PagerDuty team's name"),
        &|| catalog_team(catalog, service, "catalog team of the PagerDuty service's name"),
    ];
    let last = || of_pagerduty(service, team);
    let mut found = steps.into_iter().filter_map(|step| step());
    let deciding = found.next().unwrap_or_else(last);
    let mut found = found.chain(std::iter::once_with(last));
    let mut attribution = Attribution {
        services: deciding.services,
        team: deciding.team,
        env_is_from_entry: deciding.env.is_some(),
        env: deciding.env.unwrap_or_else(|| policy.default_env.clone()),
        repository_url: deciding.repository_url,
        tags: deciding.tags,
        step: deciding.step,
        services_step: deciding.step,
        team_step: deciding.step,
    };
    while attribution.services.is_empty() || attribution.team.is_none() {
        let Some(later) = found.next() else { break };
        if attribution.services.is_empty() && !later.services.is_empty() {
            (attribution.services, attribution.services_step) = (later.services, later.step);
        }
        if attribution.team.is_none() && later.team.is_some() {
            (attribution.team, attribution.team_step) = (later.team, later.step);
        }
    }
    attribution
}

/// Values that one step of rule 9 found.
#[derive(Default)]
struct AttributionFacts {
    services: Vec<String>,
    team: Option<String>,
    env: Option<String>,
    repository_url: Option<String>,
    tags: Vec<String>,
    step: &'static str,
}

fn of_entry(entries: &[ServiceEntry], service: &Reference) -> Option<AttributionFacts> {
    let entry = matching_entry(entries, service)?;
    Some(AttributionFacts {
        services: entry.services.clone(),
        team: entry.team.clone(),
        env: entry.env.clone(),
        repository_url: entry.repository_url.clone(),
        tags: entry.tags.clone(),
        step: "service entry",
    })
}

/// One match decides service and team. Several matches decide only the team, and only if they agree on it.
fn of_catalog_url(catalog: &Catalog, service: &Reference) -> Option<AttributionFacts> {
    let step = "catalog, by PagerDuty's URL";
    let described = ids(service).map(|id| catalog.of_pagerduty(id)).find(|entities| !entities.is_empty())?;
    match described {
        [] => None,
        [entity] => Some(of_entity(entity, step)),
        [first, others @ ..] => {
            let agree = others.iter().all(|other| other.team == first.team);
            let team = first.team.clone().filter(|_| agree)?;
            Some(AttributionFacts {
                team: Some(team),
                step: "catalog, by PagerDuty's URL (several: team only)",
                ..AttributionFacts::default()
            })
        }
    }
}

fn of_catalog_name(catalog: &Catalog, service: &Reference) -> Option<AttributionFacts> {
    let entity = catalog.service(service.name.as_deref()?)?;
    Some(of_entity(entity, "catalog, by the service's name"))
}

fn of_entity(entity: &Entity, step: &'static str) -> AttributionFacts {
    AttributionFacts {
        services: vec![entity.service.clone()],
        team: entity.team.clone(),
        step,
        ..AttributionFacts::default()
    }
}

/// Finds the catalog's team with the name of a PagerDuty team or service.
fn catalog_team(
    catalog: &Catalog,
    named: Option<&Reference>,
    step: &'static str,
) -> Option<AttributionFacts> {
    let name = trimmed(named?.name.as_deref()?);
    catalog.has_team(name).then(|| AttributionFacts {
        team: Some(name.to_owned()),
        step,
        ..AttributionFacts::default()
    })
}

fn of_pagerduty(service: Option<&Reference>, team: Option<&Reference>) -> AttributionFacts {
    let known = |text: Option<&String>| {
        let known = text.map(|text| trimmed(text)).filter(|text| !text.is_empty());
        known.map(|text| fitting_name(text).into_owned())
    };
    let name =
        |reference: &Reference| known(reference.name.as_ref()).or_else(|| known(reference.id.as_ref()));
    AttributionFacts {
        services: service.and_then(name).into_iter().collect(),
        team: team.and_then(name),
        step: "PagerDuty's own names",
        ..AttributionFacts::default()
    }
}

/// Finds the entry that names the service: by id, else by URL, else by name. If several match in the same way, the
/// first one in the file counts.
fn matching_entry<'a>(entries: &'a [ServiceEntry], service: &Reference) -> Option<&'a ServiceEntry> {
    let ids: Vec<&str> = ids(service).collect();
    let by_id = |entry: &&ServiceEntry| ids.iter().any(|id| entry.pagerduty.is_id(id));
    let by_url = |entry: &&ServiceEntry| ids.iter().any(|id| entry.pagerduty.is_address_of(id));
    let by_name =
        |entry: &&ServiceEntry| service.name.as_deref().is_some_and(|name| entry.pagerduty.is_name(name));
    entries
        .iter()
        .find(by_id)
        .or_else(|| entries.iter().find(by_url))
        .or_else(|| entries.iter().find(by_name))
}

/// The service's id, and the id in its address.
fn ids(service: &Reference) -> impl Iterator<Item = &str> {
    service.id.as_deref().into_iter().chain(service.url.as_deref().and_then(id_in_address))
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
    fn rule_9_entries_match_by_id_before_url_before_name() {
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
    fn rule_9_values_missing_in_an_entry_come_from_pagerduty() {
        let bare = ServiceEntry { pagerduty: "PSVC001".into(), ..ServiceEntry::default() };
        let payments = Reference { name: Some("Payments".into()), ..Reference::default() };
        let found = attribute(&policy(vec![bare]), Some(&checkout()), Some(&payments));
        assert_eq!(found.services, ["Checkout API"]);
        assert_eq!(found.team.as_deref(), Some("Payments"));
        assert_eq!(found.env, "production");
    }

    #[test]
    fn rule_9_without_an_entry_pagerdutys_names_are_used() {
        let nameless = Reference { name: None, ..checkout() };
        let found = attribute(&policy(vec![entry("other", "other")]), Some(&nameless), None);
        assert_eq!((found.services, found.team), (vec!["PSVC001".to_owned()], None));
        assert_eq!(found.step, "PagerDuty's own names");
        assert!(attribute(&policy(vec![]), None, None).services.is_empty());
    }

    fn with_catalog(entities: &[(&str, &str, Option<&str>)]) -> Policy {
        let entities = entities.iter().map(|(service, team, pagerduty)| Entity {
            service: (*service).to_owned(),
            team: Some((*team).to_owned()),
            pagerduty: pagerduty
                .map(|url| format!("https://acme.pagerduty.com/service-directory/{url}").into()),
        });
        Policy { catalog: Catalog::new(entities), ..policy(vec![]) }
    }

    #[test]
    fn rule_9_the_steps_of_the_catalog_are_tried_in_order() {
        let payments = Reference { name: Some("Payments".into()), ..Reference::default() };
        let by_url =
            [("cart", "shop", Some("PSVC001")), ("Checkout API", "api", None), ("x", "Payments", None)];
        let attributed = |policy: &Policy| {
            let found = attribute(policy, Some(&checkout()), Some(&payments));
            (found.services.join(","), found.team.unwrap_or_default(), found.step)
        };
        let expected = |service: &str, team: &str, step| (service.to_owned(), team.to_owned(), step);
        assert_eq!(
            attributed(&with_catalog(&by_url)),
            expected("cart", "shop", "catalog, by PagerDuty's URL")
        );
        assert_eq!(
            attributed(&with_catalog(&by_url[1..])),
            expected("Checkout API", "api", "catalog, by the service's name")
        );
        assert_eq!(
            attributed(&with_catalog(&by_url[2..])),
            expected("Checkout API", "Payments", "catalog team of the PagerDuty team's name")
        );
        assert_eq!(
            attributed(&with_catalog(&[("x", "Checkout API", None)])),
            expected("Checkout API", "Checkout API", "catalog team of the PagerDuty service's name")
        );
    }

    #[test]
    fn rule_9_several_services_of_one_url_decide_only_the_team() {
        let several = [("cart", "shop", Some("PSVC001")), ("basket", "shop", Some("PSVC001"))];
        let found = attribute(&with_catalog(&several), Some(&checkout()), None);
        assert_eq!((found.services, found.team.as_deref()), (vec!["Checkout API".to_owned()], Some("shop")));
        assert!(found.step.contains("team only"));
        let disagreeing = [several[0], ("basket", "pantry", Some("PSVC001"))];
        let found = attribute(&with_catalog(&disagreeing), Some(&checkout()), None);
        assert_eq!((found.team, found.step), (None, "PagerDuty's own names"));
    }

    #[test]
    fn rule_9_values_missing_in_an_entry_come_from_the_catalog() {
        let entry = ServiceEntry { pagerduty: "PSVC001".into(), ..ServiceEntry::default() };
        let policy = Policy { services: vec![entry], ..with_catalog(&[("cart", "shop", Some("PSVC001"))]) };
        let found = attribute(&policy, Some(&checkout()), None);
        assert_eq!((found.services, found.team.as_deref()), (vec!["cart".to_owned()], Some("shop")));
        assert_eq!(found.step, "service entry");
    }

    #[test]
    fn rule_9_blanks_and_the_case_of_ids_do_not_matter() {
        let found = |pagerduty: &str, service: &Reference| {
            attribute(&policy(vec![entry(pagerduty, "checkout")]), Some(service), None).services
        };
        let blanks =
            Reference { id: Some(" PSVC001 ".into()), name: Some(" Checkout API\u{a0}".into()), url: None };
        for pagerduty in [
            "psvc001",
            " PSVC001",
            "Checkout API ",
            "https://acme.pagerduty.com/service-directory/PSVC001/settings",
            "acme.pagerduty.com/services/psvc001?tab=x",
            "PSVC009, PSVC001",
        ] {
            assert_eq!(found(pagerduty, &blanks), ["checkout"], "{pagerduty}");
            assert_eq!(found(pagerduty, &checkout()), ["checkout"], "{pagerduty}");
        }
        assert_eq!(found("other", &blanks), ["Checkout API"]);
        let odd = Reference { name: Some("Checkout\tAPI\0!".into()), ..checkout() };
        assert_eq!(found("other", &odd), ["Checkout API !"]);
        let long = Reference { id: Some("x".repeat(769)), ..Reference::default() };
        assert_eq!(found("other", &long)[0].len(), 768);
        let nameless = Reference { name: Some(" ".into()), ..checkout() };
        assert_eq!(found("other", &nameless), ["PSVC001"]);
    }

    #[test]
    fn rule_9_an_annotation_may_name_several_ids() {
        let both = Entity { service: "shop".into(), team: None, pagerduty: Some("PSVC009,psvc001".into()) };
        let policy = Policy { catalog: Catalog::new([both]), ..policy(vec![]) };
        assert_eq!(attribute(&policy, Some(&checkout()), None).services, ["shop"]);
    }
}
