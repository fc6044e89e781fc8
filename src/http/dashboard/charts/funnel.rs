//! A funnel plot: which services fail more or less often than chance explains.
//!
//! A league table by the fail rate has small services at both ends, by chance alone. Here the rate is drawn over the
//! number of deployments, with the limits within which a service with the overall rate stays in 95 % and 99.8 % of
//! cases (Spiegelhalter, Statistics in Medicine 24, 2005). The limits are exact binomial ones (`domain/statistics/binomial.rs`).

use maud::{Markup, html};

use super::axis::{Unit, columns, count_ticks, linear_ticks, range, rows};
use super::cells::groups;
use super::frame::{Chart, Head, Sign, area, empty, figure};
use super::funnel_labels::place_names;
use super::scale::{BOTTOM, LEFT, RIGHT, Scale, TOP, path, place, real};
use super::text::{count_of, cut};
use crate::domain::statistics::binomial::{TAIL_95, TAIL_998, at_least, at_most, lower_limit, upper_limit};
use crate::http::dashboard::parts::format::{count, percent};

/// Least number of services that a funnel is drawn for.
const LEAST_SERVICES: usize = 5;
/// Largest number of services with a name in the picture.
const MOST_NAMES: usize = 12;
/// Largest number of rows of the table.
const MOST_ROWS: usize = 100;
/// Longest name in the picture, in columns.
const LONGEST_NAME: usize = 22;
/// Longest name in a title and in the table, in columns.
const LONGEST_FULL_NAME: usize = 60;
/// Points of each limit.
const POINTS: u32 = 60;

/// Services and their deployments.
#[derive(Debug, Clone, Copy)]
pub(in crate::http::dashboard) struct Funnel<'a> {
    /// Name of the chart.
    pub(in crate::http::dashboard) head: Head<'a>,
    /// The services, in any order.
    pub(in crate::http::dashboard) services: &'a [FunnelService],
}

/// A service.
#[derive(Debug, Clone)]
pub(in crate::http::dashboard) struct FunnelService {
    /// Name of the service.
    pub(in crate::http::dashboard) name: String,
    /// Address of the service.
    pub(in crate::http::dashboard) href: String,
    /// Deployments that failed.
    pub(in crate::http::dashboard) failed: u64,
    /// All deployments.
    pub(in crate::http::dashboard) deployments: u64,
}

impl FunnelService {
    fn rate(&self) -> f64 {
        real(self.failed.min(self.deployments)) / real(self.deployments.max(1))
    }

    fn text(&self) -> String {
        let deployments = count(self.deployments, "deployment");
        format!("{}, {} of {deployments} failed", percent(self.rate()), self.failed)
    }
}

/// A service with its standing.
struct Standing<'a> {
    service: &'a FunnelService,
    /// Probability of this count, or of one farther off on the same side, at the overall rate.
    tail: f64,
    is_above: bool,
}

/// Side of the limits on which a service is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Side {
    Within,
    Below,
    Above,
}

impl Side {
    const fn class(self) -> &'static str {
        match self {
            Self::Within => "chart-dot",
            Self::Below => "chart-below",
            Self::Above => "chart-above",
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Within => "within the limits",
            Self::Below => "below the 95 % limit",
            Self::Above => "above the 95 % limit",
        }
    }
}

impl Standing<'_> {
    fn side(&self) -> Side {
        match (self.tail < TAIL_95, self.is_above) {
            (false, _) => Side::Within,
            (true, false) => Side::Below,
            (true, true) => Side::Above,
        }
    }

    fn words(&self) -> &'static str {
        match (self.side(), self.tail < TAIL_998) {
            (Side::Below, true) => "below the 99.8 % limit",
            (Side::Above, true) => "above the 99.8 % limit",
            (side, _) => side.words(),
        }
    }
}

