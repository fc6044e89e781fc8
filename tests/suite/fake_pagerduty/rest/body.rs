//! Objects in the body of a request, which may have only known fields.

use std::ops::RangeInclusive;

use pagerduty_dora::domain::timestamp::Timestamp;
use serde_json::{Map, Value};

use super::request::{Refusal, code};
use crate::fake_pagerduty::times::Zone;

/// An object whose fields are known. Its name is for messages.
pub(super) struct Object<'a> {
    name: &'static str,
    fields: &'a Map<String, Value>,
}

impl<'a> Object<'a> {
    pub(super) fn of(name: &'static str, value: &'a Value, allowed: &[&str]) -> Result<Self, Refusal> {
        let refusal = |error: String| Refusal::mistake(code::INVALID, error);
        let fields = value.as_object().ok_or_else(|| refusal(format!("{name} is not an object")))?;
        match fields.keys().find(|key| !allowed.contains(&key.as_str())) {
            Some(key) => Err(refusal(format!("{name} has the unknown field {key}"))),
            None => Ok(Self { name, fields }),
        }
    }

    fn wrong(&self, key: &str, wanted: &str) -> Refusal {
        Refusal::mistake(code::INVALID, format!("{key} of {} {wanted}", self.name))
    }

    pub(super) fn get(&self, key: &str) -> Option<&'a Value> {
        self.fields.get(key).filter(|value| !value.is_null())
    }

    /// A field that has to be there.
    pub(super) fn need(&self, key: &str) -> Result<&'a Value, Refusal> {
        self.get(key).ok_or_else(|| self.wrong(key, "is missing"))
    }

    pub(super) fn text(&self, key: &str) -> Result<Option<&'a str>, Refusal> {
        let read = |value: &'a Value| value.as_str().ok_or_else(|| self.wrong(key, "is not a text"));
        self.get(key).map(read).transpose()
    }

    pub(super) fn flag(&self, key: &str) -> Result<Option<bool>, Refusal> {
        let read = |value: &Value| value.as_bool().ok_or_else(|| self.wrong(key, "is not true or false"));
        self.get(key).map(read).transpose()
    }

    /// A text out of these.
    pub(super) fn choice(&self, key: &str, allowed: &[&str]) -> Result<Option<&'a str>, Refusal> {
        let value = self.text(key)?;
        match value {
            Some(value) if !allowed.contains(&value) => {
                Err(self.wrong(key, &format!("has to be one of {allowed:?}")))
            }
            _ => Ok(value),
        }
    }

    pub(super) fn number(&self, key: &str, range: RangeInclusive<usize>) -> Result<Option<usize>, Refusal> {
        let read = |value: &Value| {
            let number = value.as_u64().and_then(|number| usize::try_from(number).ok());
            let wanted = || self.wrong(key, &format!("has to be a number in {range:?}"));
            number.filter(|number| range.contains(number)).ok_or_else(wanted)
        };
        self.get(key).map(read).transpose()
    }

    pub(super) fn texts(&self, key: &str) -> Result<Option<Vec<&'a str>>, Refusal> {
        let read = |value: &'a Value| {
            let items: Option<Vec<&str>> =
                value.as_array().and_then(|all| all.iter().map(Value::as_str).collect());
            items.ok_or_else(|| self.wrong(key, "is not a list of texts"))
        };
        self.get(key).map(read).transpose()
    }

    /// A time with an offset, or a date.
    pub(super) fn time(&self, key: &str) -> Result<Option<Timestamp>, Refusal> {
        let wrong = || Refusal::mistake(code::DATE, format!("{key} is not a time"));
        let read = |text: &str| Zone::UTC.read(text).ok_or_else(wrong);
        self.text(key)?.map(read).transpose()
    }
}
