//! Columns from which figures are computed, without reading each failure's JSON.

use std::borrow::Cow;

use crate::domain::failure::{Evaluated, Failure, FailureState};
use crate::domain::figures::{FailureTimes, FailureTraits};
use crate::store::engine::json::{from_json, to_json};
use crate::store::engine::sql;

/// `counts_for`, an array: the state, services, team, env, severity, and whether the times are good. Many failures have
/// the same text.
type CountsFor<'a> =
    (FailureState, Cow<'a, [String]>, Option<Cow<'a, str>>, Cow<'a, str>, Option<Cow<'a, str>>, bool);

/// Facts of a failure that are stored for figures, besides its start, its end and its links.
#[derive(Default)]
pub(in crate::store) struct FigureColumns {
    /// `None` if the failure is in no figure.
    pub(in crate::store) counts_for: Option<String>,
    pub(in crate::store) restore_ns: Option<i64>,
}

impl FigureColumns {
    pub(in crate::store) fn of(Evaluated { failure, .. }: &Evaluated) -> sql::Result<Self> {
        if failure.state == FailureState::Merged {
            return Ok(Self::default());
        }
        let Failure { state, services, team, env, severity, .. } = failure;
        let (team, severity) = (team.as_deref().map(Cow::from), severity.as_deref().map(Cow::from));
        let services = Cow::from(services.as_slice());
        let env = Cow::from(env.as_str());
        let counts_for: CountsFor<'_> = (*state, services, team, env, severity, failure.has_good_times());
        Ok(Self { counts_for: Some(to_json(&counts_for)?), restore_ns: FailureTimes::of(failure).restore_ns })
    }
}

/// Parses a text in `counts_for` into the properties of the failures that have it.
pub(in crate::store) fn kind(counts_for: &str) -> sql::Result<FailureTraits> {
    let (state, services, team, env, severity, has_good_times): CountsFor<'_> = from_json(counts_for)?;
    Ok(FailureTraits {
        state,
        services: services.into_owned(),
        team: team.map(Cow::into_owned),
        env: env.into_owned(),
        severity: severity.map(Cow::into_owned),
        has_good_times,
    })
}
