//! `[[service]]`: what the metrics call a service of PagerDuty.

use std::collections::BTreeSet;
use std::ops::Range;

use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::findings::Findings;
use super::list::List;
use super::value::{Name, RepositoryUrl};
use crate::domain::pagerduty_ref::PagerDutyRef;
use crate::domain::policy::ServiceEntry;

/// `[[service]]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceSection {
    pagerduty: Spanned<Name>,
    #[serde(default, skip_serializing_if = "List::is_left_out")]
    services: List<Name>,
    team: Option<Name>,
    env: Option<Spanned<Name>>,
    repository_url: Option<RepositoryUrl>,
    #[serde(default, skip_serializing_if = "List::is_left_out")]
    tags: List<Name>,
}

impl ServiceSection {
    /// The env and its place, if the entry names one.
    pub(super) fn env(&self) -> Option<(&str, Range<usize>)> {
        self.env.as_ref().map(|env| (env.get_ref().as_str(), env.span()))
    }

    /// Service of PagerDuty that the entry is about.
    fn pagerduty(&self) -> PagerDutyRef {
        PagerDutyRef::parse(self.pagerduty.get_ref().as_str())
    }

    /// Checks that it names a service once: a failure would count for it twice.
    pub(super) fn check(&self, findings: &mut Findings<'_>) {
        let mut seen = BTreeSet::new();
        for name in self.services.values().iter().filter(|name| !seen.insert(name.as_str())) {
            findings.at(self.pagerduty.span(), format!("lists the service {name:?} twice: once is enough"));
        }
    }

    /// The entry as failures are asked about it.
    pub(super) fn to_domain(&self) -> ServiceEntry {
        let strings =
            |names: &List<Name>| names.values().iter().map(|name| name.as_str().to_owned()).collect();
        let string = |name: &Option<Name>| name.as_ref().map(|name| name.as_str().to_owned());
        ServiceEntry {
            pagerduty: self.pagerduty(),
            services: strings(&self.services),
            team: string(&self.team),
            env: self.env().map(|(env, _)| env.to_owned()),
            repository_url: self.repository_url.as_ref().map(|url| url.as_str().to_owned()),
            tags: self.tags.values().iter().map(|tag| tag.as_str().to_owned()).collect(),
        }
    }
}

/// Finds entries that can never match: without an id, or about a service that another entry is about.
pub(super) fn warn(entries: &[ServiceSection], findings: &mut Findings<'_>) {
    // Ids before addresses before names; among equals the first in the file.
    let rank = |index: usize, entry: &PagerDutyRef| (entry.is_address(), index);
    let references: Vec<PagerDutyRef> = entries.iter().map(ServiceSection::pagerduty).collect();
    for (index, (entry, reference)) in entries.iter().zip(&references).enumerate() {
        let name = entry.pagerduty.get_ref();
        if reference.names_nothing() {
            let said = format!(
                "{name:?} has no service id in it, so that this entry never matches: write the service's id"
            );
            findings.at(entry.pagerduty.span(), said);
            continue;
        }
        let stronger = references.iter().enumerate().zip(entries).find(|((other, wider), _)| {
            *other != index && wider.includes(reference) && rank(*other, wider) < rank(index, reference)
        });
        if let Some((_, by)) = stronger {
            let line = findings.line(&by.pagerduty.span());
            let wins = if by.pagerduty.span().start < entry.pagerduty.span().start {
                "comes first"
            } else {
                "gives its id, which wins over an address"
            };
            let said =
                format!("{name:?} never matches: the entry at line {line} names the same service and {wins}");
            findings.at(entry.pagerduty.span(), said);
            continue;
        }
        let before: Vec<&PagerDutyRef> = references
            .iter()
            .enumerate()
            .filter(|(other, wider)| *other != index && rank(*other, wider) < rank(index, reference))
            .map(|(_, wider)| wider)
            .collect();
        if reference.is_included_in(&before) {
            let said =
                format!("{name:?} never matches: other entries name each of its services and come first");
            findings.at(entry.pagerduty.span(), said);
        }
    }
}
