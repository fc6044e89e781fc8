//! Query parameters of a request. Each error names its parameter.

use std::collections::BTreeMap;

use axum::extract::{FromRequestParts, OptionalFromRequestParts, Query};
use axum::http::request::Parts;
use jiff::tz::TimeZone;

use super::api_error::ApiError;
use crate::domain::figures::Env;
use crate::domain::name::named;
use crate::domain::timestamp::Timestamp;
use crate::domain::user_time;

/// Default and highest number of rows in a listing.
const DEFAULT_LIMIT: usize = 100;
const LARGEST_LIMIT: usize = 1_000;

/// Mistake in a query.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum QueryError {
    /// The query cannot be decoded.
    #[error("{0}")]
    Malformed(String),
    /// The route has no parameter of this name.
    #[error("{name:?} is not a known parameter{}", listed(.known))]
    Unknown {
        /// The name that was sent.
        name: String,
        /// The parameters that the route has.
        known: &'static [&'static str],
    },
    /// The parameter of this name was sent twice.
    #[error("{0}: given twice")]
    Twice(String),
    /// The parameter of this name has a character that no text in the store has.
    #[error("{0}: holds the character U+0000")]
    Nul(String),
    /// The required parameter of this name is missing.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// A parameter has a wrong value.
    #[error("{name}: {problem}")]
    Invalid {
        /// Its name.
        name: &'static str,
        /// Reason why the value is wrong.
        problem: String,
    },
    /// The parameter of this name is not a cursor.
    #[error("invalid {0}: use the `next` value of a previous page")]
    InvalidCursor(&'static str),
}

fn listed(known: &[&str]) -> String {
    match known {
        [] => ". There are no parameters here".to_owned(),
        known => format!(". Known: {}", known.join(", ")),
    }
}

impl QueryError {
    /// A wrong value of this parameter.
    pub(super) fn invalid(name: &'static str, problem: impl std::fmt::Display) -> Self {
        Self::Invalid { name, problem: problem.to_string() }
    }
}

impl From<QueryError> for ApiError {
    fn from(error: QueryError) -> Self {
        Self::bad_query(error)
    }
}

/// Parameters of a route.
pub(super) trait FromQuery: Sized {
    /// The names of its parameters.
    const NAMES: &'static [&'static str];

    /// Reads the parameters.
    fn from_query(parameters: &Parameters) -> Result<Self, QueryError>;
}

/// Extractor of the parameters of a route. A wrong query is answered 400. For a handler that takes an `Option`, a wrong
/// query is `None`.
pub(super) struct TypedQuery<T>(pub(super) T);

impl<T: FromQuery> TypedQuery<T> {
    fn of(parts: &Parts) -> Result<Self, QueryError> {
        let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri)
            .map_err(|rejection| QueryError::Malformed(rejection.body_text()))?;
        T::from_query(&Parameters::new(pairs, T::NAMES)?).map(Self)
    }
}

impl<T: FromQuery, S: Send + Sync> FromRequestParts<S> for TypedQuery<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        Self::of(parts).map_err(ApiError::from)
    }
}

impl<T: FromQuery, S: Send + Sync> OptionalFromRequestParts<S> for TypedQuery<T> {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Self::Rejection> {
        Ok(Self::of(parts).ok())
    }
}

/// Values of a flag.
const FLAGS: [bool; 2] = [true, false];

/// Word for a flag.
pub(super) const fn flag_word(flag: bool) -> &'static str {
    if flag { "true" } else { "false" }
}

/// Parameters of a query. All their names are known.
pub(super) struct Parameters(BTreeMap<String, String>);

