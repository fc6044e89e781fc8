//! The schemas of both engines have the same tables.

use std::path::Path;

use rusqlite::Connection;

use crate::postgres::Schema;

/// The columns of each table: the type, by its name in PostgreSQL, and the rules for values.
fn columns_of_sqlite(db: &Connection) -> Vec<String> {
    let sql = "SELECT object.name || '.' || field.name || ' ' || CASE field.type
            WHEN 'INTEGER' THEN 'bigint' WHEN 'TEXT' THEN 'text' WHEN 'BLOB' THEN 'bytea' ELSE field.type END
            || CASE WHEN field.\"notnull\" = 1 OR field.pk > 0 THEN ' NOT NULL' ELSE '' END
            || coalesce(' DEFAULT ' || field.dflt_value, '')
        FROM sqlite_schema AS object, pragma_table_info(object.name) AS field
        WHERE object.type = 'table' AND object.name NOT LIKE 'sqlite~_%' ESCAPE '~'
        ORDER BY object.name, field.cid";
    lines(db, sql)
}

fn lines(db: &Connection, sql: &str) -> Vec<String> {
    let mut statement = db.prepare(sql).unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
}

/// A store of SQLite, made by its migrations.
fn sqlite() -> Connection {
    let db = Connection::open_in_memory().unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store/engine/migrations");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "sql"));
    files.sort();
    for file in &files {
        db.execute_batch(&std::fs::read_to_string(file).unwrap()).unwrap();
    }
    let newest = usize::try_from(pagerduty_dora::store::SCHEMA).unwrap();
    assert_eq!(files.len(), newest);
    db
}

fn postgres(schema: &Schema, sql: &str) -> Vec<String> {
    let (printed, messages) = schema.run(sql);
    assert_eq!(messages, "");
    printed.lines().map(str::to_owned).collect()
}

#[test]
fn both_have_the_same_columns() {
    let Some(schema) = Schema::of_store("same_columns") else { return };
    let columns = "SELECT table_name || '.' || column_name || ' ' || data_type
            || CASE is_nullable WHEN 'NO' THEN ' NOT NULL' ELSE '' END
            || coalesce(' DEFAULT ' || replace(column_default, '::text', ''), '')
        FROM information_schema.columns JOIN information_schema.tables USING (table_schema, table_name)
        WHERE table_schema = current_schema() AND table_type = 'BASE TABLE'
        ORDER BY table_name COLLATE \"C\", ordinal_position;";
    assert_eq!(postgres(&schema, columns), columns_of_sqlite(&sqlite()));
}

/// Texts sort by their bytes, as in SQLite. Cursors and ties depend on it.
#[test]
fn every_text_of_postgresql_is_compared_by_its_bytes() {
    let Some(schema) = Schema::of_store("text_by_bytes") else { return };
    let others = "SELECT table_name || '.' || column_name FROM information_schema.columns
        WHERE table_schema = current_schema() AND data_type = 'text' AND collation_name IS DISTINCT FROM 'C';";
    assert_eq!(postgres(&schema, others), Vec::<String>::new());
}

#[test]
fn both_have_the_same_view() {
    let Some(schema) = Schema::of_store("same_view") else { return };
    let db = sqlite();
    let of_sqlite = "SELECT object.name || '.' || field.name
        FROM sqlite_schema AS object, pragma_table_info(object.name) AS field
        WHERE object.type = 'view' ORDER BY object.name, field.cid";
    let of_postgres = "SELECT table_name || '.' || column_name FROM information_schema.columns
        JOIN information_schema.views USING (table_schema, table_name)
        WHERE table_schema = current_schema() ORDER BY table_name COLLATE \"C\", ordinal_position;";
    assert_eq!(postgres(&schema, of_postgres), lines(&db, of_sqlite));
}

/// The columns of each unique index and of each primary key.
#[test]
fn both_have_the_same_unique_indexes() {
    let Some(schema) = Schema::of_store("same_unique_indexes") else { return };
    let db = sqlite();
    // A primary key that is the number of the row has no index in SQLite.
    let of_sqlite = "SELECT name || ' ' || columns FROM (
            SELECT object.name, (SELECT group_concat(name, ', ') FROM (
                SELECT name FROM pragma_index_info(list.name) ORDER BY seqno)) AS columns
            FROM sqlite_schema AS object, pragma_index_list(object.name) AS list
            WHERE object.type = 'table' AND list.\"unique\" = 1
            UNION
            SELECT object.name, (SELECT group_concat(name, ', ') FROM (
                SELECT name FROM pragma_table_info(object.name) WHERE pk > 0 ORDER BY pk))
            FROM sqlite_schema AS object
            WHERE object.type = 'table' AND object.name NOT LIKE 'sqlite~_%' ESCAPE '~'
        ) ORDER BY name, columns";
    let of_postgres = "SELECT name || ' ' || columns FROM (
            SELECT relname AS name, (SELECT string_agg(attname::text, ', ' ORDER BY place) FROM
                unnest(indkey) WITH ORDINALITY AS key (number, place)
                JOIN pg_attribute ON attrelid = indrelid AND attnum = number) AS columns
            FROM pg_index JOIN pg_class ON pg_class.oid = indrelid
            WHERE indisunique AND relnamespace = current_schema()::regnamespace
        ) AS keys ORDER BY name COLLATE \"C\", columns COLLATE \"C\";";
    assert_eq!(postgres(&schema, of_postgres), lines(&db, of_sqlite));
}

#[test]
fn both_have_the_same_other_indexes() {
    let Some(schema) = Schema::of_store("same_indexes") else { return };
    let db = sqlite();
    let of_sqlite = "SELECT tbl_name || '.' || name FROM sqlite_schema
        WHERE type = 'index' AND sql IS NOT NULL ORDER BY tbl_name, name";
    let of_postgres = "SELECT tablename || '.' || indexname FROM pg_indexes
        JOIN pg_class ON relname = indexname AND relnamespace = schemaname::regnamespace
        JOIN pg_index ON indexrelid = pg_class.oid
        WHERE schemaname = current_schema() AND NOT indisunique
        ORDER BY tablename COLLATE \"C\", indexname COLLATE \"C\";";
    assert_eq!(postgres(&schema, of_postgres), lines(&db, of_sqlite));
}

/// What a row may not be: the checks of SQLite refuse the same rows here.
#[test]
fn both_check_the_subject_of_an_outbox_row() {
    let Some(schema) = Schema::of_store("same_checks") else { return };
    let db = sqlite();
    let insert = |topic: &str, failure: &str, deployment: &str| {
        format!(
            "INSERT INTO outbox (backend, topic, failure, deployment, revision, created_at_ns, lane, action, body)
            VALUES ('metrics', '{topic}', {failure}, {deployment}, 1, 0, 'main', 'replace', '');"
        )
    };
    for (topic, failure, deployment) in
        [("failure", "NULL", "NULL"), ("failure", "1", "1"), ("failure", "NULL", "1"), ("mark", "1", "NULL")]
    {
        let insert = insert(topic, failure, deployment);
        let (_, message) = schema.run(&insert);
        assert!(message.contains("violates check constraint"), "{insert}\n{message}");
        let in_sqlite = insert.replace("'')", "x'')");
        let message = db.execute(&in_sqlite, []).unwrap_err().to_string();
        assert!(message.contains("CHECK constraint failed"), "{in_sqlite}\n{message}");
    }
}
