//! Lists, page by page, and deployments by their numbers.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::client::{ApiClient, Page};
use super::error::{ApiError, ApiProblem};
use super::reading::ReadRepository;

/// Number of entries of a page.
const PER_PAGE: usize = 100;
/// Greatest number of pages of a list, so that an API that always names a next page ends. GitLab allows 500 such pages.
const MOST_PAGES: u32 = 300;
/// Greatest length of all answers of a list.
const LONGEST_LIST_MIB: usize = 64;

impl ApiClient {
    /// Entries of a list, page by page, up to its end or to a page that `is_last` says is the last one. Fails if the list
    /// has more than [`MOST_PAGES`] pages, or more than [`LONGEST_LIST_MIB`].
    pub(in crate::sources) async fn list(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
        is_last: impl Fn(&[Value]) -> bool + Send + Sync,
    ) -> Result<Vec<Value>, ApiError> {
        let (mut all, mut bytes, per_page) = (Vec::new(), 0, PER_PAGE.to_string());
        for number in 1..=MOST_PAGES {
            let number = number.to_string();
            let of_page = [("per_page", per_page.as_str()), ("page", number.as_str())];
            let Page { body, length, has_next, .. } = self.get(path, &[query, &of_page[..]].concat()).await?;
            bytes += length;
            if bytes > LONGEST_LIST_MIB << 20 {
                return Err(self.too_large(path, LONGEST_LIST_MIB));
            }
            let Value::Array(listed) = body else {
                return Err(self.not_understood(path, "it is not a list"));
            };
            let is_end = !has_more(has_next, &listed) || is_last(&listed);
            all.extend(listed);
            if is_end {
                return Ok(all);
            }
        }
        Err(self.too_long(path, MOST_PAGES))
    }

    /// Adds the deployments of these numbers. Those that were deleted are left out.
    pub(in crate::sources) async fn add_numbered(
        &self,
        path: &[&str],
        numbers: &BTreeSet<u64>,
        deployments: &mut Deployments,
        read: &mut ReadRepository,
    ) -> Result<(), ApiError> {
        for number in numbers {
            if deployments.by_number.contains_key(number) || read.has_failed_often() {
                continue;
            }
            let written = number.to_string();
            let path = [path, &["deployments", &written]].concat();
            match found_or_none(self.get(&path, &[]).await) {
                Ok(page) => deployments.by_number.extend(page.map(|page| (*number, page.body))),
                Err(error) => read.note_failed(*number, error)?,
            }
        }
        Ok(())
    }
}

/// Deployments of a list.
#[derive(Debug, Default, PartialEq)]
pub(in crate::sources) struct Deployments {
    /// The entries with a number.
    pub(in crate::sources) by_number: BTreeMap<u64, Value>,
    /// Number of those without one. Nothing can be told about them.
    pub(in crate::sources) without_number: usize,
}

impl Extend<Value> for Deployments {
    fn extend<I: IntoIterator<Item = Value>>(&mut self, listed: I) {
        for deployment in listed {
            match deployment.get("id").and_then(Value::as_u64) {
                Some(number) => drop(self.by_number.insert(number, deployment)),
                None => self.without_number += 1,
            }
        }
    }
}

impl Deployments {
    /// The entries without a number, in words.
    pub(in crate::sources) fn left_out(&self) -> Option<String> {
        (self.without_number > 0)
            .then(|| format!("listed deployments without a number: {}", self.without_number))
    }
}

/// `true` if there may be another page: the answer names one, or this one is full. A proxy may remove the header.
const fn has_more(has_next: bool, listed: &[Value]) -> bool {
    has_next || listed.len() >= PER_PAGE
}

/// An answer. `None` if a deployment was deleted since.
pub(in crate::sources) fn found_or_none<T>(answer: Result<T, ApiError>) -> Result<Option<T>, ApiError> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.problem == ApiProblem::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn deployments_without_a_number_are_counted() {
        let good = json!({ "id": 7 });
        let mut deployments = Deployments::default();
        deployments.extend([json!({ "id": "8" }), json!({ "id": -1 }), good.clone(), json!({}), json!(null)]);
        assert_eq!(deployments.by_number, [(7, good)].into());
        assert_eq!(deployments.left_out().as_deref(), Some("listed deployments without a number: 4"));
        assert_eq!(Deployments::default().left_out(), None);
    }
}
