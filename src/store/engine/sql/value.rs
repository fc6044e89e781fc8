//! Values: parameters of statements, and columns of rows.

/// A value. It borrows texts and bytes, so that nothing is copied on the way to the engine and back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Value<'a> {
    /// No value.
    Null,
    /// A number, or a boolean as 0 or 1.
    Integer(i64),
    /// A text.
    Text(&'a str),
    /// Bytes.
    Bytes(&'a [u8]),
}

impl Value<'_> {
    /// Name of the value's type, for messages.
    pub(in crate::store) const fn type_name(self) -> &'static str {
        match self {
            Self::Null => "Null",
            Self::Integer(_) => "Integer",
            Self::Text(_) => "Text",
            Self::Bytes(_) => "Blob",
        }
    }
}

/// A value that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) enum OwnedValue {
    /// No value.
    Null,
    /// A number, or a boolean as 0 or 1.
    Integer(i64),
    /// A text.
    Text(Box<str>),
    /// Bytes.
    Bytes(Box<[u8]>),
}

impl OwnedValue {
    /// Length of a text or of bytes. 0 for other values.
    pub(in crate::store) fn length(&self) -> usize {
        match self {
            Self::Null | Self::Integer(_) => 0,
            Self::Text(text) => text.len(),
            Self::Bytes(bytes) => bytes.len(),
        }
    }
}

impl From<Value<'_>> for OwnedValue {
    fn from(value: Value<'_>) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Integer(number) => Self::Integer(number),
            Value::Text(text) => Self::Text(text.into()),
            Value::Bytes(bytes) => Self::Bytes(bytes.into()),
        }
    }
}

/// Reason why a value cannot be read as a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Misfit {
    /// The value has another type.
    Type,
    /// The number is too large or too small for the type.
    Range(i64),
}

/// A type that a column can be read as.
pub(in crate::store) trait FromValue<'a>: Sized {
    /// Reads a value.
    fn from_value(value: Value<'a>) -> Result<Self, Misfit>;
}

impl<'a> FromValue<'a> for Value<'a> {
    fn from_value(value: Self) -> Result<Self, Misfit> {
        Ok(value)
    }
}

impl FromValue<'_> for i64 {
    #[inline]
    fn from_value(value: Value<'_>) -> Result<Self, Misfit> {
        match value {
            Value::Integer(number) => Ok(number),
            _ => Err(Misfit::Type),
        }
    }
}

macro_rules! smaller_integers {
    ($($integer:ty),*) => {$(
        impl FromValue<'_> for $integer {
            #[inline]
            fn from_value(value: Value<'_>) -> Result<Self, Misfit> {
                let number = i64::from_value(value)?;
                Self::try_from(number).map_err(|_| Misfit::Range(number))
            }
        }
    )*};
}
smaller_integers!(u32, u16);

impl FromValue<'_> for bool {
    #[inline]
    fn from_value(value: Value<'_>) -> Result<Self, Misfit> {
        i64::from_value(value).map(|number| number != 0)
    }
}

impl<'a> FromValue<'a> for &'a str {
    #[inline]
    fn from_value(value: Value<'a>) -> Result<Self, Misfit> {
        match value {
            Value::Text(text) => Ok(text),
            _ => Err(Misfit::Type),
        }
    }
}

impl<'a> FromValue<'a> for &'a [u8] {
    #[inline]
    fn from_value(value: Value<'a>) -> Result<Self, Misfit> {
        match value {
            Value::Bytes(bytes) => Ok(bytes),
            _ => Err(Misfit::Type),
        }
    }
}

impl FromValue<'_> for String {
    #[inline]
    fn from_value(value: Value<'_>) -> Result<Self, Misfit> {
        <&str>::from_value(value).map(str::to_owned)
    }
}

impl FromValue<'_> for Vec<u8> {
    #[inline]
    fn from_value(value: Value<'_>) -> Result<Self, Misfit> {
        <&[u8]>::from_value(value).map(<[u8]>::to_vec)
    }
}

impl<'a, T: FromValue<'a>> FromValue<'a> for Option<T> {
    #[inline]
    fn from_value(value: Value<'a>) -> Result<Self, Misfit> {
        match value {
            Value::Null => Ok(None),
            value => T::from_value(value).map(Some),
        }
    }
}
