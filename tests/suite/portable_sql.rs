//! The SQL of the store is taken by PostgreSQL, too.
//!
//! Every SQL text in `src/store` is prepared on a PostgreSQL server, over the schema that PostgreSQL will have. Texts that
//! are put together at run time are made from their literals by `assembled.rs`. Nothing is executed, so this does not show
//! that both engines answer the same.
//!
//! Two things differ by rule, and an engine changes them in every text: a parameter `?1` is `$1` in PostgreSQL, and
//! `INDEXED BY` with its name is left out.

mod assembled;
mod literals;
mod longest_rows;
mod schemas;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::LazyLock;

use regex::{Captures, Regex};

use self::assembled::{ASSEMBLED, expand};
use self::literals::{Literal, literals};
use crate::postgres::Schema;

/// Statements that only SQLite has: the file, the beginning of the statement, and its purpose.
const ONLY_SQLITE: &[(&str, &str, &str)] = &[
    (
        "engine/sqlite/backup.rs",
        "BEGIN; SELECT count(*) FROM sqlite_schema",
        "a snapshot for the copy of the file",
    ),
    ("engine/sqlite/backup.rs", "PRAGMA integrity_check", "a check of the copied file"),
    ("engine/sqlite/checkpoint.rs", "PRAGMA wal_checkpoint", "SQLite's write-ahead log"),
    ("engine/sqlite/store_file.rs", "PRAGMA synchronous = FULL", "the durability of a transaction"),
    ("engine/sqlite/store_file.rs", "PRAGMA synchronous = NORMAL", "the durability of a transaction"),
    ("engine/sqlite/connection.rs", "BEGIN DEFERRED", "a snapshot for reading"),
    ("engine/sqlite/open.rs", "PRAGMA journal_mode", "SQLite's write-ahead log"),
    ("engine/sqlite/open.rs", "SELECT count(*) FROM sqlite_schema WHERE", "the owner of a file"),
    ("engine/sqlite/open.rs", "SELECT count(*) FROM sqlite_schema", "the owner of a file"),
    ("engine/sqlite/store_file.rs", "BEGIN IMMEDIATE", "the one writer"),
    ("engine/sqlite/new_file.rs", "BEGIN IMMEDIATE", "the one writer"),
    ("engine/sqlite/new_file.rs", "PRAGMA integrity_check", "a check of the copied file"),
    ("engine/sqlite/new_file.rs", "SELECT seq FROM sqlite_sequence", "ids that are never used again"),
    ("engine/sqlite/new_file.rs", "UPDATE sqlite_sequence", "ids that are never used again"),
    ("engine/sqlite/new_file.rs", "INSERT INTO sqlite_sequence", "ids that are never used again"),
    ("engine/sqlite/space.rs", "PRAGMA freelist_count", "free space in the file"),
    ("engine/sqlite/space.rs", "PRAGMA incremental_vacuum", "free space in the file"),
];

/// The types that parameters and columns may have. Other types would need other values in Rust.
const PARAMETER_TYPES: [&str; 3] = ["bigint", "bytea", "text"];
const COLUMN_TYPES: [&str; 4] = ["bigint", "boolean", "bytea", "text"];

/// A statement, with the file that it is in.
struct Statement {
    file: String,
    text: String,
}

impl Statement {
    fn is_only_sqlites(&self, (file, begins, _): &(&str, &str, &str)) -> bool {
        self.file == *file && self.text.starts_with(begins)
    }
}

/// Every statement of the store.
fn statements() -> Vec<Statement> {
    let all = literals();
    let is_part = |literal: &Literal| literal.constant.as_deref().is_some_and(|name| is_named(&all, name));
    let whole =
        all.iter().filter(|literal| literal.is_statement() && !literal.is_template && !is_part(literal));
    let whole = whole.map(|literal| Statement { file: literal.file.clone(), text: literal.text.clone() });
    let templates = all.iter().filter(|literal| literal.is_template && literal.is_sql());
    let assembled = templates.flat_map(|template| {
        let texts = expand(&all, template);
        texts.into_iter().map(|text| Statement { file: template.file.clone(), text })
    });
    whole.chain(assembled.filter(|statement| literals::is_statement(&statement.text))).collect()
}

/// `true` if a template names this constant. Then the constant is the beginning of statements.
fn is_named(all: &[Literal], constant: &str) -> bool {
    all.iter().any(|literal| literal.is_template && literal.text.contains(&format!("{{{constant}}}")))
}

/// The text as PostgreSQL gets it.
fn for_postgres(text: &str) -> String {
    static INDEX: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\s+INDEXED BY [a-z_]+").unwrap());
    static PARAMETER: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\?([0-9]*)").unwrap());
    let text = INDEX.replace_all(text, "");
    // A parameter without a number has the one after the largest so far.
    let mut largest = 0;
    let text = PARAMETER.replace_all(&text, |found: &Captures<'_>| {
        let number = found[1].parse().unwrap_or(largest + 1);
        largest = largest.max(number);
        format!("${number}")
    });
    text.into_owned()
}

