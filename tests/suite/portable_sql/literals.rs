//! String literals in the sources of the store.

use std::path::Path;
use std::sync::LazyLock;

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use regex::Regex;

use crate::readable::rust_files;

/// A string literal.
#[derive(Debug, Clone)]
pub(super) struct Literal {
    /// Its file, below `src/store`.
    pub(super) file: String,
    /// Its text.
    pub(super) text: String,
    /// The constant that it is the value of, if it is of one.
    pub(super) constant: Option<String>,
    /// `true` if it is the first argument of `format!`.
    pub(super) is_template: bool,
}

impl Literal {
    /// `true` if it begins like a statement.
    pub(super) fn is_statement(&self) -> bool {
        is_statement(&self.text)
    }

    /// `true` if it is a statement or a part of one.
    pub(super) fn is_sql(&self) -> bool {
        static PART: LazyLock<Regex> = LazyLock::new(|| {
            let words = "SELECT|FROM|WHERE|AND|OR|IS NULL|IS NOT|LIKE|DESC|JOIN|LIMIT|ORDER BY|VALUES|TRUE";
            Regex::new(&format!(r"\b({words})\b|[a-z_]+ (=|<>|<|<=|>|>=) (\?|'|\d)|\?\d|^\{{\}} = ")).unwrap()
        });
        self.is_statement() || PART.is_match(&self.text)
    }
}

/// `true` if a text begins like a statement. The end of a transaction and savepoints are no such texts: they are the
/// same in both engines, and cannot be prepared.
pub(super) fn is_statement(text: &str) -> bool {
    const VERBS: [&str; 12] = [
        "ANALYZE", "ATTACH", "BEGIN", "CREATE", "DELETE", "DETACH", "DROP", "INSERT", "PRAGMA", "SELECT",
        "UPDATE", "WITH",
    ];
    let text = text.trim();
    let first = text.split(|c: char| !c.is_ascii_uppercase()).next().unwrap_or_default();
    VERBS.contains(&first) && first != text
}

/// Every string literal of the store, without its tests.
pub(super) fn literals() -> Vec<Literal> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store");
    let mut found = Vec::new();
    for (path, text) in rust_files("src/store") {
        // Statements of PostgreSQL's own, about its own tables.
        if path.starts_with(root.join("engine/postgres")) {
            continue;
        }
        let file = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
        if !file.ends_with("/tests.rs") && !ONLY_TESTS.contains(&file.as_str()) {
            let tokens: TokenStream = text.parse().expect("Rust");
            Reader { file, found: &mut found }.read(tokens, false);
        }
    }
    found
}

/// Files that only tests use, besides those that are called `tests.rs`.
const ONLY_TESTS: [&str; 1] = ["engine/sqlite/plan.rs"];

struct Reader<'a> {
    file: String,
    found: &'a mut Vec<Literal>,
}

impl Reader<'_> {
    fn read(&mut self, tokens: TokenStream, mut is_template: bool) {
        let trees: Vec<TokenTree> = tokens.into_iter().collect();
        let mut rest = trees.as_slice();
        let mut constant = None;
        while let Some(first) = rest.first() {
            rest = match (first, &rest[1..]) {
                // Attributes, among them documentation, have no SQL.
                (TokenTree::Punct(hash), [TokenTree::Group(attribute), tail @ ..])
                    if hash.as_char() == '#' =>
                {
                    let is_test = attribute.stream().to_string().replace(' ', "") == "cfg(test)";
                    if is_test { behind_item(tail) } else { tail }
                }
                (TokenTree::Punct(hash), [TokenTree::Punct(bang), TokenTree::Group(_), tail @ ..])
                    if hash.as_char() == '#' && bang.as_char() == '!' =>
                {
                    tail
                }
                (TokenTree::Ident(word), [TokenTree::Ident(name), tail @ ..]) if word == "const" => {
                    constant = Some(name.to_string());
                    tail
                }
                (TokenTree::Ident(word), [TokenTree::Punct(_), TokenTree::Group(arguments), tail @ ..])
                    if word == "format" =>
                {
                    self.read(arguments.stream(), true);
                    tail
                }
                (TokenTree::Group(group), tail) => {
                    self.read(group.stream(), false);
                    tail
                }
                (TokenTree::Literal(literal), tail) => {
                    if let Some(text) = value(&literal.to_string()) {
                        let (file, constant) = (self.file.clone(), constant.take());
                        self.found.push(Literal { file, text, constant, is_template });
                    }
                    tail
                }
                (TokenTree::Punct(end), tail) => {
                    constant = constant.filter(|_| end.as_char() != ';');
                    tail
                }
                (_, tail) => tail,
            };
            is_template = false;
        }
    }
}

/// The tokens behind an item.
fn behind_item(tokens: &[TokenTree]) -> &[TokenTree] {
    let ends = |token: &TokenTree| match token {
        TokenTree::Punct(punct) => punct.as_char() == ';',
        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
        _ => false,
    };
    let end = tokens.iter().position(ends).map_or(tokens.len(), |end| end + 1);
    &tokens[end..]
}

/// The text of a string literal. `None` if the literal is no string.
fn value(literal: &str) -> Option<String> {
    if let Some(raw) = literal.strip_prefix('r') {
        let raw = raw.trim_matches('#');
        return Some(raw.strip_prefix('"')?.strip_suffix('"')?.to_owned());
    }
    let inner = literal.strip_prefix('"')?.strip_suffix('"')?;
    let (mut text, mut chars) = (String::new(), inner.chars());
    while let Some(c) = chars.next() {
        match (c, if c == '\\' { chars.next() } else { None }) {
            ('\\', Some('\n')) => {
                let rest = chars.as_str().trim_start();
                chars = rest.chars();
            }
            ('\\', Some('n')) => text.push('\n'),
            ('\\', Some(escaped)) => text.push(escaped),
            _ => text.push(c),
        }
    }
    Some(text)
}

#[test]
fn literals_are_read_as_the_compiler_reads_them() {
    let source = r#"
        /// SELECT in a comment
        const ONE: &str = "SELECT 1 \
            FROM t";
        fn f() { let sql = format!("{ONE} WHERE \"a\" = {}", g("b")); r"ESCAPE '\'"; }
        #[cfg(test)]
        mod tests { const TWO: &str = "SELECT 2"; }
    "#;
    let mut found = Vec::new();
    Reader { file: "some.rs".to_owned(), found: &mut found }.read(source.parse().unwrap(), false);
    let found: Vec<_> = found
        .iter()
        .map(|literal| (literal.text.as_str(), literal.constant.as_deref(), literal.is_template))
        .collect();
    assert_eq!(
        found,
        [
            ("SELECT 1 FROM t", Some("ONE"), false),
            ("{ONE} WHERE \"a\" = {}", None, true),
            ("b", None, false),
            (r"ESCAPE '\'", None, false),
        ]
    );
}
