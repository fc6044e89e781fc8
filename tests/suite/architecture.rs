//! Checks of the rules in ARCHITECTURE.md.

mod imports;

use std::path::{Path, PathBuf};

use self::imports::{Crate, Module, circles};
use crate::readable::rust_files;

/// The floors, bottom first. A module may use modules of its own floor and of lower ones.
const FLOORS: [&[&str]; 4] = [
    &["domain"],
    &["sources", "backend", "catalog", "store"],
    &["http", "forward", "reconcile", "lease"],
    &["cli", "run", "embedded", "lib", "main"],
];

/// The modules beside the floors. Floors 1 to 3 may use them. They use only the domain and each other.
const BESIDE_THE_FLOORS: [&str; 6] = ["clock", "config", "http_client", "log_limit", "random", "telemetry"];

/// The exception: the gauges show counts from the store.
const EXCEPTION: (&str, &str) = ("telemetry", "store");

/// The folders of the store, bottom first. The store's handle is above them.
const STORE: [&str; 6] = ["engine", "facts", "state", "outbox", "read", "copy"];

/// Pairs of modules that may not use each other: the first may not use the second.
const FORBIDDEN_PAIRS: &[(&str, &str)] = &[
    ("http", "forward"),
    ("http", "reconcile"),
    ("forward", "reconcile"),
    ("reconcile", "http"),
    ("reconcile", "forward"),
    ("forward", "http"),
    ("sources", "store"),
    ("store", "sources"),
    // `telemetry` uses `store`, so this would be a cycle.
    ("store", "telemetry"),
];

/// Every file of the program, by its path below `src`, with its text.
fn sources() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    rust_files("src")
        .into_iter()
        .map(|(path, text)| (path.strip_prefix(&root).unwrap().to_owned(), text))
        .collect()
}

/// The part of a file before its tests.
fn shipped(text: &str) -> &str {
    text.split("#[cfg(test)]").next().unwrap_or_default()
}

/// The crate's files, and which uses which.
fn imports() -> Crate {
    Crate::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"))
}

/// Calls `check` for each import: with the file, its top-level module, and the top-level module of the file it uses.
fn each_import(check: impl Fn(&Path, &str, &str)) {
    let imports = imports();
    for (from, uses) in imports.arrows() {
        for to in uses {
            check(imports.file(from), top(from), top(to));
        }
    }
}

/// The top-level module that a module is, or is in.
fn top(module: &Module) -> &str {
    module.first().map_or("lib", String::as_str)
}

fn module(path: &Path) -> String {
    path.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs").to_owned()
}

fn floor(module: &str) -> Option<usize> {
    FLOORS.iter().position(|floor| floor.contains(&module))
}

#[test]
fn imports_point_down_only() {
    each_import(|file, from, to| {
        let (Some(from_floor), Some(to_floor)) = (floor(from), floor(to)) else { return };
        assert!(to_floor <= from_floor, "{}: {from} must not use {to}", file.display());
        assert!(
            !FORBIDDEN_PAIRS.contains(&(from, to)),
            "{}: {from} and {to} must not use each other",
            file.display()
        );
    });
}

#[test]
fn the_folders_of_the_store_import_down_only() {
    let place = |module: &Module| match module.as_slice() {
        [store, folder, ..] if store == "store" => {
            // The handle, and its part for the forwarding loops, are above all folders.
            Some(STORE.iter().position(|name| name == folder).unwrap_or(STORE.len()))
        }
        [store] if store == "store" => Some(STORE.len()),
        _ => None,
    };
    let imports = imports();
    for (from, uses) in imports.arrows() {
        for to in uses {
            let (Some(from_place), Some(to_place)) = (place(from), place(to)) else { continue };
            assert!(
                to_place <= from_place,
                "{} must not use {}",
                imports.file(from).display(),
                to.join("::")
            );
        }
    }
}

#[test]
fn the_domain_uses_only_itself() {
    each_import(|file, from, to| {
        assert!(from != "domain" || to == "domain", "{}: the domain must not use {to}", file.display());
    });
}

#[test]
fn the_side_uses_only_the_domain_and_itself() {
    each_import(|file, from, to| {
        let is_allowed = !BESIDE_THE_FLOORS.contains(&from)
            || to == "domain"
            || BESIDE_THE_FLOORS.contains(&to)
            || (from, to) == EXCEPTION;
        assert!(is_allowed, "{}: the side must not use {to}", file.display());
    });
}

/// Files that use each other, directly or through others, can only be understood, tested and changed together.
#[test]
fn no_files_use_each_other_in_a_circle() {
    let imports = imports();
    let shown = |circle: Vec<&Module>| {
        circle.into_iter().map(|module| imports.file(module).display().to_string()).collect::<Vec<_>>()
    };
    let circles: Vec<String> =
        circles(&imports.arrows()).into_iter().map(|circle| shown(circle).join(" -> ")).collect();
    assert!(circles.is_empty(), "files use each other in a circle:\n{}", circles.join("\n"));
}