/// Prepares the statements, and returns what is wrong with them.
fn prepare(schema: &Schema, statements: &[Statement]) -> Vec<String> {
    let mut script = "\\set VERBOSITY terse\n".to_owned();
    for (number, Statement { text, .. }) in statements.iter().enumerate() {
        let text = for_postgres(text);
        writeln!(script, "PREPARE statement_{number} AS {text};").unwrap();
        writeln!(script, "\\echo @error {number} :ERROR :LAST_ERROR_MESSAGE").unwrap();
        // Prints the name and the type of each column of the result.
        writeln!(script, "{text} \\gdesc").unwrap();
        writeln!(script, "\\echo @end {number}").unwrap();
    }
    script.push_str(
        "SELECT '@parameter ' || substr(name, 11) || ' ' || parameter FROM pg_prepared_statements,
            unnest(parameter_types) AS parameter WHERE name LIKE 'statement@_%' ESCAPE '@';",
    );
    let (printed, _) = schema.run(&script);
    let mut wrong = BTreeSet::new();
    let mut ended = 0;
    let mut current = 0;
    let mut add = |number: usize, problem: String| {
        wrong.insert((number, problem));
    };
    for line in printed.lines() {
        let words: Vec<&str> = line.splitn(4, ' ').collect();
        match words.as_slice() {
            ["@error", number, is_error, message @ ..] => {
                current = number.parse().unwrap();
                if *is_error == "true" {
                    add(current, message.concat());
                }
            }
            ["@end", ..] => ended += 1,
            ["@parameter", number, kind @ ..] => {
                let kind = kind.join(" ");
                if !PARAMETER_TYPES.contains(&kind.as_str()) {
                    add(number.parse().unwrap(), format!("a parameter is {kind}"));
                }
            }
            _ => match line.rsplit_once('|') {
                Some((column, kind)) if !COLUMN_TYPES.contains(&kind) => {
                    add(current, format!("the column {column} is {kind}"));
                }
                _ => {}
            },
        }
    }
    assert_eq!(ended, statements.len(), "psql ended early");
    let shown = |(number, problem): (usize, String)| {
        let Statement { file, text }: &Statement = &statements[number];
        format!("{file}: {problem}\n    {text}")
    };
    wrong.into_iter().map(shown).collect()
}

#[test]
fn postgresql_takes_every_statement() {
    let Some(schema) = Schema::of_store("portable_sql") else { return };
    let mut statements = statements();
    statements.retain(|statement| !ONLY_SQLITE.iter().any(|exception| statement.is_only_sqlites(exception)));
    // There are fewer if the sources are not read.
    assert!(statements.len() > 150, "only {} statements are found", statements.len());
    let wrong = prepare(&schema, &statements);
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), statements.len(), wrong.join("\n"));
}

#[test]
fn every_exception_is_a_statement_that_postgresql_refuses() {
    let Some(schema) = Schema::of_store("portable_sql_exceptions") else { return };
    let statements = statements();
    for exception in ONLY_SQLITE {
        let found: Vec<&Statement> =
            statements.iter().filter(|statement| statement.is_only_sqlites(exception)).collect();
        assert!(!found.is_empty(), "{exception:?} does not occur any more");
        for Statement { file, text } in found {
            let statement = Statement { file: file.clone(), text: text.clone() };
            assert!(!prepare(&schema, &[statement]).is_empty(), "PostgreSQL takes {text}");
        }
    }
}

/// Values of another type, and texts of another dialect, are noticed.
#[test]
fn what_is_not_portable_is_noticed() {
    let Some(schema) = Schema::of_store("portable_sql_mistakes") else { return };
    for (text, problem) in [
        ("SELECT iif(id = 1, 2, 3) FROM event", "function iif(boolean, integer, integer) does not exist"),
        ("SELECT id FROM event WHERE ?1 IS NULL", "could not determine data type of parameter $1"),
        ("SELECT length(body) FROM event", "the column length is integer"),
        ("SELECT id FROM event WHERE substr(source, ?1) = ''", "a parameter is integer"),
    ] {
        let statement = Statement { file: "some.rs".to_owned(), text: text.to_owned() };
        assert_eq!(prepare(&schema, &[statement]), [format!("some.rs: {problem}\n    {text}")]);
    }
}

/// A part that is in no list would be a statement that nothing prepares.
#[test]
fn every_part_of_a_statement_is_known() {
    let all = literals();
    let parts: BTreeSet<&str> = ASSEMBLED.iter().flat_map(assembled::Assembled::parts).collect();
    let unknown: Vec<&Literal> = all
        .iter()
        .filter(|literal| literal.is_sql() && !literal.is_statement() && !literal.is_template)
        .filter(|literal| literal.constant.is_none() && !parts.contains(literal.text.as_str()))
        .collect();
    assert!(unknown.is_empty(), "add these to assembled.rs: {unknown:#?}");
    let texts: BTreeSet<&str> = all.iter().map(|literal| literal.text.as_str()).collect();
    let gone: Vec<&&str> = parts.iter().filter(|part| !part.is_empty() && !texts.contains(*part)).collect();
    assert!(gone.is_empty(), "remove these from assembled.rs: {gone:#?}");
}
