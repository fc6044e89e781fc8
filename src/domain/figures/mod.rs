//! The DORA figures, of both vocabularies: the older one counts incidents, the newer one deployments that failed.

mod answer;
mod asked;
mod basis;
mod calendar;
mod consequence;
mod deployed;
mod durations;
mod elsewhere;
mod names;
mod question;
mod tally;
mod trailing;

use self::calendar::Periods;
use self::tally::Tally;

pub use self::answer::{Elsewhere, Report, Row};
pub use self::asked::Asked;
pub use self::basis::{Basis, Gathering, Kind, LinkedKeys, Times};
pub use self::deployed::Deployed;
pub use self::durations::{Durations, RecoveryTimes, RestoreTimes};
pub use self::question::{By, Env, Interval, Question};
pub use self::trailing::{OfDeployments, OfFailures, OfService, Trailing, trailing};

/// More names help nobody to find the right one.
const MOST_OTHER_ENVS: usize = 10;

/// Computes the figures.
pub fn report(question: &Question, basis: &Basis) -> Report {
    let [report] = reports(question, [question.by], basis);
    report
}

/// Computes the figures of one period, with rows made in several ways.
pub fn reports<const N: usize>(question: &Question, by: [By; N], basis: &Basis) -> [Report; N] {
    let Question { since, until, interval, .. } = *question;
    let periods = Periods::new(question);
    let tally = Tally::of(basis, &periods, &question.env);
    let start = |period| interval.map(|_| periods.start(period));
    let deployed_elsewhere = elsewhere::elsewhere(basis, &tally, &periods);
    let other_envs =
        if tally.is_empty() { other_envs(basis, &periods) } else { elsewhere::envs(&deployed_elsewhere) };
    by.map(|by| Report {
        since,
        until,
        by,
        interval,
        rows: tally.rows(by, start),
        other_envs: other_envs.clone(),
        deployed_elsewhere: deployed_elsewhere.clone(),
    })
}

fn other_envs(basis: &Basis, periods: &Periods) -> Vec<String> {
    let all = Tally::of(basis, periods, &Env::All);
    all.envs().into_iter().take(MOST_OTHER_ENVS).map(str::to_owned).collect()
}

#[cfg(test)]
pub(crate) mod tests;
