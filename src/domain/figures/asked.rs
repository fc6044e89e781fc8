//! A question about the figures, as people ask it.

use jiff::tz::TimeZone;

use super::{By, Env, Interval, Question};
use crate::domain::moment;
use crate::domain::name::name;
use crate::domain::timestamp::Timestamp;

/// Default start of the period.
const DEFAULT_SINCE: &str = "30d";

/// The options of `report`, as far as they were given. Blanks around them do not count; a blank one was not given.
#[derive(Debug, Clone, Copy, Default)]
pub struct Asked<'a> {
    /// Start of the period; if left out, thirty days ago.
    pub since: Option<&'a str>,
    /// End of the period; if left out, now.
    pub until: Option<&'a str>,
    /// Grouping of the rows; if left out, by service.
    pub by: Option<By>,
    /// An env's name or `all`; left out: `failure.default_env`.
    pub env: Option<&'a str>,
    /// Intervals that the period is divided into; if left out, none.
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
        // A variable of a script that is empty means that nothing was asked.
        let [since, until, env] = [self.since, self.until, self.env].map(|text| text.and_then(name));
        let since = moment("since", since.unwrap_or(DEFAULT_SINCE))?;
        let until = until.map_or(Ok(now), |text| moment("until", text))?;
        if since >= until {
            return Err(format!(
                "{prefix}since must be earlier than {prefix}until: {since} is not before {until}"
            ));
        }
        Ok(Question {
            since,
            until,
            by: self.by.unwrap_or(By::Service),
            env: Env::parse(env.unwrap_or(default_env)),
            interval: self.interval,
            timezone: timezone.clone(),
        })
    }
}
