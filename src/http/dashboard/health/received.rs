//! Health rows of the public listener: webhooks and the event API.

use std::time::Duration;

use super::data::HealthData;
use super::row::HealthRow;
use crate::domain::timestamp::Timestamp;
use crate::http::dashboard::parts::format::{ago, safe_text};
use crate::http::dashboard::parts::site::Zone;
use crate::http::source_requests::{LastRefusal, LastWebhooks, RefusedWebhook};
use crate::sources::RefusalText;

/// A row for each source, red if its last webhook was refused.
pub(super) fn webhooks(data: &HealthData) -> impl Iterator<Item = HealthRow> {
    let sources = &data.received.webhooks;
    sources.iter().map(|last| {
        let about =
            if sources.len() == 1 { "Webhooks".to_owned() } else { format!("Webhooks of {}", last.title) };
        webhooks_of(last, about, data.now, data.site.zone())
    })
}

fn webhooks_of(last: &LastWebhooks, about: String, now: Timestamp, zone: &Zone) -> HealthRow {
    let accepted = match last.accepted_at {
        Some(at) => {
            let test = last.accepted_test.as_ref();
            let test = test.map(|event_type| format!(", a test event, {event_type}")).unwrap_or_default();
            format!("The last one was accepted {} ago ({}{test}).", ago(now, at), zone.minute_text(at))
        }
        None => "No webhook was accepted yet.".to_owned(),
    };
    let must_act = last.last_was_refused;
    let says = match &last.refused {
        Some(RefusedWebhook { refusal_text: RefusalText { cause, remedy, .. }, refusal }) if must_act => {
            format!("The last one was refused {}: {cause}. {remedy}. {accepted}", when_and_who(now, refusal))
        }
        Some(RefusedWebhook { refusal_text, refusal }) => {
            format!(
                "{accepted} A webhook was refused {}: {}.",
                when_and_who(now, refusal),
                refusal_text.cause
            )
        }
        None => accepted,
    };
    HealthRow { about, says, must_act, page: None }
}

/// Time for which a refused request to the event API is an alarm. An accepted request ends the alarm earlier. After a
/// request from a scanner, perhaps no accepted request ever comes.
const ALARM_PERIOD: Duration = Duration::from_hours(24);

/// Row of the event API. It is red for a day after a refused request, unless a later request was accepted.
pub(super) fn events_api(data: &HealthData) -> HealthRow {
    let (received, zone) = (&data.received, data.site.zone());
    let last = match received.events_api_accepted_at {
        Some(at) => {
            format!("The last request was accepted {} ago ({}).", ago(data.now, at), zone.minute_text(at))
        }
        None => "No request was accepted since the start.".to_owned(),
    };
    let is_unresolved =
        |refusal: &&LastRefusal| received.events_api_accepted_at.is_none_or(|at| at < refusal.at);
    let must_act = |refusal: &LastRefusal| data.now.duration_since(refusal.at) < ALARM_PERIOD;
    let (says, must_act) = if let Some(refusal) = &received.events_api_off {
        let says = format!(
            "Off, but a request came {}: set [events_api] keys. {last}",
            when_and_who(data.now, refusal)
        );
        (says, must_act(refusal))
    } else if let Some(refusal) = received.events_api_forbidden.as_ref().filter(is_unresolved) {
        let says = format!(
            "A request was refused {}: it had none of the keys in [events_api] keys. Give the sender one of them. {last}",
            when_and_who(data.now, refusal)
        );
        (says, must_act(refusal))
    } else if let Some((refusal, mistake)) =
        received.events_api_invalid.as_ref().filter(|(refusal, _)| is_unresolved(&refusal))
    {
        let says = format!(
            "A request was refused {}, and is in no figure: {}. Correct the sender. {last}",
            when_and_who(data.now, refusal),
            safe_text(mistake)
        );
        (says, must_act(refusal))
    } else {
        (last, false)
    };
    HealthRow { about: "Event API".to_owned(), says, must_act, page: None }
}

fn when_and_who(now: Timestamp, refusal: &LastRefusal) -> String {
    format!("{} ago, from {}", ago(now, refusal.at), refusal.peer)
}
