//! Stores as SQL, as in `fixtures/store`.

use std::path::Path;

use rusqlite::Connection;

const TABLES: &str =
    "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name";

/// SQL that creates a copy of a store.
pub(crate) fn as_sql(store: &Path) -> String {
    let db = Connection::open(store).unwrap();
    let version: u32 = db.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
    let mut sql = format!("PRAGMA user_version = {version};\nPRAGMA foreign_keys = OFF;\nBEGIN;\n");
    for made_by in schema(store) {
        sql.extend([&made_by, ";\n"]);
    }
    for table in column(&db, TABLES) {
        let columns = column(&db, &format!("SELECT name FROM pragma_table_info('{table}') ORDER BY cid"));
        // Bodies are JSON, so they are written as readable text.
        let quoted = columns.iter().map(|name| {
            format!(
                "CASE WHEN typeof({name}) = 'blob' THEN 'CAST(' || quote(CAST({name} AS TEXT)) || ' AS BLOB)' \
                 ELSE quote({name}) END"
            )
        });
        let values = quoted.collect::<Vec<_>>().join(" || ', ' || ");
        for row in column(&db, &format!("SELECT {values} FROM \"{table}\" ORDER BY 1")) {
            sql.extend(["INSERT INTO ", &table, " (", &columns.join(", "), ") VALUES (", &row, ");\n"]);
        }
    }
    sql + "COMMIT;\n"
}

/// Creates a store from SQL. Replaces an existing store.
pub(crate) fn put(store: &Path, sql: &str) {
    for end in ["", "-wal", "-shm"] {
        let mut name = store.as_os_str().to_owned();
        name.push(end);
        let _ = std::fs::remove_file(name);
    }
    Connection::open(store).unwrap().execute_batch(sql).unwrap();
}

/// The SQL of each table and index, in the order of their creation.
pub(crate) fn schema(store: &Path) -> Vec<String> {
    let sql =
        "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' ORDER BY rowid";
    column(&Connection::open(store).unwrap(), sql)
}

/// The tables that have rows.
pub(crate) fn filled_tables(store: &Path) -> Vec<String> {
    let db = Connection::open(store).unwrap();
    let mut tables = column(&db, TABLES);
    tables.retain(|table| !column(&db, &format!("SELECT '' FROM \"{table}\" LIMIT 1")).is_empty());
    tables
}

/// The first column of every row.
fn column(db: &Connection, sql: &str) -> Vec<String> {
    let mut statement = db.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}
