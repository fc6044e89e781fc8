//! SQL without the types of an engine: connections, values, rows and errors. Every statement of the store is run
//! through them.
//!
//! `(condition) IS TRUE` hides a condition from PostgreSQL's choice of an index. Use it where another condition has the right
//! index: plans are kept, and an index that suits a small table may be the wrong one for a large one.

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
