//! Statements on whole tables, which both engines take.

use super::tables::Table;

/// Largest number of parameters of a statement. SQLite allows 32,766, and PostgreSQL 65,535.
const MOST_PARAMETERS: usize = 4_096;

/// Largest number of rows of a statement: a power of two.
pub(super) fn most_rows(table: &Table) -> usize {
    1 << (MOST_PARAMETERS / table.width()).ilog2()
}

/// Reads the first rows, or those behind a key, which is in the parameters.
pub(super) fn page(table: &Table, is_first: bool) -> String {
    let (columns, name, condition, key) = parts(table);
    let behind =
        if is_first { "TRUE".to_owned() } else { format!("({key}) > {}", tuple(1, table.key.len())) };
    let most = most_rows(table);
    format!("SELECT {columns} FROM {name} WHERE {condition} AND {behind} ORDER BY {key} LIMIT {most}")
}

/// Reads all rows, in the order of the key.
pub(super) fn all(table: &Table) -> String {
    let (columns, name, condition, key) = parts(table);
    format!("SELECT {columns} FROM {name} WHERE {condition} ORDER BY {key}")
}

/// Counts the rows.
pub(super) fn count(table: &Table) -> String {
    let (_, name, condition, _) = parts(table);
    format!("SELECT count(*) FROM {name} WHERE {condition}")
}

/// Reads the greatest number of a table with numbered rows.
pub(super) fn greatest(table: &Table) -> String {
    let name = table.name;
    format!("SELECT max(id) FROM {name}")
}

/// Adds rows.
pub(super) fn insert(table: &Table, rows: usize) -> String {
    let (columns, name, ..) = parts(table);
    let tuples: Vec<String> = (0..rows).map(|row| tuple(row * table.width() + 1, table.width())).collect();
    let tuples = tuples.join(", ");
    format!("INSERT INTO {name} ({columns}) VALUES {tuples}")
}

/// Columns, name, condition and key.
fn parts(table: &Table) -> (String, &str, &str, String) {
    let columns: Vec<&str> = table.columns().collect();
    (columns.join(", "), table.name, table.condition, table.key.join(", "))
}

/// Parameters in parentheses, from this number on.
fn tuple(first: usize, parameters: usize) -> String {
    let parameters: Vec<String> = (first..first + parameters).map(|number| format!("?{number}")).collect();
    format!("({})", parameters.join(", "))
}

#[cfg(test)]
mod tests {
    use super::super::tables::TABLES;
    use super::*;

    fn table(name: &str) -> &'static Table {
        TABLES.iter().find(|table| table.name == name).unwrap()
    }

    #[test]
    fn statements_are_made_of_the_list_of_tables() {
        let attempt = table("attempt");
        assert_eq!(
            page(attempt, false),
            "SELECT outbox, number, ended_at_ns, status, error FROM attempt \
             WHERE TRUE AND (outbox, number) > (?1, ?2) ORDER BY outbox, number LIMIT 512"
        );
        assert_eq!(
            insert(table("related_changes"), 2),
            "INSERT INTO related_changes (failure, changes) VALUES (?1, ?2), (?3, ?4)"
        );
        assert_eq!(
            count(table("progress")),
            "SELECT count(*) FROM progress WHERE name NOT IN ('folded_up_to', 'epoch')"
        );
    }

    #[test]
    fn a_statement_has_few_enough_parameters() {
        for table in &TABLES {
            let rows = most_rows(table);
            assert!(rows.is_power_of_two() && rows * table.width() <= MOST_PARAMETERS, "{}", table.name);
            assert!(2 * rows * table.width() > MOST_PARAMETERS, "{}", table.name);
        }
    }
}
