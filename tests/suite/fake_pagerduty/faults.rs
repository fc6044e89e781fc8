//! Faults of the server on demand, its limit of requests, and its record of requests.

use std::collections::BTreeMap;

/// Something that goes wrong with one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The answer has this status, and nothing is done.
    Fails(u16),
    /// The answer is 429, and nothing is done. `reset_seconds` is the header `ratelimit-reset`. Without it the answer
    /// has no such headers.
    TooManyRequests { reset_seconds: Option<u32> },
    /// There is no answer until `FakePagerDuty::release` is called.
    Hangs,
    /// The connection is reset before the answer, and nothing is done.
    Resets,
    /// The answer ends after the first half of its body.
    HalfBody,
}

/// Limit of requests in a minute. The test says when a minute begins.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RateLimit {
    pub(crate) per_minute: u32,
    /// The header `ratelimit-reset` of every answer. Without it answers have no such headers.
    pub(crate) reset_seconds: Option<u32>,
}

/// Everything that is decided about a request before it is read.
#[derive(Debug, Default)]
pub(super) struct Gate {
    /// Method and address of every request.
    pub(super) requests: Vec<String>,
    /// Requests that no correct client sends, each with the reason.
    pub(super) refusals: Vec<String>,
    /// Faults by the number of the request, from 1.
    pub(super) faults: BTreeMap<usize, Fault>,
    /// Fault of each request whose address contains this text.
    pub(super) fault_of_address: Option<(String, Fault)>,
    pub(super) limit: Option<RateLimit>,
    /// Requests in this minute.
    pub(super) used: u32,
}

/// The decision about a request.
pub(super) struct Decision {
    pub(super) fault: Option<Fault>,
    /// Headers of the answer.
    pub(super) headers: Vec<(&'static str, String)>,
}

impl Gate {
    /// Counts a request.
    pub(super) fn enter(&mut self, line: &str) -> Decision {
        self.requests.push(line.to_owned());
        let of_number = self.faults.remove(&self.requests.len());
        let of_address = self.fault_of_address.as_ref().filter(|(part, _)| line.contains(part));
        let fault = of_number.or(of_address.map(|(_, fault)| *fault));
        let Some(limit) = self.limit else { return Decision { fault, headers: Vec::new() } };
        if self.used >= limit.per_minute {
            let fault = Fault::TooManyRequests { reset_seconds: limit.reset_seconds };
            return Decision {
                fault: Some(fault),
                headers: limit_headers(limit.per_minute, 0, limit.reset_seconds),
            };
        }
        self.used += 1;
        let headers = limit_headers(limit.per_minute, limit.per_minute - self.used, limit.reset_seconds);
        Decision { fault, headers }
    }
}

/// The headers that tell the limit (PagerDuty: REST API Rate Limits).
pub(super) fn limit_headers(
    per_minute: u32,
    remaining: u32,
    reset_seconds: Option<u32>,
) -> Vec<(&'static str, String)> {
    let Some(seconds) = reset_seconds else { return Vec::new() };
    vec![
        ("ratelimit-limit", per_minute.to_string()),
        ("ratelimit-remaining", remaining.to_string()),
        ("ratelimit-reset", seconds.to_string()),
    ]
}
