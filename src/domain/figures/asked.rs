//! A question about the figures, as people ask it.

use jiff::tz::TimeZone;

use super::{By, Env, Interval, Question};
use crate::domain::moment;
use crate::domain::timestamp::Timestamp;

/// What the period is where nobody says.
const DEFAULT_SINCE: &str = "30d";

/// The options of `report`, as far as they were given.
#[derive(Debug, Clone, Copy, Default)]
pub struct Asked<'a> {
    /// Where the period begins; left out: thirty days ago.
    pub since: Option<&'a str>,
    /// Where it ends; left out: now.
    pub until: Option<&'a str>,
    /// What rows are made by; left out: the service.
    pub by: Option<By>,
    /// An env's name or `all`; left out: `failure.default_env`.
    pub env: Option<&'a str>,
    /// What the period is divided into; left out: nothing.
    pub interval: Option<Interval>,
}

impl Asked<'_> {
    /// The question that is meant. The error names the option at fault, with `prefix` before its name: `--` on a command
    /// line, nothing in a query.
    pub fn question(
        self,
        now: Timestamp,
        timezone: &TimeZone,
        default_env: &str,
        prefix: &str,
    ) -> Result<Question, String> {
        let moment = |name: &str, text: &str| {
            moment::parse(text, now, timezone).map_err(|error| format!("{prefix}{name}: {error}"))
        };
        let since = moment("since", self.since.unwrap_or(DEFAULT_SINCE))?;
        let until = self.until.map_or(Ok(now), |text| moment("until", text))?;
        if since >= until {
            return Err(format!(
                "{prefix}since must be earlier than {prefix}until: {since} is not before {until}"
            ));
        }
        Ok(Question {
            since,
            until,
            by: self.by.unwrap_or(By::Service),
            env: Env::parse(self.env.unwrap_or(default_env)),
            interval: self.interval,
            timezone: timezone.clone(),
        })
    }
}
