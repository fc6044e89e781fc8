//! The part of JSON Schema that `openapi.json` and the schemas of backends use. Any other keyword makes the test fail,
//! so that no rule is skipped.

use pagerduty_dora::domain::timestamp::Timestamp;
use regex::Regex;
use serde_json::Value;

/// Target of a `$ref`, or the value itself.
pub(crate) fn resolved<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    let Some(reference) = value["$ref"].as_str() else { return value };
    let pointer = reference.strip_prefix('#').unwrap_or_else(|| panic!("{reference} is in another document"));
    resolved(document, document.pointer(pointer).unwrap_or_else(|| panic!("{reference} leads nowhere")))
}

/// The schemas of a document.
pub(crate) struct Schemas<'a> {
    document: &'a Value,
    is_closed: bool,
}

impl<'a> Schemas<'a> {
    /// Schemas of answers. Each object has to set `additionalProperties` and to require all its properties.
    pub(crate) fn of_answers(document: &'a Value) -> Self {
        Self { document, is_closed: true }
    }

    /// Schemas of requests. Objects may have optional and unknown properties.
    pub(crate) fn of_requests(document: &'a Value) -> Self {
        Self { document, is_closed: false }
    }

    /// Checks a value. The error says where and how it breaks the schema.
    pub(crate) fn check(&self, schema: &Value, value: &Value) -> Result<(), String> {
        let schema = resolved(self.document, schema);
        for (keyword, rule) in schema.as_object().unwrap_or_else(|| panic!("{schema} is no schema")) {
            let holds = match keyword.as_str() {
                "description" | "default" => true,
                "type" => words(rule).iter().any(|word| is_of_type(value, word)),
                "enum" => rule.as_array().unwrap().contains(value),
                "anyOf" => rule.as_array().unwrap().iter().any(|one| self.check(one, value).is_ok()),
                "format" if rule == "date-time" => {
                    value.as_str().is_none_or(|text| Timestamp::parse(text).is_ok())
                }
                "format" if rule == "uri" => {
                    value.as_str().is_none_or(|text| is_uri(text) && text.contains(':'))
                }
                "format" if rule == "uri-reference" => value.as_str().is_none_or(is_uri),
                "minLength" => {
                    value.as_str().is_none_or(|text| text.chars().count() as u64 >= rule.as_u64().unwrap())
                }
                "pattern" => {
                    let pattern = Regex::new(rule.as_str().unwrap()).unwrap();
                    value.as_str().is_none_or(|text| pattern.is_match(text))
                }
                "minimum" => value.as_i64().is_none_or(|number| number >= rule.as_i64().unwrap()),
                "maxItems" => {
                    value.as_array().is_none_or(|items| items.len() as u64 <= rule.as_u64().unwrap())
                }
                "required" => words(rule).iter().all(|name| !value.is_object() || value.get(name).is_some()),
                "items" => {
                    for item in value.as_array().into_iter().flatten() {
                        self.check(rule, item)?;
                    }
                    true
                }
                "properties" => {
                    for (name, schema) in rule.as_object().unwrap() {
                        value.get(name).map_or(Ok(()), |value| {
                            self.check(schema, value).map_err(|error| format!("{name}: {error}"))
                        })?;
                    }
                    true
                }
                "additionalProperties" => {
                    let known = |name: &String| rule == true || schema["properties"].get(name).is_some();
                    value.as_object().is_none_or(|object| object.keys().all(known))
                }
                _ => panic!("{keyword}: {rule} is not known to this test"),
            };
            if !holds {
                return Err(format!("{keyword}: {rule} does not hold for {value}"));
            }
        }
        self.check_is_closed(schema, value)
    }

    fn check_is_closed(&self, schema: &Value, value: &Value) -> Result<(), String> {
        if !self.is_closed
            || !value.is_object()
            || schema.get("anyOf").is_some()
            || schema.get("type").is_none()
        {
            return Ok(());
        }
        let named: Vec<&String> =
            schema["properties"].as_object().into_iter().flat_map(|named| named.keys()).collect();
        let mut required = words(&schema["required"]);
        required.sort_unstable();
        let is_complete = schema.get("additionalProperties").is_some() && required == named;
        is_complete.then_some(()).ok_or_else(|| {
            format!(
                "the schema of {value} does not set `additionalProperties`, or does not require each property"
            )
        })
    }
}

/// One word or several.
fn words(rule: &Value) -> Vec<&str> {
    match rule {
        Value::Array(words) => words.iter().map(|word| word.as_str().unwrap()).collect(),
        word => word.as_str().into_iter().collect(),
    }
}

/// `true` if a text has only characters that RFC 3986 allows, with brackets only around an address.
fn is_uri(text: &str) -> bool {
    const URI: &str = r"^([A-Za-z][A-Za-z0-9+.-]*:)?(//[A-Za-z0-9._~:@!$&'()*+,;=\[\]%-]*)?([A-Za-z0-9._~:/?#@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*$";
    Regex::new(URI).unwrap().is_match(text)
}

fn is_of_type(value: &Value, word: &str) -> bool {
    match word {
        "null" => value.is_null(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => panic!("{word} is no type that is used here"),
    }
}

mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn missing_unknown_and_invalid_fields_are_found() {
        let document = json!({ "a": { "type": "object", "additionalProperties": false, "required": ["n", "t"],
            "properties": { "n": { "type": ["integer", "null"], "minimum": 0 }, "t": { "format": "date-time" } } } });
        let check = |value: Value| Schemas::of_answers(&document).check(&json!({ "$ref": "#/a" }), &value);
        assert_eq!(check(json!({ "n": 1, "t": "2026-11-01T10:00:00Z" })), Ok(()));
        assert_eq!(check(json!({ "n": null, "t": "2026-11-01T10:00:00Z" })), Ok(()));
        for wrong in [
            json!({ "n": 1 }),
            json!({ "n": 1, "t": "2026-11-01T10:00:00Z", "more": 1 }),
            json!({ "n": -1, "t": "2026-11-01T10:00:00Z" }),
            json!({ "n": 1.5, "t": "2026-11-01T10:00:00Z" }),
            json!({ "n": 1, "t": "soon" }),
            json!([]),
        ] {
            assert!(check(wrong.clone()).is_err(), "{wrong}");
        }
    }
}
