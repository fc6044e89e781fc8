//! The few differences between SQLite's SQL and PostgreSQL's in the statements of the store.

use std::fmt::Write as _;

/// The statement with PostgreSQL's names of parameters: `$1` in place of `?1`, and without the names of indexes that SQLite is
/// told to use. A parameter without a number has the one after the largest so far.
pub(super) fn prepared(sql: &str) -> String {
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
            let _ = write!(text, "${number}");
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
}
