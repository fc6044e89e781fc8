//! Custom field named `deployment`. PagerDuty has fields with texts, numbers and lists.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::domain::event::NamedDeployment;
use crate::domain::name::name;
use crate::domain::named;
use crate::domain::surrogates;
use crate::sources::lenient::Lenient;

/// Name of the field.
const DEPLOYMENT: &str = "deployment";

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct CustomField<'a> {
    #[serde(borrow)]
    name: Lenient<Cow<'a, str>>,
    /// Raw JSON, because a number is a name exactly as it is written: 1.10 is not 1.1.
    #[serde(borrow)]
    value: Option<&'a RawValue>,
}

/// Content of the field named `deployment`, if the incident has that field.
pub(super) fn named_in_field(fields: &[CustomField<'_>]) -> Option<NamedDeployment> {
    let field = fields.iter().find(|field| field.name.0.as_deref().and_then(name) == Some(DEPLOYMENT))?;
    Some(NamedDeployment::Field(field.value.map_or_else(Vec::new, |value| values(value.get()))))
}

/// Names in a value: the text itself, or those in a list, also in a list that was written as a text. Another value,
/// such as `true`, names no known deployment. It is kept as it is, so that it can be shown.
fn values(json: &str) -> Vec<String> {
    let value = match json.as_bytes().first() {
        Some(b'"') => {
            let Some(text) = text(json) else { return named::kept(json).into_iter().collect() };
            match items(text.trim()) {
                Some(names) => return names,
                None => named::kept(&text),
            }
        }
        Some(b'[') => match items(json) {
            Some(names) => return names,
            None => named::kept(json),
        },
        Some(b'n') => None,
        // A field of decimal numbers writes 1412 as 1412.0. The name as it is written comes first.
        _ => return [Some(json), whole_number(json)].into_iter().flatten().filter_map(named::kept).collect(),
    };
    value.into_iter().collect()
}

/// Names in a list. `None` if the JSON is not a list.
fn items(json: &str) -> Option<Vec<String>> {
    let items: Vec<Option<&RawValue>> = json.starts_with('[').then(|| serde_json::from_str(json).ok())??;
    Some(items.into_iter().flatten().flat_map(|item| values(item.get())).collect())
}

/// Digits of a number before its fraction. `None` unless the fraction is zero.
fn whole_number(json: &str) -> Option<&str> {
    let (whole, fraction) = json.split_once('.')?;
    let is_zero = !fraction.is_empty() && fraction.bytes().all(|digit| digit == b'0');
    (is_zero && whole.bytes().all(|digit| digit.is_ascii_digit())).then_some(whole)
}

/// Text of a JSON string, which may contain half a character (an unpaired surrogate).
fn text(json: &str) -> Option<String> {
    let whole = || serde_json::from_slice(&surrogates::replaced(json.as_bytes())?).ok();
    serde_json::from_str(json).ok().or_else(whole)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::pagerduty::payload;

    fn deployment(body: &str) -> Option<NamedDeployment> {
        payload::parse(body.as_bytes()).unwrap().about_incident().unwrap().deployment.clone()
    }

    #[test]
    fn a_custom_field_names_a_deployment() {
        let fixture = include_str!("../../../fixtures/pagerduty/incident.custom_field_values.updated.json");
        let field_with = |names: &[&str]| {
            Some(NamedDeployment::Field(names.iter().map(|name| (*name).to_owned()).collect()))
        };
        assert_eq!(deployment(fixture), field_with(&["checkout-1.42.0"]));
        for (value, names) in [
            ("null", &[][..]),
            ("\"\"", &[]),
            ("\" \\u00a0\\u200b\"", &[]),
            ("[]", &[]),
            ("[null, \"\"]", &[]),
            ("\" v2 \"", &["v2"]),
            ("\"v2\\nand more\"", &["v2"]),
            ("\"v2 \\ud83d\"", &["v2 \u{fffd}"]),
            ("1412", &["1412"]),
            ("1.10", &["1.10"]),
            ("1412.0", &["1412.0", "1412"]),
            ("[2.00]", &["2.00", "2"]),
            ("\"1412.0\"", &["1412.0"]),
            ("\"[\\\"1.41.2\\\", \\\"1.42.0\\\"]\"", &["1.41.2", "1.42.0"]),
            ("\"[1.41.2]\"", &["[1.41.2]"]),
            ("-1e5", &["-1e5"]),
            ("12345678901234567890123", &["12345678901234567890123"]),
            ("[\"1.41.2\"]", &["1.41.2"]),
            ("[1.10]", &["1.10"]),
            ("[\"a\", 2, [\"c\"]]", &["a", "2", "c"]),
            ("true", &["true"]),
            ("{\"id\": 1}", &["{\"id\": 1}"]),
            ("\"https://ci:S3CR3T@host/1\"", &["https://host/1"]),
        ] {
            let other = fixture.replacen("\"checkout-1.42.0\"", value, 1);
            assert_eq!(deployment(&other), field_with(names), "{value}");
        }
        let without_value = fixture.replacen("\"value\"", "\"values\"", 1);
        assert_eq!(deployment(&without_value), field_with(&[]));
        assert_eq!(deployment(&fixture.replace("\"deployment\"", "\"region\"")), None);
    }
}
