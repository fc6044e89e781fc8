//! The rows of what comes to the public listener: webhooks, and the event API.

use std::time::Duration;

use super::health_row::HealthRow;
use super::shown::Shown;
use super::words::{ago, minute};
use crate::domain::timestamp::Timestamp;
use crate::http::requests::Refusal;

/// Red while the last webhook was refused.
pub(super) fn webhooks(shown: &Shown) -> HealthRow {
    let received = &shown.received;
    let accepted = match received.accepted_at {
        Some(at) => {
            let test = if received.accepted_a_test { ", a test event, pagey.ping" } else { "" };
            format!("The last one was accepted {} ago ({}{test}).", ago(shown.now, at), minute(at))
        }
        None => "None was accepted yet.".to_owned(),
    };
    let must_act = received.last_was_refused;
    let says = match &received.refused {
        Some(last) if must_act => format!(
            "The last one was refused {}: {}. {}. {accepted}",
            of(shown.now, &last.refusal),
            last.reason.why(),
            last.reason.todo()
        ),
        Some(last) => {
            format!("{accepted} One was refused {}: {}.", of(shown.now, &last.refusal), last.reason.why())
        }
        None => accepted,
    };
    HealthRow { about: "Webhooks".to_owned(), says, must_act }
}

/// Time for which a refused request to the event API is an alarm. There may never be another one: a scanner may have sent
/// it.
const NEWS: Duration = Duration::from_hours(24);

/// Red for a day after a request that was refused, unless one was accepted later.
pub(super) fn events_api(shown: &Shown) -> HealthRow {
    let received = &shown.received;
    let last = match shown.last_deployment_at {
        Some(at) if at > shown.now => {
            format!("The last deployment finishes in the future, at {}.", minute(at))
        }
        Some(at) => format!("The last deployment finished {} ago ({}).", ago(shown.now, at), minute(at)),
        None => "There is no deployment yet.".to_owned(),
    };
    let is_news = |refusal: &&Refusal| received.event_accepted_at.is_none_or(|at| at < refusal.at);
    let must_act = |refusal: &Refusal| shown.now.duration_since(refusal.at) < NEWS;
    let (says, must_act) = if let Some(refusal) = &received.event_off {
        let says =
            format!("Off, but a request came {}: set [events_api] keys. {last}", of(shown.now, refusal));
        (says, must_act(refusal))
    } else if let Some(refusal) = received.event_forbidden.as_ref().filter(is_news) {
        let says = format!(
            "A request was refused {}: it sent none of the keys in [events_api] keys. Give its sender one of those. {last}",
            of(shown.now, refusal)
        );
        (says, must_act(refusal))
    } else {
        (last, false)
    };
    HealthRow { about: "Event API".to_owned(), says, must_act }
}

fn of(now: Timestamp, refusal: &Refusal) -> String {
    format!("{} ago, from {}", ago(now, refusal.at), refusal.peer)
}
