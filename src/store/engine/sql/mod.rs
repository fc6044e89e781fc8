//! SQL without the types of an engine: connections, parameters, rows and errors. Every statement of the store is run
//! through them.

pub(in crate::store) mod db;
pub(in crate::store) mod error;
pub(in crate::store) mod param;
pub(in crate::store) mod row;
pub(in crate::store) mod value;

pub(in crate::store) use db::Db;
pub(in crate::store) use error::{Error, Result};
pub(in crate::store) use param::{Param, ToParam, params};
pub(in crate::store) use row::Row;
