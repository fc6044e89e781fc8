//! Imports between the files of `src/`, from their `use` declarations and the paths in their code.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// Path of a module from the crate's root. The root's path is empty.
pub(super) type Module = Vec<String>;

/// Mentions of other modules in a file, without those in its tests.
#[derive(Debug, Default, PartialEq, Eq)]
struct Source {
    /// Modules that are declared here and have their own file.
    children: Vec<String>,
    /// Imported paths, with their names in this file. `*` stands for all names.
    imports: Vec<(Vec<String>, String)>,
    /// Other paths of at least two segments.
    paths: Vec<Vec<String>>,
    /// Number of inline modules around the place that is read.
    depth: usize,
}

impl Source {
    fn of(text: &str) -> Self {
        let mut source = Self::default();
        source.read(text.parse().expect("Rust"));
        source
    }

    fn read(&mut self, tokens: TokenStream) {
        let trees: Vec<TokenTree> = tokens.into_iter().collect();
        let mut rest = trees.as_slice();
        while let Some(first) = rest.first() {
            rest = match (first, &rest[1..]) {
                (TokenTree::Punct(hash), [TokenTree::Group(attribute), ..]) if hash.as_char() == '#' => {
                    let is_test = attribute.stream().to_string().replace(' ', "") == "cfg(test)";
                    if is_test { behind_item(&rest[2..]) } else { &rest[2..] }
                }
                (TokenTree::Ident(word), [TokenTree::Group(place), tail @ ..])
                    if word == "pub" && place.delimiter() == Delimiter::Parenthesis =>
                {
                    tail
                }
                (TokenTree::Ident(word), [TokenTree::Ident(_), TokenTree::Group(body), tail @ ..])
                    if word == "mod" =>
                {
                    self.depth += 1;
                    self.read(body.stream());
                    self.depth -= 1;
                    tail
                }
                (TokenTree::Ident(word), [TokenTree::Ident(name), tail @ ..]) if word == "mod" => {
                    self.children.push(name.to_string());
                    tail
                }
                (TokenTree::Ident(word), tail) if word == "use" && !is(tail.first(), '<') => {
                    self.import(tail, &[])
                }
                (TokenTree::Ident(_), _) => self.path(rest),
                (TokenTree::Group(group), tail) => {
                    self.read(group.stream());
                    tail
                }
                (_, tail) => tail,
            };
        }
    }

    /// Reads one tree of a `use` declaration, and returns what follows it.
    fn import<'a>(&mut self, mut rest: &'a [TokenTree], prefix: &[String]) -> &'a [TokenTree] {
        let mut path = prefix.to_vec();
        loop {
            match rest {
                [TokenTree::Group(group), tail @ ..] => {
                    let list: Vec<TokenTree> = group.stream().into_iter().collect();
                    let mut list = list.as_slice();
                    while !list.is_empty() {
                        list = self.import(list, &path);
                        list = if is(list.first(), ',') { &list[1..] } else { list };
                    }
                    return tail;
                }
                [TokenTree::Punct(star), tail @ ..] if star.as_char() == '*' => {
                    self.imported(path, "*".to_owned());
                    return tail;
                }
                [TokenTree::Punct(_), tail @ ..] => rest = tail,
                [TokenTree::Ident(segment), tail @ ..] => {
                    // `a::{self}` is `a`.
                    if segment != "self" || path.is_empty() {
                        path.push(segment.to_string());
                    }
                    if is(tail.first(), ':') {
                        rest = tail;
                        continue;
                    }
                    let name = path.last().expect("a segment").clone();
                    let (name, tail) = match tail {
                        [TokenTree::Ident(word), TokenTree::Ident(other), tail @ ..] if word == "as" => {
                            (other.to_string(), tail)
                        }
                        _ => (name, tail),
                    };
                    self.imported(path, name);
                    return tail;
                }
                _ => return rest,
            }
        }
    }

    /// Records an import. An import in an inline module gives the rest of the file no name.
    fn imported(&mut self, path: Vec<String>, name: String) {
        let path = self.of_file(path);
        if self.depth == 0 {
            self.imports.push((path, name));
        } else {
            self.paths.push(path);
        }
    }

    /// Reads one path in the code, and returns what follows it.
    fn path<'a>(&mut self, mut rest: &'a [TokenTree]) -> &'a [TokenTree] {
        let mut path = Vec::new();
        while let [TokenTree::Ident(segment), tail @ ..] = rest {
            path.push(segment.to_string());
            rest = tail;
            match tail {
                [one, other, more @ ..] if is(Some(one), ':') && is(Some(other), ':') => rest = more,
                _ => break,
            }
        }
        if path.len() > 1 {
            self.paths.push(self.of_file(path));
        }
        rest
    }

    /// A path as it would be written outside of the file's inline modules.
    fn of_file(&self, path: Vec<String>) -> Vec<String> {
        let supers = path.iter().take_while(|segment| *segment == "super").count();
        match supers {
            0 => path,
            _ if supers <= self.depth => [vec!["self".to_owned()], path[supers..].to_vec()].concat(),
            _ => path[self.depth..].to_vec(),
        }
    }
}

