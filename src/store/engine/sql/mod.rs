//! SQL without the types of an engine: connections, values, rows and errors. Every statement of the store is run
//! through them.

pub(in crate::store) mod db;
pub(in crate::store) mod error;
pub(in crate::store) mod parameters;
pub(in crate::store) mod row;
pub(in crate::store) mod value;

pub(in crate::store) use db::Db;
pub(in crate::store) use error::{Error, Result};
pub(in crate::store) use parameters::{ToValue, params};
pub(in crate::store) use row::Row;
pub(in crate::store) use value::{OwnedValue, Value};