/// The chart.
pub(in crate::http::dashboard) fn funnel(chart: &Funnel) -> Markup {
    let head = chart.head;
    let services: Vec<&FunnelService> =
        chart.services.iter().filter(|service| service.deployments > 0).collect();
    if services.len() < LEAST_SERVICES {
        return empty(head, "A comparison of services needs five services with deployments.");
    }
    let rate = overall(&services);
    let standings = standings(&services, rate);
    let deployments = || services.iter().map(|service| service.deployments);
    let (least, most) = (deployments().min().unwrap_or(1), deployments().max().unwrap_or(1));
    let bottom = count_ticks(least, most);
    let highest = services.iter().map(|service| service.rate()).fold(0.0, f64::max);
    let side = linear_ticks((highest * 1.1).max(rate * 2.5).min(1.0), Unit::Percent);
    let x = Scale::logarithmic(range(&bottom), (LEFT, RIGHT));
    let y = Scale::linear(range(&side), (BOTTOM, TOP));
    figure(&Chart {
        head,
        sentence: &sentence(&standings, rate),
        shapes: html! {
            (columns(&bottom, &x))
            (rows(&side, &y))
            g clip-path=(area(head.id)) { (limits(rate, range(&bottom), x, range(&side).1, y)) }
            line.chart-mean x1=(place(LEFT)) x2=(place(RIGHT)) y1=(place(y.at(rate))) y2=(place(y.at(rate))) {}
        },
        marks: marks(&standings, x, y),
        legend: &[
            (Sign::Above, "fails more often"),
            (Sign::Below, "less often"),
            (Sign::Dot, "within the limits"),
            (Sign::Limit, "95 % limit"),
            (Sign::FarLimit, "99.8 % limit"),
        ],
        note: "If all services had the same rate, at most one of twenty \
            would be outside of the 95 % limits, and one of five hundred outside of the 99.8 % limits (exact binomial).",
        table: table(&standings),
    })
}

/// The rate of all services together.
fn overall(services: &[&FunnelService]) -> f64 {
    let sum = |number: fn(&FunnelService) -> f64| services.iter().map(|service| number(service)).sum::<f64>();
    sum(|service| real(service.failed.min(service.deployments))) / sum(|service| real(service.deployments))
}

/// All services, the least likely ones first.
fn standings<'a>(services: &[&'a FunnelService], rate: f64) -> Vec<Standing<'a>> {
    let standing = |service: &&'a FunnelService| {
        let (failed, deployments) =
            (real(service.failed.min(service.deployments)), real(service.deployments));
        let (above, below) = (at_least(failed, deployments, rate), at_most(failed, deployments, rate));
        Standing { service, tail: above.min(below), is_above: above < below }
    };
    let mut standings: Vec<Standing> = services.iter().map(standing).collect();
    standings.sort_by(|one, other| {
        one.tail.total_cmp(&other.tail).then_with(|| one.service.name.cmp(&other.service.name))
    });
    standings
}

/// The four limits.
fn limits(rate: f64, (least, most): (f64, f64), x: Scale, highest: f64, y: Scale) -> Markup {
    let numbers = |n: u32| least * (most / least).powf(f64::from(n) / f64::from(POINTS));
    let curve = |limit: fn(f64, f64, f64) -> f64, tail: f64| {
        let points = (0..=POINTS).map(|n| {
            let deployments = numbers(n);
            (x.at(deployments), limit(deployments, rate, tail) / deployments)
        });
        // Limits that no rate can cross are not drawn. One point above the picture is kept, so that the curve leaves it.
        let points: Vec<_> = points.filter(|(_, share)| (0.0..=1.0).contains(share)).collect();
        let above = points.iter().rposition(|(_, share)| *share > highest).unwrap_or(0);
        path(points.into_iter().skip(above).map(|(x, share)| (x, over(share, highest, y))))
    };
    let curves = [
        ("chart-limit", curve(upper_limit, TAIL_95)),
        ("chart-limit", curve(lower_limit, TAIL_95)),
        ("chart-far-limit", curve(upper_limit, TAIL_998)),
        ("chart-far-limit", curve(lower_limit, TAIL_998)),
    ];
    html! {
        @for (class, d) in curves.iter().filter(|(_, d)| !d.is_empty()) { path class=(class) d=(d) {} }
    }
}

/// Place of a share that may be above the picture, where the curve is cut.
fn over(share: f64, highest: f64, y: Scale) -> f64 {
    let (bottom, top) = (y.at(0.0), y.at(highest));
    if share > highest { bottom + (top - bottom) * share / highest } else { y.at(share) }
}