fn is(tree: Option<&TokenTree>, punct: char) -> bool {
    matches!(tree, Some(TokenTree::Punct(found)) if found.as_char() == punct)
}

/// Tokens after an item, which ends with a block or a semicolon.
fn behind_item(trees: &[TokenTree]) -> &[TokenTree] {
    let is_end = |tree: &TokenTree| {
        matches!(tree, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace)
            || is(Some(tree), ';')
    };
    let end = trees.iter().position(is_end).map_or(trees.len(), |end| end + 1);
    &trees[end..]
}

/// The files of the crate, by the modules that they hold.
pub(super) struct Crate(BTreeMap<Module, (PathBuf, Source)>);

impl Crate {
    /// Reads all files below `src/` that are compiled into the program.
    pub(super) fn read(src: &Path) -> Self {
        let mut found = Self(BTreeMap::new());
        found.add(Vec::new(), &src.join("lib.rs"), src);
        found.add(vec!["main".to_owned()], &src.join("main.rs"), src);
        found
    }

    fn add(&mut self, module: Module, file: &Path, folder: &Path) {
        let source = Source::of(&std::fs::read_to_string(file).unwrap());
        for child in &source.children {
            let own = folder.join(child);
            let files = [own.with_extension("rs"), own.join("mod.rs")];
            let file = files.iter().find(|file| file.exists()).expect("the file of a module");
            self.add([module.as_slice(), std::slice::from_ref(child)].concat(), file, &own);
        }
        self.0.insert(module, (file.to_owned(), source));
    }

    /// Path of the file that holds a module.
    pub(super) fn file(&self, module: &Module) -> &Path {
        &self.0[module].0
    }

    /// The other files that each file uses. An import of a re-exported name counts as an import from the file that
    /// defines the name.
    pub(super) fn arrows(&self) -> BTreeMap<&Module, BTreeSet<&Module>> {
        let uses = |from| self.uses(from).filter(move |to| *to != from).collect();
        self.0.keys().map(|from| (from, uses(from))).collect()
    }

    fn uses<'a>(&'a self, from: &'a Module) -> impl Iterator<Item = &'a Module> {
        let source = &self.0[from].1;
        let imports = source.imports.iter().map(|(path, _)| path);
        imports.chain(&source.paths).filter_map(|path| self.defines(&self.absolute(from, path)?))
    }

    /// The path from the crate's root. `None` if it leads out of the crate or stays in the file.
    fn absolute(&self, from: &Module, path: &[String]) -> Option<Vec<String>> {
        let supers = path.iter().take_while(|segment| *segment == "super").count();
        let (base, rest): (&[String], _) = match path[0].as_str() {
            "crate" | "pagerduty_dora" => (&[], &path[1..]),
            "self" => (from, &path[1..]),
            "super" => (&from[..from.len() - supers], &path[supers..]),
            _ if self.0[from].1.children.contains(&path[0]) => (from, path),
            _ => return None,
        };
        Some([base, rest].concat())
    }

