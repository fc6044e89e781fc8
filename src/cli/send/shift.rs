//! Moves the times of recorded payloads to the present.

use anyhow::{Context, anyhow};
use serde_json::Value;

use crate::domain::timestamp::Timestamp;

const NANOS_PER_SECOND: i64 = 1_000_000_000;
/// Length of PagerDuty's event ids.
const EVENT_ID_LENGTH: usize = 26;

/// Moves all times of all payloads by the same number of whole seconds, so that the last event happened at `now`. Each
/// event gets a new id, because PagerDuty never uses an id again for other facts.
///
/// # Errors
/// A payload is not JSON, or has no `event.occurred_at`.
pub(super) fn to_now(bodies: &[Vec<u8>], now: Timestamp) -> anyhow::Result<Vec<Vec<u8>>> {
    let payloads: Result<Vec<Value>, _> = bodies.iter().map(|body| serde_json::from_slice(body)).collect();
    let mut payloads = payloads.context("--now: a payload is not JSON")?;
    let times: Option<Vec<Timestamp>> = payloads.iter().map(occurred_at).collect();
    let last = times.and_then(|times| times.into_iter().max());
    let last = last.ok_or_else(|| anyhow!("--now: a payload has no event.occurred_at"))?;
    let offset_ns = now.nanos_since(last) / NANOS_PER_SECOND * NANOS_PER_SECOND;
    for payload in &mut payloads {
        shift(payload, offset_ns);
        payload["event"]["id"] = event_id().into();
    }
    Ok(payloads.into_iter().map(|payload| payload.to_string().into_bytes()).collect())
}

fn occurred_at(payload: &Value) -> Option<Timestamp> {
    Timestamp::parse(payload["event"]["occurred_at"].as_str()?).ok()
}

/// Moves every time in a JSON value.
fn shift(value: &mut Value, offset_ns: i64) {
    match value {
        Value::String(text) => {
            if let Ok(time) = Timestamp::parse(text) {
                *text = Timestamp::from_nanos(time.as_nanos().saturating_add(offset_ns)).to_string();
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| shift(value, offset_ns)),
        Value::Object(fields) => fields.values_mut().for_each(|value| shift(value, offset_ns)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn event_id() -> String {
    std::iter::repeat_with(fastrand::alphanumeric).take(EVENT_ID_LENGTH).collect::<String>().to_uppercase()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn times_move_together_and_ids_are_new() {
        let payload = |id: &str, at: &str| {
            let data =
                json!({"id": "Q1", "created_at": "2026-11-01T10:00:00Z", "title": "2 times", "number": 7});
            json!({"event": {"id": id, "occurred_at": at, "data": data}})
        };
        let bodies = [payload("1", "2026-11-01T10:42:10.500Z"), payload("2", "2026-11-01T10:00:00.412Z")];
        let now = Timestamp::parse("2027-03-01T00:00:00.750Z").unwrap();
        let moved = to_now(&bodies.map(|body| body.to_string().into_bytes()), now).unwrap();
        let moved: Vec<Value> = moved.iter().map(|body| serde_json::from_slice(body).unwrap()).collect();
        assert_eq!(moved[0]["event"]["occurred_at"], "2027-03-01T00:00:00.500Z");
        assert_eq!(moved[1]["event"]["occurred_at"], "2027-02-28T23:17:50.412Z");
        for payload in &moved {
            let data =
                json!({"id": "Q1", "created_at": "2027-02-28T23:17:50Z", "title": "2 times", "number": 7});
            assert_eq!(payload["event"]["data"], data);
            assert_eq!(payload["event"]["id"].as_str().map(str::len), Some(EVENT_ID_LENGTH));
        }
        assert_ne!(moved[0]["event"]["id"], moved[1]["event"]["id"]);
    }

    #[test]
    fn a_payload_without_a_time_is_refused() {
        let now = Timestamp::from_nanos(0);
        let error = |body: &str| to_now(&[body.as_bytes().to_vec()], now).unwrap_err().to_string();
        assert_eq!(error("{}"), "--now: a payload has no event.occurred_at");
        assert_eq!(error("nonsense"), "--now: a payload is not JSON");
    }
}
