//! Parameters of statements.

/// A parameter of a statement. It borrows texts and bytes, so that nothing is copied on the way to the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Param<'a> {
    /// No value.
    Null,
    /// A number, or a boolean as 0 or 1.
    Integer(i64),
    /// A text.
    Text(&'a str),
    /// Bytes.
    Bytes(&'a [u8]),
}

/// A value that can be a parameter.
pub(in crate::store) trait ToParam {
    /// The value as a parameter.
    fn to_param(&self) -> Param<'_>;
}

/// The parameters of a statement, in the order of their numbers: `params![id, name.as_str(), None::<i64>]`.
macro_rules! params {
    ($($value:expr),* $(,)?) => { &[$($crate::store::engine::sql::ToParam::to_param(&$value)),*] };
}
pub(in crate::store) use params;

macro_rules! integers {
    ($($integer:ty),*) => {$(
        impl ToParam for $integer {
            #[inline]
            fn to_param(&self) -> Param<'_> {
                Param::Integer(i64::from(*self))
            }
        }
    )*};
}
integers!(i64, u32, u16, bool);

impl ToParam for str {
    #[inline]
    fn to_param(&self) -> Param<'_> {
        Param::Text(self)
    }
}

impl ToParam for String {
    #[inline]
    fn to_param(&self) -> Param<'_> {
        Param::Text(self)
    }
}

impl ToParam for [u8] {
    #[inline]
    fn to_param(&self) -> Param<'_> {
        Param::Bytes(self)
    }
}

impl ToParam for Vec<u8> {
    #[inline]
    fn to_param(&self) -> Param<'_> {
        Param::Bytes(self)
    }
}

impl<T: ToParam> ToParam for Option<T> {
    #[inline]
    fn to_param(&self) -> Param<'_> {
        self.as_ref().map_or(Param::Null, ToParam::to_param)
    }
}

impl<T: ToParam + ?Sized> ToParam for &T {
    #[inline]
    fn to_param(&self) -> Param<'_> {
        (**self).to_param()
    }
}
