//! Change of the figures against the period of equal length before.

use serde::{Deserialize, Serialize};

use super::restored::within_an_hour;
use crate::domain::statistics::{Difference, Estimate, LogRank, RestoreCurve, Verdict};

/// Fewest failures of a cohort that is compared. With fewer, the test is wrong too often: one failure against five
/// gives 16 % of false alarms.
const FEWEST_COMPARED: usize = 6;

/// Changes of a row. A figure is null if either period has no value.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RowChange {
    /// Failed deployments per deployment (Newcombe's interval).
    pub change_fail_rate: Option<FigureChange>,
    /// Matched incidents per deployment.
    pub change_failure_rate: Option<FigureChange>,
    /// Deployments that fixed an incident, per deployment (Newcombe's interval).
    pub deployment_rework_rate: Option<FigureChange>,
    /// Share restored within an hour. The verdict is that of the log-rank test, which compares all times to restore.
    pub restored: Option<FigureChange>,
}

/// Change of one figure.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct FigureChange {
    /// Value of the period before.
    pub before: f64,
    /// Value now minus the value before.
    pub difference: f64,
    /// Lower bound of the difference's 95 % interval.
    pub low: f64,
    /// Upper bound of the difference's 95 % interval.
    pub high: f64,
    /// Conclusion.
    pub verdict: Verdict,
}

/// Figures of a row that can be compared with those of another period.
#[derive(Debug)]
pub(super) struct Comparable {
    pub(super) failure_rate: Option<Estimate>,
    pub(super) fail_rate: Option<Estimate>,
    pub(super) rework_rate: Option<Estimate>,
    pub(super) restored: RestoreCurve,
}

impl RowChange {
    pub(super) fn between(now: &Comparable, before: &Comparable) -> Self {
        Self {
            change_fail_rate: FigureChange::between(now.fail_rate, before.fail_rate),
            change_failure_rate: FigureChange::between(now.failure_rate, before.failure_rate),
            deployment_rework_rate: FigureChange::between(now.rework_rate, before.rework_rate),
            restored: restored(&now.restored, &before.restored),
        }
    }
}

impl FigureChange {
    fn between(now: Option<Estimate>, before: Option<Estimate>) -> Option<Self> {
        let (now, before) = now.zip(before)?;
        let difference = Difference::between(now, before);
        let estimate = difference.estimate();
        Some(Self {
            before: before.value(),
            difference: estimate.value(),
            low: estimate.low(),
            high: estimate.high(),
            verdict: difference.verdict(),
        })
    }
}

fn restored(now: &RestoreCurve, before: &RestoreCurve) -> Option<FigureChange> {
    let share = |curve| within_an_hour(curve).map(|within| within.share);
    let change = FigureChange::between(share(now), share(before))?;
    let are_many = now.n() >= FEWEST_COMPARED && before.n() >= FEWEST_COMPARED;
    let test = are_many.then(|| LogRank::between(now, before)).flatten();
    Some(FigureChange { verdict: test.map_or(Verdict::NoChangeShown, LogRank::verdict), ..change })
}
