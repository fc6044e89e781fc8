//! Warnings about services that the catalog describes twice, and about PagerDuty services that several services have.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::config::Problem;
use crate::domain::catalog::Entity;
use crate::domain::pagerduty_ref::PagerDutyRef;

/// A service, with its file and its line in it.
type DescribedService = (PathBuf, u64, Entity);

/// Warnings about all descriptions that an earlier one overrides or conflicts with.
pub(super) fn warnings(described: &[DescribedService]) -> Vec<Problem> {
    let (mut services, mut ids) =
        (BTreeMap::<&str, &DescribedService>::new(), BTreeMap::<String, &DescribedService>::new());
    let mut warnings = Vec::new();
    for one in described {
        let (file, line, entity) = one;
        let mut warn = |message: String| warnings.push(Problem::at_line(file, Some(*line), message));
        let mut is_repeated = false;
        if let Some((first_file, first_line, _)) = services.get(entity.service.as_str()) {
            is_repeated = true;
            warn(format!(
                "{:?} is already described at {}:{first_line}, and the first description counts: remove one",
                entity.service,
                first_file.display()
            ));
        }
        services.entry(&entity.service).or_insert(one);
        for id in entity.pagerduty.iter().flat_map(PagerDutyRef::ids) {
            match ids.get(&id) {
                Some((first_file, first_line, first)) if first.service != entity.service && !is_repeated => {
                    warn(format!(
                        "{:?} and {:?} ({}:{first_line}) have the same PagerDuty service {id}: its failures count for \
                         neither service, and for their team only if both have the same",
                        entity.service,
                        first.service,
                        first_file.display()
                    ));
                }
                Some(_) => {}
                None => {
                    ids.insert(id, one);
                }
            }
        }
    }
    warnings
}
