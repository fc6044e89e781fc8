//! Checks of rules that keep the sources easy to read and to change.

use std::path::{Path, PathBuf};

const MOST_LINES_OF_A_FILE: usize = 400;
const MOST_LINES_OF_A_FUNCTION: usize = 70;

/// Every Rust file in a folder of the repository, with its text.
pub(crate) fn rust_files(folder: &str) -> Vec<(PathBuf, String)> {
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
    let mut found = Vec::new();
    visit(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut found);
    found
}

/// Every file of the program, of its tests and of its benches, with its text.
fn sources() -> Vec<(PathBuf, String)> {
    ["src", "tests", "benches"].into_iter().flat_map(rust_files).collect()
}

/// `true` if a line begins a function: `fn`, perhaps after words such as `pub(super)` and `async`.
fn begins_function(line: &str) -> bool {
    let mut words = line.split_whitespace();
    let is_qualifier = |word: &&str| {
        ["pub", "const", "async", "unsafe", "extern"].iter().any(|known| word.starts_with(known))
    };
    words.find(|word| !is_qualifier(word)) == Some("fn")
}

/// The functions of a text as rustfmt writes it: the first line of each, and its number of lines.
fn functions(text: &str) -> Vec<(&str, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut functions = Vec::new();
    for (at, line) in lines.iter().enumerate().filter(|(_, line)| begins_function(line)) {
        let indent = &line[..line.len() - line.trim_start().len()];
        let ends = |(n, line): &(usize, &&str)| {
            let is_whole = *n == 0 && line.ends_with(['}', ';']);
            let rest = line.strip_prefix(indent).unwrap_or_default();
            is_whole || rest == "}" || (rest.starts_with(')') && rest.ends_with(';'))
        };
        let last = lines[at..].iter().enumerate().find(ends);
        let (last, _) = last.unwrap_or_else(|| panic!("{line} has no end"));
        functions.push((line.trim(), last + 1));
    }
    functions
}

#[test]
fn files_stay_short() {
    for (path, text) in sources() {
        let lines = text.lines().count();
        assert!(lines <= MOST_LINES_OF_A_FILE, "{} has {lines} lines", path.display());
    }
}

#[test]
fn functions_stay_short() {
    let mut seen = 0;
    for (path, text) in sources() {
        for (name, lines) in functions(&text) {
            assert!(lines <= MOST_LINES_OF_A_FUNCTION, "{}: {name} has {lines} lines", path.display());
            seen += 1;
        }
    }
    assert!(seen > 1_000, "only {seen} functions were found");
}

#[test]
fn functions_are_found_with_their_lengths() {
    let text = "fn one() {}\n\nimpl A {\n    pub(super) async fn two(\n        a: B,\n    ) -> C {\n        if d {\n        }\n    \
                }\n\n    fn three();\n}\n\npub const fn four() {\n}\n";
    let found: Vec<usize> = functions(text).into_iter().map(|(_, lines)| lines).collect();
    assert_eq!(found, [1, 6, 1, 2]);
}

#[test]
fn only_store_probe_and_store_edit_use_sql() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite");
    for (path, text) in sources() {
        let Ok(file) = path.strip_prefix(&tests) else { continue };
        let knows = text.lines().any(|line| line.contains("rusqlite::") || line.contains("Link"));
        let is_named = |name: &str| file.starts_with(name) || file == Path::new(&format!("{name}.rs"));
        let may = ["engine", "postgres", "store_probe", "store_edit", "portable_sql", "readable"]
            .into_iter()
            .any(is_named);
        assert!(may || !knows, "{}: use `Probe` (store_probe.rs) to read the store", path.display());
    }
}
