//! Parameters of statements.

use super::value::{OwnedValue, Value};

/// A type whose values can be parameters.
pub(in crate::store) trait ToValue {
    /// The value for the engine.
    fn to_value(&self) -> Value<'_>;
}

/// The parameters of a statement, in the order of their numbers: `params![id, name.as_str(), None::<i64>]`.
macro_rules! params {
    ($($value:expr),* $(,)?) => { &[$($crate::store::engine::sql::ToValue::to_value(&$value)),*] };
}
pub(in crate::store) use params;

macro_rules! integers {
    ($($integer:ty),*) => {$(
        impl ToValue for $integer {
            #[inline]
            fn to_value(&self) -> Value<'_> {
                Value::Integer(i64::from(*self))
            }
        }
    )*};
}
integers!(i64, u32, u16, bool);

impl ToValue for str {
    #[inline]
    fn to_value(&self) -> Value<'_> {
        Value::Text(self)
    }
}

impl ToValue for String {
    #[inline]
    fn to_value(&self) -> Value<'_> {
        Value::Text(self)
    }
}

impl ToValue for [u8] {
    #[inline]
    fn to_value(&self) -> Value<'_> {
        Value::Bytes(self)
    }
}

impl ToValue for Vec<u8> {
    #[inline]
    fn to_value(&self) -> Value<'_> {
        Value::Bytes(self)
    }
}

impl<T: ToValue> ToValue for Option<T> {
    #[inline]
    fn to_value(&self) -> Value<'_> {
        self.as_ref().map_or(Value::Null, ToValue::to_value)
    }
}

impl<T: ToValue + ?Sized> ToValue for &T {
    #[inline]
    fn to_value(&self) -> Value<'_> {
        (**self).to_value()
    }
}

impl ToValue for OwnedValue {
    fn to_value(&self) -> Value<'_> {
        match self {
            Self::Null => Value::Null,
            Self::Integer(number) => Value::Integer(*number),
            Self::Text(text) => Value::Text(text),
            Self::Bytes(bytes) => Value::Bytes(bytes),
        }
    }
}
