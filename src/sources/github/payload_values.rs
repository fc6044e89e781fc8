//! The payload of a deployment: an object, or a text with an object, of any form. Its texts, numbers and booleans can be
//! placeholders of `[[deployment]]` tables.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::de::{IgnoredAny, MapAccess};

use crate::domain::name::is_blank;
use crate::sources::lenient::{Lenient, Shape};
use crate::sources::text::cleaned;

/// Maximum number of values that are kept. A payload may be as long as the body.
const MOST_VALUES: usize = 64;
/// Maximum length of a key and of a value. Longer ones are left out: they are no names.
const LONGEST_BYTES: usize = 256;

/// Values of a payload by their keys. Lists and objects are left out.
#[derive(Debug, Default)]
pub(super) struct PayloadValues(pub(super) BTreeMap<String, String>);

impl<'de> Shape<'de> for PayloadValues {
    fn from_text(text: Cow<'de, str>) -> Result<Option<Self>, String> {
        let read = serde_json::from_str::<Lenient<Object>>(&text);
        Ok(read.ok().and_then(|object| object.0).map(|Object(values)| values))
    }

    fn from_object<A: MapAccess<'de>>(object: A) -> Result<Option<Self>, A::Error> {
        Ok(Object::from_object(object)?.map(|Object(values)| values))
    }
}

/// A payload that is an object. A text within a text is not read.
struct Object(PayloadValues);

impl<'de> Shape<'de> for Object {
    fn from_object<A: MapAccess<'de>>(mut object: A) -> Result<Option<Self>, A::Error> {
        let mut values = PayloadValues::default();
        while let Some(key) = object.next_key::<String>()? {
            if values.0.len() == MOST_VALUES || key.len() > LONGEST_BYTES || is_blank(&key) {
                object.next_value::<IgnoredAny>()?;
                continue;
            }
            let Lenient(value) = object.next_value::<Lenient<Scalar>>()?;
            if let Some(text) =
                value.and_then(|Scalar(text)| cleaned(&text)).filter(|text| text.len() <= LONGEST_BYTES)
            {
                values.0.entry(key).or_insert(text);
            }
        }
        Ok(Some(Self(values)))
    }
}

/// A text, a number or a boolean, as text.
struct Scalar(String);

impl Shape<'_> for Scalar {
    fn from_boolean(boolean: bool) -> Option<Self> {
        Some(Self(boolean.to_string()))
    }

    fn from_integer(number: i64) -> Option<Self> {
        Some(Self(number.to_string()))
    }

    fn from_fraction(number: f64) -> Option<Self> {
        Some(Self(number.to_string()))
    }

    fn from_text(text: Cow<'_, str>) -> Result<Option<Self>, String> {
        Ok(Some(Self(text.into_owned())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(json: &str) -> Option<String> {
        let Lenient(values) = serde_json::from_str::<Lenient<PayloadValues>>(json).unwrap();
        let values = values?.0;
        Some(values.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn simple_values_are_kept_as_text() {
        let object = r#"{"service":" cart ","n":7,"v":1.5,"dry":false,"none":null,"list":[1],"object":{"a":1},"blank":" "}"#;
        let expected = Some("dry=false n=7 service=cart v=1.5".to_owned());
        assert_eq!(values(object), expected);
        assert_eq!(values(&serde_json::to_string(object).unwrap()), expected, "a text with an object");
        assert_eq!(values("{}"), Some(String::new()));
        for other in ["null", "7", "[]", "\"\"", "\"deploy\"", "\"[1]\"", r#""\"{}\"""#] {
            assert_eq!(values(other), None, "{other}");
        }
    }

    #[test]
    fn a_large_payload_is_cut() {
        let many: BTreeMap<String, usize> = (0..100).map(|n| (format!("key{n:03}"), n)).collect();
        let kept = values(&serde_json::to_string(&many).unwrap()).unwrap();
        assert_eq!(kept.split(' ').count(), MOST_VALUES);
        let long = format!(r#"{{"{}":1,"a":"{}","b":1}}"#, "k".repeat(257), "v".repeat(257));
        assert_eq!(values(&long).as_deref(), Some("b=1"));
    }
}
