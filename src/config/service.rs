//! `[[service]]`: services, team, env, repository and tags for a PagerDuty service.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;

use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::findings::Findings;
use super::list::List;
use super::value::{Name, RepositoryUrl, name_of_any_length, read_from_text};
use crate::domain::pagerduty_ref::PagerDutyRef;
use crate::domain::policy::ServiceEntry;

/// `[[service]]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceSection {
    pagerduty: Spanned<PagerDutyServices>,
    #[serde(default, skip_serializing_if = "List::is_left_out")]
    services: List<Name>,
    team: Option<Name>,
    env: Option<Spanned<Name>>,
    repository_url: Option<RepositoryUrl>,
    #[serde(default, skip_serializing_if = "List::is_left_out")]
    tags: List<Name>,
}

/// One PagerDuty service or several of them, by ids, by an exact name or by URLs. So it may be longer than a [`Name`].
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
struct PagerDutyServices(String);

read_from_text!(PagerDutyServices);

impl TryFrom<String> for PagerDutyServices {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        name_of_any_length(&text).map(Self)
    }
}

impl fmt::Debug for PagerDutyServices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl ServiceSection {
    /// Env of the entry with its place, if it has one.
    pub(super) fn env(&self) -> Option<(&str, Range<usize>)> {
        self.env.as_ref().map(|env| (env.get_ref().as_str(), env.span()))
    }

    /// PagerDuty service that the entry names.
    fn pagerduty(&self) -> PagerDutyRef {
        PagerDutyRef::parse(&self.pagerduty.get_ref().0)
    }

    /// Checks that no service is listed twice, because a failure would count for it twice.
    pub(super) fn check(&self, findings: &mut Findings<'_>) {
        let mut seen = BTreeSet::new();
        for name in self.services.values().iter().filter(|name| !seen.insert(name.as_str())) {
            findings.at(self.pagerduty.span(), format!("lists the service {name:?} twice: once is enough"));
        }
    }

    /// Entry for the attribution of failures.
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

/// Warns of entries that can never match: those with an address without an id, and those whose services are all named
/// by entries that win over them.
pub(super) fn warn(entries: &[ServiceSection], findings: &mut Findings<'_>) {
    // As in `attribution`: an id wins over an address. Otherwise the first entry in the file wins.
    let rank = |index: usize, entry: &PagerDutyRef| (entry.is_address(), index);
    let references: Vec<PagerDutyRef> = entries.iter().map(ServiceSection::pagerduty).collect();
    for (index, (entry, reference)) in entries.iter().zip(&references).enumerate() {
        let name = entry.pagerduty.get_ref();
        if reference.cannot_match() {
            let message = format!(
                "{name:?} has no service id in it, and the entry never matches: write the id of the service"
            );
            findings.at(entry.pagerduty.span(), message);
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
            let message =
                format!("{name:?} never matches: the entry at line {line} names the same service and {wins}");
            findings.at(entry.pagerduty.span(), message);
            continue;
        }
        let before: Vec<&PagerDutyRef> = references
            .iter()
            .enumerate()
            .filter(|(other, wider)| *other != index && rank(*other, wider) < rank(index, reference))
            .map(|(_, wider)| wider)
            .collect();
        if reference.is_included_in(&before) {
            let message =
                format!("{name:?} never matches: other entries name each of its services and come first");
            findings.at(entry.pagerduty.span(), message);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_may_name_many_services() {
        let addresses = ["https://acme.pagerduty.com/service-directory/PSVC001"; 50].join(", ");
        let section: ServiceSection = toml::from_str(&format!("pagerduty = \"{addresses}\"")).unwrap();
        assert_eq!(section.to_domain().pagerduty.as_str(), addresses);
    }
}
