//! Lists of the first page, as they are read from the store.

use super::deployment_table::DeploymentRows;
use super::failure_table::FailureRows;
use super::open_now::MOST_OPEN;
use super::overview_query::OverviewQuery;
use super::recent::RECENT;
use crate::domain::deployment_view::PendingRule;
use crate::domain::figures::Env;
use crate::http::deployment_choice::DeploymentChoice;
use crate::store::{DeploymentFilter, FailureFilter, OpenNow, ReadError, Reader};

/// The lists. They have the filters that were chosen, and no period: they show the present.
pub(super) struct Lists {
    /// Open failures.
    pub(super) open: OpenNow,
    /// The latest failures.
    pub(super) recent: FailureRows,
    /// The latest deployments.
    pub(super) deployments: DeploymentRows,
}

impl Lists {
    /// Reads the lists.
    pub(super) fn read(
        reader: &Reader,
        query: &OverviewQuery,
        pending: PendingRule,
    ) -> Result<Self, ReadError> {
        let chosen =
            |name: &str| query.filters().into_iter().find(|(known, ..)| *known == name)?.2.map(str::to_owned);
        let [env, service, team, severity] = ["env", "service", "team", "severity"].map(chosen);
        let env = env.and_then(|env| Env::parse(&env).only());
        let recent = FailureFilter {
            env: env.clone(),
            service: service.clone(),
            team: team.clone(),
            severity,
            limit: RECENT,
            ..FailureFilter::default()
        };
        let open = FailureFilter { limit: MOST_OPEN, ..recent.clone() };
        let deployments =
            DeploymentFilter { env, service, team, limit: RECENT, ..DeploymentFilter::default() };
        Ok(Self {
            open: reader.open_now(&open)?,
            recent: FailureRows::of(reader, &recent)?,
            deployments: DeploymentRows::of(reader, &DeploymentChoice::new(deployments, None), pending)?,
        })
    }
}
