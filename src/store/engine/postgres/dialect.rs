//! The few differences between SQLite's SQL and PostgreSQL's in the statements of the store.

use std::fmt::Write as _;

use crate::store::engine::sql::error::ErrorKind;
use crate::store::engine::sql::{Error, Result, Value};

/// The statement with PostgreSQL's names of parameters: `$1` in place of `?1`.
pub(super) fn prepared(sql: &str) -> String {
    with_parameters(sql, |number, text| {
        let _ = write!(text, "${number}");
    })
}

/// The statement with its values, for a cursor, which takes no parameters.
pub(super) fn with_values(sql: &str, params: &[Value<'_>]) -> Result<String> {
    let mut error = None;
    let text = with_parameters(sql, |number, text| match params.get(number.wrapping_sub(1)) {
        Some(param) => literal(*param, text).unwrap_or_else(|refused| error = Some(refused)),
        None => error = Some(Error::new(ErrorKind::Refused, format!("parameter {number} has no value"))),
    });
    error.map_or(Ok(text), Err)
}

/// Writes a value as a literal.
fn literal(param: Value<'_>, text: &mut String) -> Result<()> {
    let written = match param {
        Value::Null => write!(text, "NULL"),
        Value::Integer(number) => write!(text, "({number})::BIGINT"),
        // With standard_conforming_strings, which each session sets, only the quote is special.
        Value::Text(value) if !value.contains('\0') => write!(text, "'{}'::TEXT", value.replace('\'', "''")),
        Value::Text(_) => {
            return Err(Error::new(ErrorKind::Refused, "a text with NUL, which PostgreSQL does not hold"));
        }
        Value::Bytes(bytes) => write!(text, "'\\x{}'::BYTEA", hex::encode(bytes)),
    };
    written.map_err(|error| Error::new(ErrorKind::Refused, error.to_string()))
}

/// The statement without the names of indexes that SQLite is told to use, and with `write` called for the number of each
/// parameter. A parameter without a number has the one after the largest so far.
fn with_parameters(sql: &str, mut write: impl FnMut(usize, &mut String)) -> String {
    let (mut text, mut rest, mut largest) = (String::with_capacity(sql.len() + 16), sql, 0);
    while let Some(place) = rest.find(['?', 'I']) {
        let (before, at) = rest.split_at(place);
        text.push_str(before);
        if let Some(index) = at.strip_prefix(INDEXED_BY) {
            rest = index.trim_start_matches(|letter: char| letter.is_ascii_alphanumeric() || letter == '_');
        } else if let Some(number) = at.strip_prefix('?') {
            rest = number.trim_start_matches(|digit: char| digit.is_ascii_digit());
            let digits = &number[..number.len() - rest.len()];
            let number = digits.parse().unwrap_or(largest + 1);
            largest = largest.max(number);
            write(number, &mut text);
        } else {
            text.push('I');
            rest = &at[1..];
        }
    }
    text.push_str(rest);
    text
}

/// Beginning of SQLite's hint.
const INDEXED_BY: &str = "INDEXED BY ";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_have_dollars_and_no_index_is_named() {
        let sql = "SELECT Id FROM t INDEXED BY t_by_a WHERE a = ?1 AND b = ?12 OR a IN (?, ?)";
        assert_eq!(prepared(sql), "SELECT Id FROM t  WHERE a = $1 AND b = $12 OR a IN ($13, $14)");
    }

    #[test]
    fn values_are_quoted() {
        let values = [Value::Text("it's \\"), Value::Integer(-5), Value::Null, Value::Bytes(b"\x00'")];
        assert_eq!(
            with_values("SELECT ?1, ?2, ?3, ?4", &values).unwrap(),
            "SELECT 'it''s \\'::TEXT, (-5)::BIGINT, NULL, '\\x0027'::BYTEA"
        );
        assert!(with_values("SELECT ?1", &[]).is_err());
        assert!(with_values("SELECT ?1", &[Value::Text("\0")]).is_err());
    }
}