/// Dots, then names of the services that are outside, where there is room.
fn marks(standings: &[Standing], x: Scale, y: Scale) -> Markup {
    let places: Vec<_> = standings
        .iter()
        .map(|standing| {
            let service = standing.service;
            (x.at(real(service.deployments)), y.at(service.rate()), standing.side())
        })
        .collect();
    let mut groups = groups(&places);
    // Those that chance explains least are drawn last, and so on top.
    groups.sort_by_key(|group| std::cmp::Reverse(group.members[0]));
    let outside = standings.iter().take(MOST_NAMES).take_while(|standing| standing.side() != Side::Within);
    let names: Vec<_> = outside.map(|standing| cut(&standing.service.name, LONGEST_NAME)).collect();
    let spots: Vec<_> = places.iter().map(|(x, y, _)| (*x, *y)).collect();
    let name_places = place_names(&names, &spots);
    html! {
        @for group in &groups {
            @let class = standings[group.members[0]].side().class();
            @let dot = html! { circle class=(class) cx=(place(group.x)) cy=(place(group.y)) r=(place(group.radius())) {} };
            @match group.members.as_slice() {
                [only] => (link(&standings[*only], &dot)),
                members => { g { title { (count_of(members.len(), "service")) ", " (standings[group.members[0]].side().words()) } (dot) } },
            }
        }
        @for ((name, at), standing) in names.iter().zip(&name_places).zip(standings) {
            @if let Some(at) = at {
                (link(standing, &html! {
                    text.chart-name x=(place(at.x)) y=(place(at.y)) text-anchor=(at.anchor) { (name) }
                }))
            }
        }
    }
}

fn link(standing: &Standing, content: &Markup) -> Markup {
    let service = standing.service;
    html! {
        a href=(service.href) tabindex="-1" {
            title { (cut(&service.name, LONGEST_FULL_NAME)) ": " (service.text()) ", " (standing.words()) }
            (content)
        }
    }
}

fn sentence(standings: &[Standing], rate: f64) -> String {
    let number = |side: Side| standings.iter().filter(|standing| standing.side() == side).count();
    let (services, overall) = (count_of(standings.len(), "service"), percent(rate));
    let (above, below) = (number(Side::Above), number(Side::Below));
    format!(
        "Fail rate by number of deployments: {services}, overall {overall}; {above} above the 95 % limit, {below} below."
    )
}

fn table(standings: &[Standing]) -> Markup {
    html! {
        table {
            @if standings.len() > MOST_ROWS { caption { "The " (MOST_ROWS) " services that chance explains least" } }
            thead { tr {
                th scope="col" { "Service" }
                @for name in ["Fail rate", "Failed", "Deployments"] { th.number scope="col" { (name) } }
                th scope="col" { "Limits" }
            } }
            tbody { @for standing in standings.iter().take(MOST_ROWS) {
                @let service = standing.service;
                tr {
                    td.text { a href=(service.href) { (cut(&service.name, LONGEST_FULL_NAME)) } }
                    td.number { (percent(service.rate())) }
                    td.number { (service.failed) }
                    td.number { (service.deployments) }
                    td { (standing.words()) }
                }
            } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{head, holds, lines, services};
    use super::*;

    fn drawn(services: &[FunnelService]) -> Markup {
        funnel(&Funnel { head: head("services", "Services"), services })
    }

    fn service(name: &str, failed: u64, deployments: u64) -> FunnelService {
        FunnelService { name: name.to_owned(), href: format!("services/{name}"), failed, deployments }
    }

    #[test]
    fn a_funnel_names_only_the_services_outside() {
        let services = [
            service("checkout", 30, 60),
            service("search", 4, 40),
            service("mail", 1, 5),
            service("payments", 11, 100),
            service("identity", 2, 90),
        ];
        insta::assert_snapshot!(lines(&drawn(&services)));
    }

    #[test]
    fn fewer_than_five_services_are_not_compared() {
        let mut services: Vec<_> = ["a", "b", "c", "d"].map(|name| service(name, 1, 10)).into();
        services.push(service("never deployed", 0, 0));
        assert!(!drawn(&services).0.contains("<svg"));
        services.push(service("e", 1, 10));
        assert!(drawn(&services).0.contains("<svg"));
    }

    #[test]
    fn any_services_can_be_drawn() {
        for (failed, deployments) in [(0, 1), (1, 1), (0, 1_000_000), (7, 20), (9, 3), (u64::MAX, u64::MAX)] {
            holds(&drawn(&vec![service("same", failed, deployments); 5]));
        }
        for count in [5, 60, 601, 10_000] {
            holds(&drawn(&services(count)));
        }
    }

    #[test]
    fn a_service_with_few_deployments_is_not_outside_by_chance() {
        let mut services = vec![service("usual", 10, 100); 9];
        services.push(service("small", 2, 4));
        assert!(!drawn(&services).0.contains("<text class=\"chart-name\""));
        services.push(service("large", 200, 400));
        assert!(drawn(&services).0.contains(">large</text>"));
    }
}
