//! The query of a request: each parameter by its name, and mistakes told by that name.

use std::collections::BTreeMap;

use axum::extract::{FromRequestParts, Query};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;

use super::answer::refusal;

/// Default and highest number of rows in a listing.
const DEFAULT_LIMIT: usize = 100;
const LARGEST_LIMIT: usize = 1_000;

/// Parameters of a route.
pub(super) trait FromQuery: Sized {
    /// The names of its parameters.
    const NAMES: &'static [&'static str];

    /// Reads them. An error names the parameter.
    fn from_query(parameters: &Parameters) -> Result<Self, String>;
}

/// Extractor of the parameters of a route; it answers 400 where that is wrong.
pub(super) struct Asked<T>(pub(super) T);

impl<T: FromQuery, S: Send + Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Response> {
        let asked = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri)
            .map_err(|rejection| rejection.body_text())
            .and_then(|Query(pairs)| Parameters::new(pairs, T::NAMES))
            .and_then(|parameters| T::from_query(&parameters));
        asked.map(Self).map_err(bad_query)
    }
}

/// The answer to a query that is wrong.
pub(super) fn bad_query(detail: impl std::fmt::Display) -> Response {
    refusal(StatusCode::BAD_REQUEST, "bad_query", detail)
}

/// The parameters of a query, all of them known.
pub(super) struct Parameters(BTreeMap<String, String>);

impl Parameters {
    fn new(pairs: Vec<(String, String)>, names: &[&str]) -> Result<Self, String> {
        let mut parameters = BTreeMap::new();
        for (name, value) in pairs {
            if !names.contains(&name.as_str()) {
                return Err(match names {
                    [] => format!("{name:?} is not a known parameter: there are none"),
                    names => format!("{name:?} is not a known parameter. Known: {}", names.join(", ")),
                });
            }
            if parameters.contains_key(&name) {
                return Err(format!("{name}: given twice"));
            }
            parameters.insert(name, value);
        }
        Ok(Self(parameters))
    }

    /// A text.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.0.get(name).cloned()
    }

    /// One of several words.
    pub(super) fn word<T: Copy>(
        &self,
        name: &str,
        all: &[T],
        as_str: fn(T) -> &'static str,
    ) -> Result<Option<T>, String> {
        let Some(text) = self.0.get(name) else { return Ok(None) };
        let found = all.iter().find(|one| as_str(**one) == text);
        found.copied().map(Some).ok_or_else(|| {
            let allowed: Vec<&str> = all.iter().map(|one| as_str(*one)).collect();
            format!("{name}: {text:?} is not known. Allowed: {}", allowed.join(", "))
        })
    }

    /// `limit`, the number of rows to list.
    pub(super) fn limit(&self) -> Result<usize, String> {
        let Some(text) = self.0.get("limit") else { return Ok(DEFAULT_LIMIT) };
        match text.parse::<usize>() {
            Ok(limit) if limit > 0 => Ok(limit.min(LARGEST_LIMIT)),
            _ => Err(format!("limit: {text:?} is not a number from 1 to {LARGEST_LIMIT}")),
        }
    }

    /// A row's number, after which to go on; 0 where it is left out.
    pub(super) fn row(&self, name: &str) -> Result<i64, String> {
        let Some(text) = self.0.get(name) else { return Ok(0) };
        text.parse().map_err(|_| format!("invalid {name}: use the `next` value of a previous page"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::figures::By;

    fn parameters(query: &str, names: &[&str]) -> Result<Parameters, String> {
        let uri = format!("http://localhost/?{query}").parse().unwrap();
        let Query(pairs) = Query::try_from_uri(&uri).unwrap();
        Parameters::new(pairs, names)
    }

    #[test]
    fn mistakes_are_told_by_the_parameters_name() {
        let names = ["by", "limit", "cursor"];
        let told = |query: &str| {
            let parameters = parameters(query, &names)?;
            parameters.word("by", &By::ALL, By::as_str)?;
            parameters.limit()?;
            parameters.row("cursor").map(drop)
        };
        for (query, detail) in [
            ("by=foo", "by: \"foo\" is not known. Allowed: service, team, env, severity, none"),
            ("bye=foo", "\"bye\" is not a known parameter. Known: by, limit, cursor"),
            ("by=team&by=team", "by: given twice"),
            ("limit=0", "limit: \"0\" is not a number from 1 to 1000"),
            ("limit=-1", "limit: \"-1\" is not a number from 1 to 1000"),
            ("limit=x", "limit: \"x\" is not a number from 1 to 1000"),
            ("cursor=x", "invalid cursor: use the `next` value of a previous page"),
        ] {
            assert_eq!(told(query), Err(detail.to_owned()), "{query}");
        }
        assert_eq!(told("by=team&limit=9999&cursor=3"), Ok(()));
        assert_eq!(parameters("limit=9999", &names).and_then(|parameters| parameters.limit()), Ok(1_000));
    }
}
