//! A request to REST: its headers, query and body, and the refusal of what PagerDuty's API does not allow.

use std::ops::RangeInclusive;

use axum::http::{HeaderMap, Method};
use bytes::Bytes;
use pagerduty_dora::domain::timestamp::Timestamp;
use serde_json::{Value, json};

use crate::fake_pagerduty::times::Zone;

/// Secret of the API. Both schemes take it.
pub(crate) const TOKEN: &str = "canary-token-of-the-test-suite";

const ACCEPT: &str = "application/vnd.pagerduty+json;version=2";

/// Codes of errors (PagerDuty: REST API, Errors).
pub(super) mod code {
    pub(in super::super) const INVALID: u32 = 2001;
    pub(in super::super) const PAGE: u32 = 2002;
    pub(in super::super) const DATE: u32 = 2004;
    pub(in super::super) const DATE_RANGE: u32 = 2005;
    pub(in super::super) const UNAUTHORIZED: u32 = 2006;
    pub(in super::super) const FORBIDDEN: u32 = 2010;
    pub(in super::super) const LIMIT: u32 = 2019;
    pub(in super::super) const NOT_FOUND: u32 = 2100;
}

/// A request, as it arrived.
pub(in crate::fake_pagerduty) struct Request {
    pub(in crate::fake_pagerduty) method: Method,
    pub(in crate::fake_pagerduty) path: String,
    /// Names and values, decoded.
    pub(in crate::fake_pagerduty) query: Vec<(String, String)>,
    pub(in crate::fake_pagerduty) headers: HeaderMap,
    pub(in crate::fake_pagerduty) body: Bytes,
}

/// An answer other than 2xx.
#[derive(Debug)]
pub(in crate::fake_pagerduty) struct Refusal {
    pub(in crate::fake_pagerduty) status: u16,
    code: u32,
    message: &'static str,
    pub(in crate::fake_pagerduty) errors: Vec<String>,
    /// `true` if no correct client sends such a request. A request for a deleted incident, for example, is correct.
    pub(in crate::fake_pagerduty) is_mistake: bool,
}

impl Refusal {
    /// Refusal of a request that the API does not allow.
    pub(super) fn mistake(code: u32, error: impl Into<String>) -> Self {
        let (status, message) = match code {
            code::UNAUTHORIZED => (401, "Unauthorized"),
            _ => (400, "Invalid Input Provided"),
        };
        Self { status, code, message, errors: vec![error.into()], is_mistake: true }
    }

    /// Refusal of a correct request.
    pub(super) fn correct(status: u16, code: u32, message: &'static str) -> Self {
        Self { status, code, message, errors: Vec::new(), is_mistake: false }
    }

    pub(super) fn not_found() -> Self {
        Self::correct(404, code::NOT_FOUND, "Not Found")
    }

    /// Refusal of a path that the API does not have.
    pub(super) fn no_such_path(request: &Request) -> Self {
        let errors = vec![format!("there is no {} {}", request.method, request.path)];
        Self { errors, is_mistake: true, ..Self::not_found() }
    }

    /// Refusal of a parameter.
    fn parameter(name: &str, wanted: &str) -> Self {
        Self::mistake(code::INVALID, format!("{name} {wanted}"))
    }

    pub(in crate::fake_pagerduty) fn json(&self) -> Value {
        json!({ "error": { "code": self.code, "message": self.message, "errors": self.errors } })
    }
}

impl Request {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Checks the headers that every request needs.
    pub(super) fn check_headers(&self) -> Result<(), Refusal> {
        let accepted = self.header("accept").unwrap_or_default().replace(' ', "");
        if accepted != ACCEPT {
            return Err(Refusal::parameter("the header Accept", &format!("has to be {ACCEPT}")));
        }
        let sent = self.header("authorization").unwrap_or_default();
        let token = sent.strip_prefix("Token token=").or_else(|| sent.strip_prefix("Bearer "));
        if token != Some(TOKEN) {
            return Err(Refusal::mistake(code::UNAUTHORIZED, "the header Authorization has no known token"));
        }
        Ok(())
    }

    /// The body as JSON.
    pub(super) fn json(&self) -> Result<Value, Refusal> {
        let content_type = self.header("content-type").unwrap_or_default();
        if content_type.split(';').next() != Some("application/json") {
            return Err(Refusal::parameter("the header Content-Type", "has to be application/json"));
        }
        serde_json::from_slice(&self.body).map_err(|error| Refusal::mistake(code::INVALID, error.to_string()))
    }

    /// The query, which may have only these parameters. Those that end in `[]` may be repeated.
    pub(super) fn query(&self, allowed: &[&str]) -> Result<Query<'_>, Refusal> {
        for (at, (name, _)) in self.query.iter().enumerate() {
            if !allowed.contains(&name.as_str()) {
                return Err(Refusal::parameter(name, "is not a parameter of this request"));
            }
            if !name.ends_with("[]") && self.query[..at].iter().any(|(earlier, _)| earlier == name) {
                return Err(Refusal::parameter(name, "is there twice"));
            }
        }
        Ok(Query(&self.query))
    }
}

/// A query whose names are known.
#[derive(Clone, Copy)]
pub(super) struct Query<'a>(&'a [(String, String)]);

impl<'a> Query<'a> {
    pub(super) fn one(self, name: &str) -> Option<&'a str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// A value out of these.
    pub(super) fn choice(self, name: &str, allowed: &[&str]) -> Result<Option<&'a str>, Refusal> {
        let value = self.one(name);
        match value {
            Some(value) if !allowed.contains(&value) => {
                Err(Refusal::parameter(name, &format!("has to be one of {allowed:?}")))
            }
            _ => Ok(value),
        }
    }

    /// Values of a list, each out of these.
    pub(super) fn choices(self, name: &str, allowed: &[&str]) -> Result<Vec<&'a str>, Refusal> {
        let values = self.all(name);
        match values.iter().find(|value| !allowed.contains(value)) {
            Some(value) => {
                Err(Refusal::parameter(name, &format!("has {value:?}, which is none of {allowed:?}")))
            }
            None => Ok(values),
        }
    }

    /// Values of a list.
    pub(super) fn all(self, name: &str) -> Vec<&'a str> {
        self.0.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str()).collect()
    }

    pub(super) fn flag(self, name: &str) -> Result<bool, Refusal> {
        Ok(self.choice(name, &["true", "false"])? == Some("true"))
    }

    pub(super) fn number(
        self,
        name: &str,
        default: usize,
        range: RangeInclusive<usize>,
    ) -> Result<usize, Refusal> {
        let Some(value) = self.one(name) else { return Ok(default) };
        let number = value.parse().ok().filter(|number| range.contains(number));
        number.ok_or_else(|| Refusal::parameter(name, &format!("has to be a number in {range:?}")))
    }

    /// A time. Without an offset it is a time of the account's zone, whatever `time_zone` says.
    pub(super) fn time(self, name: &str) -> Result<Option<Timestamp>, Refusal> {
        let Some(value) = self.one(name) else { return Ok(None) };
        let wrong = || Refusal::mistake(code::DATE, format!("{name} is not a time: {value:?}"));
        Zone::account().read(value).map(Some).ok_or_else(wrong)
    }

    /// The zone in which times are answered.
    pub(super) fn zone(self) -> Result<Zone, Refusal> {
        let Some(name) = self.one("time_zone") else { return Ok(Zone::account()) };
        Zone::named(name).ok_or_else(|| Refusal::parameter("time_zone", "is not the name of a zone"))
    }
}
