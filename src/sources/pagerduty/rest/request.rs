//! A request to PagerDuty's REST API.

use std::fmt;

use reqwest::{Method, Url};

/// A request, before it is sent.
pub(super) struct Request<'a> {
    pub(super) method: Method,
    /// Segments of the path below the base.
    path: &'a [&'a str],
    query: &'a [(&'a str, &'a str)],
    pub(super) body: Option<Vec<u8>>,
    /// `true` if the request has the same effect when it is sent twice.
    pub(super) is_repeatable: bool,
}

impl<'a> Request<'a> {
    /// A request that reads.
    pub(super) const fn get(path: &'a [&'a str], query: &'a [(&'a str, &'a str)]) -> Self {
        Self { method: Method::GET, path, query, body: None, is_repeatable: true }
    }

    /// A request that changes something. It is sent once.
    pub(super) const fn post(path: &'a [&'a str], body: Option<Vec<u8>>) -> Self {
        Self { method: Method::POST, path, query: &[], body, is_repeatable: false }
    }

    /// Same request, which is sent again if there is no answer.
    pub(super) fn repeatable(self) -> Self {
        Self { is_repeatable: true, ..self }
    }

    /// Address of the request. `None` if a segment of the path is empty or consists of dots: such an address would
    /// lead to something else.
    pub(super) fn url(&self, base: &Url) -> Option<Url> {
        let mut url = base.clone();
        if self.path.iter().any(|segment| segment.bytes().all(|byte| byte == b'.')) {
            return None;
        }
        url.path_segments_mut().ok()?.pop_if_empty().extend(self.path);
        if !self.query.is_empty() {
            url.query_pairs_mut().extend_pairs(self.query);
        }
        Some(url)
    }
}

impl fmt::Display for Request<'_> {
    /// Method and path.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} /{}", self.method, self.path.join("/"))
    }
}
