//! Values checked against JSON Schema: those of `openapi.json`, and those of backends.

use boon::{Compiler, Schemas as Compiled};
use serde_json::{Map, Value};

/// Address that a document has for the validator. Nothing is fetched from it.
const ADDRESS: &str = "https://schema.example/document.json";
/// Key under which the schema to check stands in the document, so that its references are looked up there.
const CHECKED: &str = "checkedSchema";
/// Keywords of schemas here. A validator ignores a keyword that it does not know, so a misspelt one would check nothing.
const KEYWORDS: [&str; 15] = [
    "$ref",
    "additionalProperties",
    "anyOf",
    "default",
    "description",
    "enum",
    "format",
    "items",
    "maxItems",
    "maxLength",
    "minLength",
    "minimum",
    "pattern",
    "properties",
    "required",
];

/// Target of a `$ref`, or the value itself.
pub(crate) fn resolved<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    let Some(reference) = value["$ref"].as_str() else { return value };
    let pointer = reference.strip_prefix('#').unwrap_or_else(|| panic!("{reference} is in another document"));
    resolved(document, document.pointer(pointer).unwrap_or_else(|| panic!("{reference} does not exist")))
}

/// The schemas of a document.
pub(crate) struct Schemas<'a> {
    document: &'a Value,
    is_closed: bool,
}

impl<'a> Schemas<'a> {
    /// Schemas of answers. Each object has to say if it can have other properties, and to require all that it names.
    pub(crate) fn of_answers(document: &'a Value) -> Self {
        Self { document, is_closed: true }
    }

    /// Schemas of requests, which may leave properties out.
    pub(crate) fn of_requests(document: &'a Value) -> Self {
        Self { document, is_closed: false }
    }

    /// Checks a value. The error says where the value differs from the schema, and how.
    pub(crate) fn check(&self, schema: &Value, value: &Value) -> Result<(), String> {
        self.check_schema(schema)?;
        let mut document = self.document.as_object().cloned().unwrap_or_else(Map::new);
        document.insert(CHECKED.to_owned(), schema.clone());
        let (mut compiler, mut schemas) = (Compiler::new(), Compiled::new());
        compiler.enable_format_assertions();
        compiler.add_resource(ADDRESS, document.into()).map_err(|error| format!("{error:#}"))?;
        let checked = compiler.compile(&format!("{ADDRESS}#/{CHECKED}"), &mut schemas);
        let checked = checked.map_err(|error| format!("{error:#}"))?;
        schemas.validate(value, checked).map_err(|error| format!("{error:#} in {value}"))
    }

    /// Checks a schema itself, and the schemas in it.
    fn check_schema(&self, schema: &Value) -> Result<(), String> {
        let schema = resolved(self.document, schema);
        let keywords = schema.as_object().ok_or_else(|| format!("{schema} is no schema"))?;
        for keyword in keywords.keys() {
            if keyword != "type" && !KEYWORDS.contains(&keyword.as_str()) {
                return Err(format!("the keyword {keyword} is not known to this test"));
            }
        }
        let properties = schema["properties"].as_object();
        if self.is_closed && schema["type"] == "object" {
            let mut named: Vec<&str> =
                properties.into_iter().flatten().map(|(name, _)| name.as_str()).collect();
            let mut required: Vec<&str> =
                schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            named.sort_unstable();
            required.sort_unstable();
            if named != required || schema.get("additionalProperties").is_none() {
                return Err(format!("the schema leaves open which properties an answer has: {schema}"));
            }
        }
        let of_properties = properties.into_iter().flatten().map(|(_, schema)| schema);
        let alternatives = schema["anyOf"].as_array().into_iter().flatten();
        let others = schema.get("items").into_iter().chain(schema.get("additionalProperties"));
        let mut inner = of_properties.chain(alternatives).chain(others).filter(|schema| !schema.is_boolean());
        inner.try_for_each(|schema| self.check_schema(schema))
    }
}

mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_value_has_to_be_as_the_schema_says() {
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

    #[test]
    fn a_schema_with_an_unknown_keyword_or_an_open_object_is_an_error() {
        let check = |schema: Value| Schemas::of_answers(&json!({})).check(&schema, &json!({}));
        assert_eq!(check(json!({ "type": "object", "additionalProperties": false })), Ok(()));
        for wrong in [
            json!({ "type": "object", "additionalPropertys": false }),
            json!({ "type": "object" }),
            json!({ "type": "object", "additionalProperties": false, "properties": { "n": {} } }),
        ] {
            assert!(check(wrong.clone()).is_err(), "{wrong}");
        }
    }
}
