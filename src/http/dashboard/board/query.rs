//! Query of a page with figures: period, filters, and the lists that are shown whole.

use crate::domain::name::named;
use crate::http::boards::{BoardQuery, Period};
use crate::http::dashboard::parts::site::{Site, query};
use crate::http::query::{FromQuery, Parameters, QueryError};

/// Number of seconds after which a page is loaded again, if the link on the page is used.
pub(in crate::http::dashboard) const REFRESH_SECONDS: u64 = 60;
/// Allowed numbers of seconds. More often, a page would hardly be loaded before it is loaded again.
const ALLOWED_SECONDS: std::ops::RangeInclusive<u64> = 10..=3_600;

/// A list of the page that is shown whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http::dashboard) enum WholeList {
    /// The table of services.
    Services,
    /// The table of teams.
    Teams,
}

impl WholeList {
    const ALL: &'static [Self] = &[Self::Services, Self::Teams];

    /// Its word in the query, and the id of its section.
    pub(in crate::http::dashboard) const fn as_str(self) -> &'static str {
        match self {
            Self::Services => "services",
            Self::Teams => "teams",
        }
    }
}

/// Page with figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http::dashboard) enum BoardPage {
    /// The first page.
    Overview,
    /// The page of a service.
    Service,
    /// The page of a team.
    Team,
}

/// Query of a page with figures.
#[derive(Debug, Clone)]
pub(in crate::http) struct OverviewQuery {
    /// The page, to which the links for other periods lead.
    pub(in crate::http::dashboard) page: BoardPage,
    /// Period and filters.
    pub(in crate::http::dashboard) board: BoardQuery,
    /// Number of seconds after which the page is loaded again.
    pub(in crate::http::dashboard) refresh: Option<u64>,
    /// The list that is shown whole.
    pub(in crate::http::dashboard) all: Option<WholeList>,
}

impl FromQuery for OverviewQuery {
    const NAMES: &'static [&'static str] =
        &["days", "since", "until", "env", "service", "team", "severity", "refresh", "all"];

    fn from_query(parameters: &Parameters) -> Result<Self, QueryError> {
        let text = |name| named(parameters.text(name));
        let PeriodQuery { period, since, until } = PeriodQuery::of(parameters)?;
        Ok(Self {
            page: BoardPage::Overview,
            board: BoardQuery {
                period,
                since,
                until,
                env: text("env"),
                service: text("service"),
                team: text("team"),
                severity: text("severity"),
            },
            refresh: refresh(parameters)?,
            all: parameters.chosen("all", WholeList::ALL, WholeList::as_str)?,
        })
    }
}

/// Query of the page of a service or a team: the period alone. Other filters are for the first page.
pub(in crate::http) struct PeriodQuery {
    /// Period up to now.
    pub(in crate::http::dashboard) period: Period,
    /// Start of the period.
    pub(in crate::http::dashboard) since: Option<String>,
    /// End of the period.
    pub(in crate::http::dashboard) until: Option<String>,
}

impl FromQuery for PeriodQuery {
    const NAMES: &'static [&'static str] = &["days", "since", "until"];

    fn from_query(parameters: &Parameters) -> Result<Self, QueryError> {
        Self::of(parameters)
    }
}

impl PeriodQuery {
    fn of(parameters: &Parameters) -> Result<Self, QueryError> {
        let text = |name| named(parameters.text(name));
        Ok(Self { period: period(parameters)?, since: text("since"), until: text("until") })
    }
}

fn period(parameters: &Parameters) -> Result<Period, QueryError> {
    let Some(days) = parameters.number("days")? else { return Ok(BoardQuery::DEFAULT.period) };
    Period::of_days(days).ok_or_else(|| {
        QueryError::invalid(
            "days",
            format_args!("{days} is not 7, 30 or 90. For other periods use since={days}d"),
        )
    })
}

