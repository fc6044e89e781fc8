//! Options of a report, as people give them.

use std::time::Duration;

use jiff::tz::TimeZone;

use super::{Env, Grouping, Interval, ReportQuery};
use crate::domain::name::name;
use crate::domain::timestamp::Timestamp;
use crate::domain::user_time;

/// Default start of the period.
const DEFAULT_SINCE: &str = "30d";

/// The options of `report` that were given. Blanks around them do not matter. A blank option counts as left out.
#[derive(Debug, Clone, Copy, Default)]
pub struct ReportOptions<'a> {
    /// Start of the period; if left out, thirty days ago.
    pub since: Option<&'a str>,
    /// End of the period; if left out, now.
    pub until: Option<&'a str>,
    /// Grouping of the rows; if left out, by service.
    pub by: Option<Grouping>,
    /// An env's name or `all`; if left out, `failure.default_env`.
    pub env: Option<&'a str>,
    /// The only service; if left out, all.
    pub service: Option<&'a str>,
    /// The only team; if left out, all.
    pub team: Option<&'a str>,
    /// Intervals that the period is divided into; if left out, none.
    pub interval: Option<Interval>,
    /// `true` if each row is compared with the period before.
    pub compare: bool,
}

/// Configuration that a report depends on.
#[derive(Debug, Clone, Copy)]
pub struct ReportDefaults<'a> {
    /// Time zone in which days begin (`dora.timezone`).
    pub timezone: &'a TimeZone,
    /// Env that is meant if none is given (`failure.default_env`).
    pub env: &'a str,
    /// Time after its end for which a deployment can be a cause (`dora.link_window`).
    pub link_window: Duration,
}

impl ReportOptions<'_> {
    /// Builds the parameters of the report. The error names the wrong option, with `prefix` before its name: `--` on a
    /// command line, nothing in a query.
    pub fn query(
        self,
        now: Timestamp,
        defaults: ReportDefaults<'_>,
        prefix: &str,
    ) -> Result<ReportQuery, String> {
        let ReportDefaults { timezone, env: default_env, link_window } = defaults;
        let user_time = |name: &str, text: &str| {
            user_time::parse(text, now, timezone).map_err(|error| format!("{prefix}{name}: {error}"))
        };
        // An empty variable in a script means that the option was left out.
        let [since, until, env, service, team] =
            [self.since, self.until, self.env, self.service, self.team].map(|text| text.and_then(name));
        let since = user_time("since", since.unwrap_or(DEFAULT_SINCE))?;
        let until = until.map_or(Ok(now), |text| user_time("until", text))?;
        if since >= until {
            return Err(format!(
                "{prefix}since must be earlier than {prefix}until: {since} is not before {until}"
            ));
        }
        Ok(ReportQuery {
            since,
            until,
            as_of: now,
            link_window,
            by: self.by.unwrap_or(Grouping::Service),
            env: Env::parse(env.unwrap_or(default_env)),
            service: service.map(str::to_owned),
            team: team.map(str::to_owned),
            interval: self.interval,
            compare: self.compare,
            timezone: timezone.clone(),
        })
    }
}
