//! The heading of a document, read so that nothing in it can be wrong.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::entity::BACKSTAGE;

/// The keys that tell whether a document describes a service.
#[derive(Debug, Default)]
pub(super) struct Heading {
    api_version: Option<String>,
    kind: Option<String>,
    dd_service: Option<String>,
}

impl Heading {
    /// `true` for a service definition or an entity of Datadog, and for a component of Backstage.
    pub(super) fn is_of_a_service(&self) -> bool {
        let version = self.api_version.as_deref().unwrap_or_default();
        let is_component = self.kind.as_deref() == Some("Component") && version.starts_with(BACKSTAGE);
        self.dd_service.is_some() || is_component || (self.kind.is_some() && version == "v3")
    }
}

/// Whatever may stand in a document.
#[derive(Debug)]
enum Loose {
    /// A text, a number or a truth value.
    Text(String),
    /// A map, with what it has of a heading.
    Map(Heading),
    /// Nothing, a list, or bytes.
    Other,
}

impl Loose {
    fn into_text(self) -> Option<String> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }
}

impl<'de> Deserialize<'de> for Heading {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Loose::deserialize(deserializer)? {
            Loose::Map(heading) => heading,
            Loose::Text(_) | Loose::Other => Self::default(),
        })
    }
}

impl<'de> Deserialize<'de> for Loose {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Anything)
    }
}

/// Values that are texts, whatever YAML takes them for.
macro_rules! texts {
    ($($visit:ident: $value:ty,)+) => {$(
        fn $visit<E>(self, value: $value) -> Result<Loose, E> {
            Ok(Loose::Text(value.to_string()))
        }
    )+};
}

struct Anything;

impl<'de> Visitor<'de> for Anything {
    type Value = Loose;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    texts! {
        visit_str: &str,
        visit_bool: bool,
        visit_i64: i64,
        visit_u64: u64,
        visit_i128: i128,
        visit_u128: u128,
        visit_f64: f64,
    }

    fn visit_bytes<E>(self, _: &[u8]) -> Result<Loose, E> {
        Ok(Loose::Other)
    }

    fn visit_unit<E>(self) -> Result<Loose, E> {
        Ok(Loose::Other)
    }

    fn visit_none<E>(self) -> Result<Loose, E> {
        Ok(Loose::Other)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Loose, D::Error> {
        Loose::deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Loose, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Loose::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Loose, A::Error> {
        let mut heading = Heading::default();
        while let Some(key) = map.next_key::<Self::Value>()? {
            let place = match key.into_text().as_deref() {
                Some("apiVersion") => &mut heading.api_version,
                Some("kind") => &mut heading.kind,
                Some("dd-service") => &mut heading.dd_service,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            *place = map.next_value::<Self::Value>()?.into_text();
        }
        Ok(Loose::Map(heading))
    }
}