impl Parameters {
    fn new(pairs: Vec<(String, String)>, known: &'static [&'static str]) -> Result<Self, QueryError> {
        let mut parameters = BTreeMap::new();
        for (name, value) in pairs {
            if !known.contains(&name.as_str()) {
                return Err(QueryError::Unknown { name, known });
            }
            if parameters.contains_key(&name) {
                return Err(QueryError::Twice(name));
            }
            if value.contains('\0') {
                return Err(QueryError::Nul(name));
            }
            parameters.insert(name, value);
        }
        Ok(Self(parameters))
    }

    /// Text of a parameter.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.0.get(name).cloned()
    }

    /// Text of a required parameter.
    pub(super) fn required(&self, name: &'static str) -> Result<String, QueryError> {
        self.text(name).ok_or(QueryError::Missing(name))
    }

    /// Parameter whose value is one of several words.
    pub(super) fn word<T: Copy>(
        &self,
        name: &'static str,
        all: &[T],
        as_str: fn(T) -> &'static str,
    ) -> Result<Option<T>, QueryError> {
        let Some(text) = self.0.get(name) else { return Ok(None) };
        let found = all.iter().find(|one| as_str(**one) == text);
        found.copied().map(Some).ok_or_else(|| {
            let allowed: Vec<&str> = all.iter().map(|one| as_str(*one)).collect();
            QueryError::invalid(name, format_args!("{text:?} is not known. Allowed: {}", allowed.join(", ")))
        })
    }

    /// The same for a field of a form, which browsers also send without a value.
    pub(super) fn chosen<T: Copy>(
        &self,
        name: &'static str,
        all: &[T],
        as_str: fn(T) -> &'static str,
    ) -> Result<Option<T>, QueryError> {
        let is_given = self.0.get(name).is_some_and(|text| !text.is_empty());
        if is_given { self.word(name, all, as_str) } else { Ok(None) }
    }

    /// Parameter that is `true` or `false`. It is `false` if it is left out.
    pub(super) fn flag(&self, name: &'static str) -> Result<bool, QueryError> {
        Ok(self.word(name, &FLAGS, flag_word)?.unwrap_or(false))
    }

    /// Parameter that is `true`, `false`, or left out, also as the field of a form.
    pub(super) fn chosen_flag(&self, name: &'static str) -> Result<Option<bool>, QueryError> {
        self.chosen(name, &FLAGS, flag_word)
    }

    /// `env`, the only env of a listing. `None` for every env: if it is left out, and for the word `all`, which means every
    /// env in reports, too.
    pub(super) fn env(&self) -> Option<String> {
        named(self.text("env")).and_then(|env| Env::parse(&env).only())
    }

    /// `limit`, the number of rows to list.
    pub(super) fn limit(&self) -> Result<usize, QueryError> {
        let Some(text) = self.0.get("limit") else { return Ok(DEFAULT_LIMIT) };
        match text.parse::<usize>() {
            Ok(limit) if limit > 0 => Ok(limit.min(LARGEST_LIMIT)),
            _ => Err(QueryError::invalid(
                "limit",
                format_args!("{text:?} is not a number from 1 to {LARGEST_LIMIT}"),
            )),
        }
    }

    /// Parameter whose value is a number.
    pub(super) fn number(&self, name: &'static str) -> Result<Option<u64>, QueryError> {
        let Some(text) = self.0.get(name) else { return Ok(None) };
        let number = text.parse().map(Some);
        number.map_err(|_| QueryError::invalid(name, format_args!("{text:?} is not a number")))
    }

    /// Number of the row after which the listing continues; 0 if it is left out.
    pub(super) fn row(&self, name: &'static str) -> Result<i64, QueryError> {
        let Some(text) = self.0.get(name) else { return Ok(0) };
        text.parse().map_err(|_| QueryError::InvalidCursor(name))
    }
}

/// Time that a parameter gives as RFC 3339, as a date or as an age.
pub(super) fn parse_time(
    name: &'static str,
    text: Option<&str>,
    now: Timestamp,
    timezone: &TimeZone,
) -> Result<Option<Timestamp>, QueryError> {
    let user_time = text.map(|text| user_time::parse(text, now, timezone));
    user_time.transpose().map_err(|error| QueryError::invalid(name, error))
}

/// Same as [`parse_time`], for a parameter that is required.
pub(super) fn required_time(
    name: &'static str,
    text: &str,
    now: Timestamp,
    timezone: &TimeZone,
) -> Result<Timestamp, QueryError> {
    user_time::parse(text, now, timezone).map_err(|error| QueryError::invalid(name, error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::figures::Grouping;

    fn parameters(query: &str, names: &'static [&'static str]) -> Result<Parameters, QueryError> {
        let uri = format!("http://localhost/?{query}").parse().unwrap();
        let Query(pairs) = Query::try_from_uri(&uri).unwrap();
        Parameters::new(pairs, names)
    }

    #[test]
    fn all_means_every_env() {
        let env = |query: &str| parameters(query, &["env"]).map(|parameters| parameters.env());
        assert_eq!(["", "env=", "env=all", "env=+all+"].map(env), [Ok(None), Ok(None), Ok(None), Ok(None)]);
        assert_eq!(env("env=All"), Ok(Some("All".to_owned())));
    }

    #[test]
    fn errors_name_the_parameter() {
        const NAMES: &[&str] = &["by", "limit", "cursor"];
        let read_all = |query: &str| {
            let parameters = parameters(query, NAMES)?;
            parameters.word("by", Grouping::ALL, Grouping::as_str)?;
            parameters.limit()?;
            parameters.row("cursor").map(drop)
        };
        for (query, detail) in [
            ("by=foo", "by: \"foo\" is not known. Allowed: service, team, env, severity, none"),
            ("bye=foo", "\"bye\" is not a known parameter. Known: by, limit, cursor"),
            ("by=team&by=team", "by: given twice"),
            ("by=team%00", "by: holds the character U+0000"),
            ("limit=0", "limit: \"0\" is not a number from 1 to 1000"),
            ("limit=-1", "limit: \"-1\" is not a number from 1 to 1000"),
            ("limit=x", "limit: \"x\" is not a number from 1 to 1000"),
            ("cursor=x", "invalid cursor: use the `next` value of a previous page"),
        ] {
            assert_eq!(read_all(query).unwrap_err().to_string(), detail, "{query}");
        }
        assert_eq!(read_all("by=team&limit=9999&cursor=3"), Ok(()));
        assert_eq!(parameters("limit=9999", NAMES).and_then(|parameters| parameters.limit()), Ok(1_000));
    }
}
