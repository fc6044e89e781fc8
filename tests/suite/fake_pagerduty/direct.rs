//! Answers of REST without a connection, for tests of many random histories.

use axum::http::{HeaderMap, HeaderValue, Method};
use bytes::Bytes;
use pagerduty_dora::domain::id::IncidentId;
use pagerduty_dora::sources::pagerduty;
use pagerduty_dora::sources::pagerduty::reading::{FoundIncident, Reading};
use serde_json::Value;

use super::rest::{self, Request, TOKEN};
use super::world::World;

impl World {
    /// What REST tells of an incident at present, as the daemon reads it.
    pub(crate) fn reading(&self, id: &str) -> Reading {
        let incident = IncidentId::parse(&pagerduty::SOURCE.name, id).unwrap();
        let path = format!("/incidents/{id}");
        let found = self.get(&path, &[("include[]", "custom_fields")]).map(|mut answer| {
            let log = self.get(&format!("{path}/log_entries"), &[("limit", "100")]).unwrap();
            let notes = self.get(&format!("{path}/notes"), &[]).unwrap();
            FoundIncident {
                incident: answer["incident"].take(),
                log: serde_json::from_value(log["log_entries"].clone()).unwrap(),
                notes: serde_json::from_value(notes["notes"].clone()).unwrap(),
            }
        });
        Reading { incident, at: self.now(), found }
    }

    fn get(&self, path: &str, query: &[(&str, &str)]) -> Option<Value> {
        let mut headers = HeaderMap::new();
        headers.insert("accept", HeaderValue::from_static("application/vnd.pagerduty+json;version=2"));
        headers.insert("authorization", format!("Token token={TOKEN}").parse().unwrap());
        let query = query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let request =
            Request { method: Method::GET, path: path.to_owned(), query, headers, body: Bytes::new() };
        match rest::answer(&mut self.lock(), &request) {
            Ok(reply) => reply.body,
            Err(refusal) => {
                assert_eq!((refusal.status, refusal.is_mistake), (404, false), "{path}: {refusal:?}");
                None
            }
        }
    }
}
