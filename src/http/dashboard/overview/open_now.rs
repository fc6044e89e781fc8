//! The open failures that matter most: the most severe and the longest.

use maud::{Markup, html};

use super::data::DashboardData;
use crate::domain::failure::Failure;
use crate::http::dashboard::parts::format::{ago, safe_text, text_or_dash, web_page};
use crate::http::dashboard::parts::links;

/// Largest number of failures in the section.
pub(super) const MOST_OPEN: usize = 5;
/// Fewest times to restore of a service that an age is compared with.
const FEWEST_TIMES: usize = 10;

/// The section "Open now".
pub(super) fn open_now(data: &DashboardData) -> Markup {
    let open = &data.open;
    let all = data.query.listing(&data.site, "failures", &[("state", Some("open"))]);
    html! {
        section aria-labelledby="open" {
            div.heading {
                h2 #open { "Open now" @if open.count > 0 { " " span.bad { (open.count) } } }
                @if open.count > open.failures.len() { p { a href=(all) { "All " (open.count) " →" } } }
            }
            @if open.failures.is_empty() {
                p.card.quiet { "No failure is open." }
            } @else {
                ul.open.card { @for failure in &open.failures { (item(data, failure)) } }
            }
        }
    }
}

fn item(data: &DashboardData, failure: &Failure) -> Markup {
    let page = web_page(failure.url.as_deref());
    html! {
        li {
            span.open-severity { (text_or_dash(failure.severity.as_ref())) }
            span.open-title { (links::failure(&data.site, failure)) }
            strong.open-age { (ago(data.now, failure.started_at)) }
            span.open-unusual.quiet {
                @if let Some(unusual) = unusual(data, failure) { (unusual) }
            }
            span.open-service { (links::services(&data.site, &failure.services)) }
            span.open-state {
                @match failure.acknowledged_at {
                    Some(at) => { span.quiet { "acknowledged after " (ago(at, failure.started_at)) } }
                    None => { span.bad { "not acknowledged" } }
                }
            }
            @if let Some(page) = page {
                a.open-source href=(page) rel="noreferrer" aria-label={ "PagerDuty: " (safe_text(failure.title.as_deref().unwrap_or(failure.id.as_str()))) } { "PagerDuty ↗" }
            }
        }
    }
}

/// Comparison of the age of a failure with the times to restore of its first service.
fn unusual(data: &DashboardData, failure: &Failure) -> Option<String> {
    let service = failure.services.first()?;
    let age = data.now.nanos_since(failure.started_at);
    let known = data.figures.answer.failures.failures.iter();
    let times = known.filter(|timed| timed.services.contains(service)).filter_map(|timed| timed.restored_ns);
    let (shorter, all) =
        times.fold((0, 0), |(shorter, all), time| (shorter + usize::from(time < age), all + 1));
    words(shorter, all)
}

/// The share of times that an age exceeds, in words. `None` if there are few times, or if the age is not long.
fn words(shorter: usize, all: usize) -> Option<String> {
    if all < FEWEST_TIMES || shorter * 2 < all {
        return None;
    }
    Some(match shorter {
        shorter if shorter == all => format!("longer than all {all} restored failures of this service"),
        shorter => format!("longer than {} % of this service’s {all} restored failures", shorter * 100 / all),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_compared_with_enough_times_only() {
        assert_eq!(words(9, 9), None);
        assert_eq!(words(4, 10), None);
        assert_eq!(words(9, 10).as_deref(), Some("longer than 90 % of this service’s 10 restored failures"));
        assert_eq!(words(31, 31).as_deref(), Some("longer than all 31 restored failures of this service"));
    }
}