fn refresh(parameters: &Parameters) -> Result<Option<u64>, QueryError> {
    match parameters.number("refresh")? {
        Some(seconds) if !ALLOWED_SECONDS.contains(&seconds) => {
            let (least, most) = (ALLOWED_SECONDS.start(), ALLOWED_SECONDS.end());
            let problem = format_args!("{seconds} is not a number of seconds from {least} to {most}");
            Err(QueryError::invalid("refresh", problem))
        }
        refresh => Ok(refresh),
    }
}

impl OverviewQuery {
    /// `true` if the period is given by dates or ages.
    pub(in crate::http::dashboard) const fn has_own_period(&self) -> bool {
        self.board.since.is_some() || self.board.until.is_some()
    }

    /// The filters that a person can choose on the page: parameter, label, value.
    pub(in crate::http::dashboard) fn choices(
        &self,
    ) -> impl Iterator<Item = (&'static str, &'static str, Option<&str>)> {
        let is_overview = self.page == BoardPage::Overview;
        self.filters().into_iter().filter(move |_| is_overview)
    }

    /// All filters: parameter, label, value.
    pub(in crate::http::dashboard) fn filters(&self) -> [(&'static str, &'static str, Option<&str>); 4] {
        let BoardQuery { env, service, team, severity, .. } = &self.board;
        [
            ("env", "Env", env.as_deref()),
            ("service", "Service", service.as_deref()),
            ("team", "Team", team.as_deref()),
            ("severity", "Severity", severity.as_deref()),
        ]
    }

    /// Address of the page without a query.
    pub(in crate::http::dashboard) fn address(&self, site: &Site) -> String {
        let BoardQuery { service, team, .. } = &self.board;
        let (list, name) = match self.page {
            BoardPage::Overview => return site.link(""),
            BoardPage::Service => (WholeList::Services, service),
            BoardPage::Team => (WholeList::Teams, team),
        };
        // A name without a page of its own has its figures on the first page.
        name.as_deref().and_then(|name| site.named(list.as_str(), name)).unwrap_or_else(|| site.link(""))
    }

    /// Address of the page with this query.
    pub(in crate::http::dashboard) fn link(&self, site: &Site) -> String {
        let refresh = self.refresh.map(|seconds| seconds.to_string());
        let filters: Vec<(&str, Option<&str>)> =
            self.choices().map(|(name, _, value)| (name, value)).collect();
        let rest = [("refresh", refresh.as_deref()), ("all", self.all.map(WholeList::as_str))];
        self.address(site) + &self.query_with(&[&filters[..], &rest[..]].concat())
    }

    /// Query with the period and these parameters.
    fn query_with(&self, more: &[(&str, Option<&str>)]) -> String {
        let days = self.board.period.days().to_string();
        let is_default = self.board.period == BoardQuery::DEFAULT.period;
        let period = [
            ("days", (!is_default && !self.has_own_period()).then_some(&*days)),
            ("since", self.board.since.as_deref()),
            ("until", self.board.until.as_deref()),
        ];
        query(&[&period[..], more].concat())
    }

    /// Address of the page of a service or a team, with the same period. `None` for a name that has no page.
    pub(in crate::http::dashboard) fn named(
        &self,
        site: &Site,
        list: WholeList,
        name: &str,
    ) -> Option<String> {
        site.named(list.as_str(), name).map(|address| address + &self.query_with(&[]))
    }

    /// Address of the first page with the same period and filters.
    pub(in crate::http::dashboard) fn overview(&self, site: &Site) -> String {
        Self { page: BoardPage::Overview, ..self.clone() }.link(site)
    }

    /// Address of the page with this period and the same filters.
    pub(in crate::http::dashboard) fn with_period(&self, site: &Site, period: Period) -> String {
        let board = BoardQuery { period, since: None, until: None, ..self.board.clone() };
        Self { board, ..self.clone() }.link(site)
    }

