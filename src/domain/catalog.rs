//! Services of the software catalog. Rule 9 uses them after the service entries and before PagerDuty's own names.

use std::collections::{BTreeMap, BTreeSet};

use super::name::trimmed;
use super::pagerduty_ref::PagerDutyRef;

/// One service of the catalog.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entity {
    /// Name of the service in the catalog.
    pub service: String,
    /// Team that owns it.
    pub team: Option<String>,
    /// PagerDuty services that belong to it: one or several URLs or ids.
    pub pagerduty: Option<PagerDutyRef>,
}

/// Services of all catalog files, indexed by PagerDuty id and by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Catalog {
    by_pagerduty_id: BTreeMap<String, Vec<Entity>>,
    by_service: BTreeMap<String, Entity>,
    teams: BTreeSet<String>,
    entities: usize,
}

impl Catalog {
    /// Builds the catalog. If a service is described twice, the first description counts. If several services name the
    /// same PagerDuty service, all of them count.
    pub fn new(entities: impl IntoIterator<Item = Entity>) -> Self {
        let mut catalog = Self::default();
        for entity in entities {
            catalog.entities += 1;
            catalog.teams.extend(entity.team.clone());
            for id in entity.pagerduty.iter().flat_map(PagerDutyRef::ids) {
                let same = catalog.by_pagerduty_id.entry(id).or_default();
                if !same.iter().any(|other| other.service == entity.service) {
                    same.push(entity.clone());
                }
            }
            catalog.by_service.entry(entity.service.clone()).or_insert(entity);
        }
        catalog
    }

    /// Number of service descriptions.
    pub fn len(&self) -> usize {
        self.entities
    }

    /// `true` if there is no service description.
    pub fn is_empty(&self) -> bool {
        self.entities == 0
    }

    /// Services that name this PagerDuty service.
    pub(super) fn of_pagerduty(&self, id: &str) -> &[Entity] {
        self.by_pagerduty_id.get(&trimmed(id).to_ascii_uppercase()).map_or(&[], Vec::as_slice)
    }

    /// The service of this name.
    pub(super) fn service(&self, name: &str) -> Option<&Entity> {
        self.by_service.get(trimmed(name))
    }

    /// `true` if a team of this name owns anything.
    pub(super) fn has_team(&self, name: &str) -> bool {
        self.teams.contains(trimmed(name))
    }
}
