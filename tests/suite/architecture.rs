//! The rules that ARCHITECTURE.md states, held to.

use std::path::{Path, PathBuf};

/// The floors, bottom first. A module may use its own floor's and lower ones.
const FLOORS: [&[&str]; 4] = [
    &["domain"],
    &["pagerduty", "backend", "catalog", "store"],
    &["http", "forward"],
    &["cli", "run", "embedded", "main"],
];

/// The side, for floor 1 and up. It uses the domain and itself only.
const SIDE: [&str; 6] = ["clock", "config", "http_client", "log_limit", "random", "telemetry"];

/// The exception: the gauges are of what the store counts.
const SIDE_TO_FLOOR: (&str, &str) = ("telemetry", "store");

/// Neighbours on one floor that know nothing of each other.
const STRANGERS: [(&str, &str); 5] = [
    ("http", "forward"),
    ("forward", "http"),
    ("pagerduty", "store"),
    ("store", "pagerduty"),
    // Else the exception of the side would be a cycle.
    ("store", "telemetry"),
];

fn sources() -> Vec<(PathBuf, String)> {
    fn visit(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                visit(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                found.push((path, text));
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    visit(&root, &mut found);
    found.into_iter().map(|(path, text)| (path.strip_prefix(&root).unwrap().to_owned(), text)).collect()
}

/// The part of a file that ships.
fn shipped(text: &str) -> &str {
    text.split("#[cfg(test)]").next().unwrap_or_default()
}

/// The modules that the file names by `crate::`; a name that the crate exports is its module's (`Embedded`).
fn used(text: &str) -> impl Iterator<Item = String> {
    shipped(text).split("crate::").skip(1).map(|used| {
        let name: String = used.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        name.to_lowercase()
    })
}

fn module(path: &Path) -> String {
    path.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs").to_owned()
}

fn floor(module: &str) -> Option<usize> {
    FLOORS.iter().position(|floor| floor.contains(&module))
}

#[test]
fn imports_point_down_only() {
    for (path, text) in sources() {
        let from = module(&path);
        let Some(from_floor) = floor(&from) else { continue };
        for to in used(&text) {
            let to_floor = floor(&to).unwrap_or(0);
            assert!(to_floor <= from_floor, "{}: {from} must not know {to}", path.display());
            assert!(!STRANGERS.contains(&(&from, &to)), "{}: {from} and {to} are strangers", path.display());
            assert!(
                from != "domain" || to == "domain",
                "{}: the domain knows nothing but itself",
                path.display()
            );
        }
    }
}

#[test]
fn the_side_knows_the_domain_and_itself() {
    for (path, text) in sources() {
        let from = module(&path);
        if !SIDE.contains(&from.as_str()) {
            continue;
        }
        for to in used(&text) {
            let is_fine = to == "domain"
                || SIDE.contains(&to.as_str())
                || (from.as_str(), to.as_str()) == SIDE_TO_FLOOR;
            assert!(is_fine, "{}: the side must not know {to}", path.display());
        }
    }
}

#[test]
fn every_module_has_its_place() {
    for (path, _) in sources() {
        let module = module(&path);
        assert!(
            module == "lib" || floor(&module).is_some() || SIDE.contains(&module.as_str()),
            "{}: on no floor, and not on the side",
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

#[test]
fn only_the_store_knows_sql() {
    for (path, text) in sources().into_iter().filter(|(path, _)| module(path) != "store") {
        assert!(!shipped(&text).contains("rusqlite"), "{} knows rusqlite", path.display());
    }
}

/// JSON goes to a terminal too: `say_json` writes the controls that a terminal would obey as escapes.
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
    assert_eq!(calls, ["cli/table.rs"], "print JSON with `say_json`");
}