    /// The module whose file defines what an absolute path names.
    fn defines(&self, path: &[String]) -> Option<&Module> {
        let modules = (0..=path.len()).rev().find_map(|length| self.0.get_key_value(&path[..length]));
        let (module, (_, source)) = modules?;
        let Some(name) = path.get(module.len()) else { return Some(module) };
        let reexported = source.imports.iter().find(|(_, known)| known == name);
        let Some((target, _)) = reexported else { return Some(module) };
        let target = self.absolute(module, target)?;
        self.defines(&[&target[..], &path[module.len() + 1..]].concat())
    }
}

/// The shortest circle of imports through each file, once for each set of files.
pub(super) fn circles<'a>(arrows: &BTreeMap<&'a Module, BTreeSet<&'a Module>>) -> Vec<Vec<&'a Module>> {
    let mut found = BTreeMap::new();
    for start in arrows.keys() {
        let (mut came_from, mut queue) = (BTreeMap::new(), VecDeque::from([*start]));
        while let Some(here) = queue.pop_front() {
            for next in arrows.get(here).into_iter().flatten() {
                if came_from.contains_key(next) {
                    continue;
                }
                came_from.insert(*next, here);
                queue.push_back(next);
            }
        }
        if came_from.contains_key(start) {
            let mut way = vec![*start];
            let mut here = came_from[start];
            while here != *start {
                way.insert(1, here);
                here = came_from[here];
            }
            found.entry(way.iter().copied().collect::<BTreeSet<_>>()).or_insert(way);
        }
    }
    found.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(path: &str) -> Vec<String> {
        path.split("::").map(str::to_owned).collect()
    }

    #[test]
    fn every_way_to_name_another_module_is_seen() {
        let source = Source::of(
            "//! Of [`crate::doc`].
            pub(in crate::visible) mod child;
            use crate::{a, b::{self, C as D}, e::*};
            pub use self::child::F;
            #[cfg(test)]
            mod tests;
            fn f<'a>(x: &'a super::g::H) -> impl Copy + use<'a> { log!(\"crate::text\", crate::i::J) }
            #[cfg(test)]
            #[derive(Debug)]
            struct K(u8);
            #[cfg(test)]
            mod more { use crate::l; }
            mod inside { use super::m; use super::super::n; }",
        );
        let import = |imported: &str, name: &str| (path(imported), name.to_owned());
        assert_eq!(source.children, ["child"]);
        assert_eq!(
            source.imports,
            [
                import("crate::a", "a"),
                import("crate::b", "b"),
                import("crate::b::C", "D"),
                import("crate::e", "*"),
                import("self::child::F", "F"),
            ]
        );
        assert_eq!(source.paths, ["super::g::H", "crate::i::J", "self::m", "super::n"].map(path));
    }

    #[test]
    fn a_reexported_name_belongs_to_the_file_that_defines_it() {
        let file = |text: &str| (PathBuf::new(), Source::of(text));
        let found = Crate(BTreeMap::from([
            (Vec::new(), file("mod a; mod b; pub use b::B;")),
            (path("a"), file("use crate::B; use std::fmt;")),
            (path("b"), file("mod c; pub use c::B;")),
            (path("b::c"), file("pub struct B(crate::a::A); use super::D;")),
        ]));
        let arrows = found.arrows();
        assert_eq!(arrows[&path("a")], BTreeSet::from([&path("b::c")]));
        assert_eq!(arrows[&path("b::c")], BTreeSet::from([&path("a"), &path("b")]));
        let circles = circles(&arrows);
        assert_eq!(circles, [vec![&path("a"), &path("b::c")], vec![&path("b"), &path("b::c")]]);
    }
}
