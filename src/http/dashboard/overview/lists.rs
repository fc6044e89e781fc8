//! Lists of the first page, as they are read from the store.

use super::open_now::MOST_OPEN;
use super::recent::RECENT;
use crate::domain::deployment_view::PendingRule;
use crate::domain::figures::Env;
use crate::http::dashboard::board::query::OverviewQuery;
use crate::http::dashboard::parts::deployment_table::DeploymentRows;
use crate::http::dashboard::parts::failure_table::FailureRows;
use crate::http::deployment_choice::DeploymentChoice;
use crate::store::{DeploymentFilter, FailureFilter, OpenNow, ReadError, Reader};

/// The lists. They have the filters that were chosen, and no period: they show the present.
pub(in crate::http::dashboard) struct Lists {
    /// Open failures.
    pub(in crate::http::dashboard) open: OpenNow,
    /// The latest failures.
    pub(in crate::http::dashboard) recent: FailureRows,
    /// The latest deployments.
    pub(in crate::http::dashboard) deployments: DeploymentRows,
}

impl Lists {
    /// Reads the lists.
    pub(in crate::http::dashboard) fn read(
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