    /// Address of the page that is loaded again and again, or not.
    pub(in crate::http::dashboard) fn with_refresh(&self, site: &Site, refresh: Option<u64>) -> String {
        Self { refresh, ..self.clone() }.link(site)
    }

    /// Address of a list that is shown whole, or not.
    pub(in crate::http::dashboard) fn with_all(
        &self,
        site: &Site,
        list: WholeList,
        is_whole: bool,
    ) -> String {
        let all = is_whole.then_some(list);
        format!("{}#{}", Self { all, ..self.clone() }.link(site), list.as_str())
    }

    /// Address of a listing with the same filters. The listing of deployments knows no severity.
    pub(in crate::http::dashboard) fn listing(
        &self,
        site: &Site,
        path: &str,
        more: &[(&str, Option<&str>)],
    ) -> String {
        let knows = |name: &str| name != "severity" || path == "failures";
        let filters = self.filters().into_iter().filter(|(name, ..)| knows(name));
        let filters: Vec<(&str, Option<&str>)> = filters.map(|(name, _, value)| (name, value)).collect();
        site.link(&format!("{path}{}", query(&[&filters[..], more].concat())))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jiff::tz::TimeZone;

    use super::*;
    use crate::http::dashboard::parts::site::Zone;

    fn site() -> Site {
        Site::of("/", Arc::new(Zone::new(TimeZone::UTC)))
    }

    fn chosen() -> OverviewQuery {
        let board = BoardQuery {
            service: Some("a&b".to_owned()),
            env: Some("all".to_owned()),
            severity: Some("SEV-1".to_owned()),
            ..BoardQuery::DEFAULT
        };
        OverviewQuery { page: BoardPage::Overview, board, refresh: None, all: None }
    }

    #[test]
    fn links_keep_the_filters() {
        let rest = "env=all&service=a%26b&severity=SEV-1";
        assert_eq!(chosen().link(&site()), format!("./?{rest}"));
        assert_eq!(chosen().with_period(&site(), Period::Week), format!("./?days=7&{rest}"));
        assert_eq!(chosen().with_refresh(&site(), Some(60)), format!("./?{rest}&refresh=60"));
        let all = chosen().with_all(&site(), WholeList::Teams, true);
        assert_eq!(all, format!("./?{rest}&all=teams#teams"));
    }

    #[test]
    fn the_page_of_a_service_keeps_its_place_and_the_period() {
        let mut query = chosen();
        query.board.env = None;
        query.board.period = Period::Week;
        let from_overview = query.named(&site(), WholeList::Services, "a&b").unwrap();
        query.page = BoardPage::Service;
        query.board.severity = None;
        assert_eq!(from_overview, "./services/a%26b?days=7");
        assert_eq!(query.link(&site()), from_overview);
        assert_eq!(query.with_period(&site(), Period::Quarter), "./services/a%26b?days=90");
        assert_eq!(query.overview(&site()), "./?days=7&service=a%26b");
        query.board.until = Some("2026-11-02".to_owned());
        assert_eq!(query.link(&site()), "./services/a%26b?until=2026-11-02");
        assert_eq!(query.named(&site(), WholeList::Teams, ".."), None);
    }

    #[test]
    fn dates_go_before_the_days() {
        let mut query = chosen();
        query.board.since = Some("2026-11-01".to_owned());
        query.board.period = Period::Week;
        assert!(query.link(&site()).starts_with("./?since=2026-11-01&env"));
        assert!(query.with_period(&site(), Period::Week).starts_with("./?days=7&env"));
    }

    #[test]
    fn listings_have_the_filters_that_they_know() {
        let more = [("state", Some("open"))];
        assert_eq!(
            chosen().listing(&site(), "failures", &more),
            "./failures?env=all&service=a%26b&severity=SEV-1&state=open"
        );
        assert_eq!(chosen().listing(&site(), "deployments", &[]), "./deployments?env=all&service=a%26b");
    }
}