#[test]
fn every_module_has_its_place() {
    for (path, _) in sources() {
        let module = module(&path);
        assert!(
            floor(&module).is_some() || BESIDE_THE_FLOORS.contains(&module.as_str()),
            "{}: its module is on no floor and not on the side",
            path.display()
        );
    }
}

#[test]
fn the_domain_knows_no_http_sql_threads_or_clock() {
    for (path, text) in sources().into_iter().filter(|(path, _)| module(path) == "domain") {
        for word in [
            "tokio",
            "axum",
            "reqwest",
            "rusqlite",
            "toml::",
            "std::thread",
            "SystemTime",
            "Instant",
            "async ",
        ] {
            assert!(!shipped(&text).contains(word), "{} mentions {word}", path.display());
        }
    }
}

/// Looks for words of PagerDuty's wire format as they appear in code.
#[test]
fn the_domain_knows_no_words_of_a_wire_format() {
    for (path, text) in sources().into_iter().filter(|(path, _)| module(path) == "domain") {
        if path.iter().any(|part| part == "tests" || part == "tests.rs") {
            continue;
        }
        for word in ["\"incident.", "\"pagey", "\"html_url", "\"resolve_reason", "\"pagerduty\""] {
            assert!(!shipped(&text).contains(word), "{} mentions {word}", path.display());
        }
    }
}

/// Folder beside the sources with helpers of several of them.
const HELPERS: &str = "deployment_api";

/// The source in whose folder a module is.
fn source_of(module: &Module) -> Option<&String> {
    let folder = |name: &&String| {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("src/sources").join(name.as_str()).is_dir()
    };
    module.get(1).filter(|name| top(module) == "sources" && *name != HELPERS && folder(name))
}

#[test]
fn sources_do_not_use_each_other() {
    let imports = imports();
    for (from, uses) in imports.arrows() {
        let Some(own) = source_of(from) else { continue };
        for other in uses.into_iter().filter_map(source_of) {
            assert_eq!(own, other, "{} uses another source", imports.file(from).display());
        }
    }
}

/// The folders of the engines, with the crate that only each of them knows.
const ENGINES: [(&str, &str); 2] =
    [("store/engine/sqlite", "rusqlite"), ("store/engine/postgres", "tokio_postgres")];

/// Files that choose an engine, or give its public items to other modules.
const KNOW_ENGINES: [&str; 9] = [
    "store/engine/copy_ends.rs",
    "store/engine/copy_error.rs",
    "store/engine/folding.rs",
    "store/engine/open_store.rs",
    "store/engine/session.rs",
    "store/engine/shared_gauges.rs",
    "store/engine/sql/db.rs",
    "store/engine/sql/row.rs",
    "store/mod.rs",
];

/// Words that only one engine understands.
const DIALECT: [&str; 8] = [
    "PRAGMA",
    "BEGIN IMMEDIATE",
    "sqlite_schema",
    "rowid",
    "json_each",
    "unnest",
    "EXPLAIN QUERY PLAN",
    "clock_timestamp",
];

#[test]
fn only_an_engine_knows_its_crate_and_its_sql() {
    let is_in = |path: &Path, folder: &str| path.starts_with(folder);
    for (path, text) in sources() {
        for (folder, its_crate) in ENGINES {
            let is_own = is_in(&path, folder);
            assert!(is_own || !text.contains(its_crate), "{} mentions {its_crate}", path.display());
        }
        if ENGINES.iter().all(|(folder, _)| !is_in(&path, folder)) {
            for word in DIALECT {
                assert!(!shipped(&text).contains(word), "{} mentions {word}", path.display());
            }
        }
    }
}

#[test]
fn only_a_few_files_know_which_engines_there_are() {
    let imports = imports();
    let engine = |module: &Module| {
        let path = module.join("/");
        ENGINES.into_iter().find(|(folder, _)| path.starts_with(folder)).map(|(folder, _)| folder)
    };
    // Other modules use what `store/mod.rs` gives them.
    for (from, uses) in imports.arrows().into_iter().filter(|(from, _)| top(from) == "store") {
        let file = imports.file(from);
        let may_know_all = KNOW_ENGINES.iter().any(|known| file.ends_with(known));
        for to in uses {
            let may = may_know_all || engine(to).is_none() || engine(to) == engine(from);
            assert!(may, "{} must not use {}", file.display(), to.join("::"));
        }
    }
}

/// JSON may be printed to a terminal, so `print_json` escapes control characters.
#[test]
fn one_function_prints_json_for_all_commands() {
    let calls: Vec<String> = sources()
        .into_iter()
        .filter(|(path, _)| module(path) == "cli")
        .flat_map(|(path, text)| {
            let calls = shipped(&text).matches("serde_json::to_").count();
            std::iter::repeat_n(path.display().to_string(), calls)
        })
        .collect();
    assert_eq!(calls, ["cli/table.rs"], "print JSON with `print_json`");
}
