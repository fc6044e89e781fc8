//! Lists, page by page, and deployments by their numbers.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::client::{ApiClient, Page};
use super::error::{ApiError, ApiProblem};

/// Number of entries of a page.
const PER_PAGE: usize = 100;
/// Greatest number of pages of a list, so that an API that always names a next page ends. GitLab allows 500 such pages.
const MOST_PAGES: u32 = 300;

impl ApiClient {
    /// Entries of a list, page by page, up to its end or to a page that `is_last` says is the last one. Fails if the list
    /// has more than [`MOST_PAGES`] pages.
    pub(in crate::sources) async fn list(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
        is_last: impl Fn(&[Value]) -> bool + Send + Sync,
    ) -> Result<Vec<Value>, ApiError> {
        let (mut all, per_page) = (Vec::new(), PER_PAGE.to_string());
        for number in 1..=MOST_PAGES {
            let number = number.to_string();
            let of_page = [("per_page", per_page.as_str()), ("page", number.as_str())];
            let Page { body, has_next, .. } = self.get(path, &[query, &of_page[..]].concat()).await?;
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

    /// Listed deployments by their numbers. Fails if one has no number: it would be missing without a word.
    pub(in crate::sources) fn by_number(
        &self,
        path: &[&str],
        listed: impl IntoIterator<Item = Value>,
    ) -> Result<BTreeMap<u64, Value>, ApiError> {
        by_number(listed).ok_or_else(|| self.not_understood(path, "a deployment has no id"))
    }

    /// Adds the deployments of these numbers. Those that were deleted are left out.
    pub(in crate::sources) async fn add_numbered(
        &self,
        path: &[&str],
        numbers: &BTreeSet<u64>,
        deployments: &mut BTreeMap<u64, Value>,
    ) -> Result<(), ApiError> {
        for number in numbers {
            if deployments.contains_key(number) {
                continue;
            }
            let written = number.to_string();
            let path = [path, &["deployments", &written]].concat();
            if let Some(page) = found_or_none(self.get(&path, &[]).await)? {
                deployments.insert(*number, page.body);
            }
        }
        Ok(())
    }
}

/// Deployments by their numbers. `None` if one has no number.
fn by_number(listed: impl IntoIterator<Item = Value>) -> Option<BTreeMap<u64, Value>> {
    listed.into_iter().map(|deployment| Some((deployment.get("id")?.as_u64()?, deployment))).collect()
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
    fn a_deployment_without_a_number_is_not_left_out() {
        let good = json!({ "id": 7 });
        assert_eq!(by_number([good.clone()]), Some([(7, good.clone())].into()));
        for bad in [json!({ "id": "8" }), json!({ "id": -1 }), json!({}), json!(null)] {
            assert_eq!(by_number([good.clone(), bad.clone()]), None, "{bad}");
        }
    }
}
