//! One YAML document as a tree. Tags are ignored, and every scalar is kept as the text that is written. The reader of a
//! key decides which type its value must have.

use granit_parser::{Event, Parser, ScalarStyle, Span, StructureStyle};

use super::document::Document;

/// Most levels of merge keys (`<<`) that are followed.
const MOST_MERGES: u8 = 8;

/// Mistake in a file, and its line (from 1) if the line is known.
pub(super) type Mistake = (Option<u64>, String);

/// One value.
#[derive(Debug)]
enum Node {
    /// A text, a number or a truth value, as it is written.
    Text(String),
    List {
        values: Vec<usize>,
        is_flow: bool,
    },
    /// Keys and values, in their order.
    Map(Vec<(usize, usize)>),
    /// Null, or an alias without an anchor.
    Nothing,
}

/// All values of a document.
#[derive(Debug, Default)]
pub(super) struct Tree {
    /// The values, each with its line in the file.
    nodes: Vec<(Node, u64)>,
    root: Option<usize>,
}

/// List or map that is being read.
struct OpenNode {
    node: usize,
    children: Vec<usize>,
}

impl Tree {
    /// Reads a document.
    ///
    /// # Errors
    /// The text is not YAML.
    pub(super) fn read(document: &Document<'_>) -> Result<Self, Mistake> {
        let mut options = granit_parser::options! { emit_unresolved_aliases: true };
        options.set_emit_comments(false);
        let line = |line: usize| u64::try_from(line).unwrap_or(u64::MAX).saturating_add(document.line - 1);
        let mut tree = Self::default();
        let (mut open, mut anchors) = (Vec::<OpenNode>::new(), std::collections::BTreeMap::new());
        for event in Parser::new_from_str_with_options(document.text, options) {
            let (event, span): (Event<'_>, Span) =
                event.map_err(|error| (Some(line(error.marker().line())), error.info()))?;
            let (node, anchor, opens) = match event {
                Event::Scalar(text, style, anchor, _) => (scalar(&text, style), anchor, false),
                Event::SequenceStart(style, anchor, _) => {
                    let is_flow = style == StructureStyle::Flow;
                    (Node::List { values: Vec::new(), is_flow }, anchor, true)
                }
                Event::MappingStart(_, anchor, _) => (Node::Map(Vec::new()), anchor, true),
                Event::UnresolvedAlias(_) => (Node::Nothing, 0, false),
                Event::Alias(anchor) => {
                    let known = anchors.get(&anchor).copied();
                    let node = known.unwrap_or_else(|| tree.push(Node::Nothing, line(span.start.line())));
                    tree.place(&mut open, node);
                    continue;
                }
                Event::SequenceEnd | Event::MappingEnd => {
                    tree.close(open.pop());
                    continue;
                }
                _ => continue,
            };
            let node = tree.push(node, line(span.start.line()));
            tree.place(&mut open, node);
            if anchor != 0 {
                anchors.insert(anchor, node);
            }
            if opens {
                open.push(OpenNode { node, children: Vec::new() });
            }
        }
        Ok(tree)
    }

    fn push(&mut self, node: Node, line: u64) -> usize {
        self.nodes.push((node, line));
        self.nodes.len() - 1
    }

    /// Adds a value to its parent. Of several outermost values, the first one is the root.
    fn place(&mut self, open: &mut [OpenNode], node: usize) {
        match open.last_mut() {
            Some(parent) => parent.children.push(node),
            None => self.root = self.root.or(Some(node)),
        }
    }

    fn close(&mut self, closed: Option<OpenNode>) {
        let Some(OpenNode { node, children }) = closed else { return };
        match self.nodes.get_mut(node) {
            Some((Node::List { values, .. }, _)) => *values = children,
            Some((Node::Map(pairs), _)) => {
                let (pairs_of, _) = children.as_chunks::<2>();
                *pairs = pairs_of.iter().map(|[key, value]| (*key, *value)).collect();
            }
            _ => {}
        }
    }

    /// The outermost value, or the elements of a JSON array.
    pub(super) fn roots(&self) -> Vec<NodeRef<'_>> {
        let Some(root) = self.root else { return Vec::new() };
        let root = NodeRef { tree: self, node: root };
        match root.node() {
            Some(Node::List { values, is_flow: true }) => root.all(values).collect(),
            _ => vec![root],
        }
    }
}

/// Null of YAML's core schema, or the text as it is written.
fn scalar(text: &str, style: ScalarStyle) -> Node {
    let is_null = style == ScalarStyle::Plain && matches!(text, "" | "~" | "null" | "Null" | "NULL");
    if is_null { Node::Nothing } else { Node::Text(text.to_owned()) }
}

/// Value of a tree.
#[derive(Debug, Clone, Copy)]
pub(super) struct NodeRef<'a> {
    tree: &'a Tree,
    node: usize,
}

impl<'a> NodeRef<'a> {
    fn node(self) -> Option<&'a Node> {
        self.tree.nodes.get(self.node).map(|(node, _)| node)
    }

    fn all(self, nodes: &'a [usize]) -> impl Iterator<Item = NodeRef<'a>> {
        nodes.iter().map(move |node| NodeRef { tree: self.tree, node: *node })
    }

    /// Line of the value in the file, from 1.
    pub(super) fn line(self) -> u64 {
        self.tree.nodes.get(self.node).map_or(1, |(_, line)| *line)
    }

    /// The text, if the value is one.
    pub(super) fn text(self) -> Option<&'a str> {
        if let Some(Node::Text(text)) = self.node() { Some(text) } else { None }
    }

    /// The elements, if the value is a list.
    pub(super) fn list(self) -> Option<Vec<NodeRef<'a>>> {
        if let Some(Node::List { values, .. }) = self.node() {
            Some(self.all(values).collect())
        } else {
            None
        }
    }

    /// `true` for a map.
    pub(super) fn is_map(self) -> bool {
        matches!(self.node(), Some(Node::Map(_)))
    }

    /// All values of a key of a map. If the map itself has none, the first value from its merge keys (`<<`). Null
    /// counts as no value.
    pub(super) fn every(self, key: &str) -> Vec<NodeRef<'a>> {
        let own = self.own(key);
        if own.is_empty() { self.merged(key, MOST_MERGES).into_iter().collect() } else { own }
    }

    /// The first value of a key of a map.
    pub(super) fn get(self, key: &str) -> Option<NodeRef<'a>> {
        self.every(key).into_iter().next()
    }

    fn own(self, key: &str) -> Vec<NodeRef<'a>> {
        let Some(Node::Map(pairs)) = self.node() else { return Vec::new() };
        let value = |node: usize| NodeRef { tree: self.tree, node };
        let of_key = pairs.iter().filter(|(name, _)| value(*name).text() == Some(key));
        of_key
            .map(|(_, node)| value(*node))
            .filter(|value| !matches!(value.node(), Some(Node::Nothing)))
            .collect()
    }

    fn merged(self, key: &str, most: u8) -> Option<NodeRef<'a>> {
        let most = most.checked_sub(1)?;
        let own = self.own("<<").into_iter();
        own.flat_map(|source| source.list().unwrap_or_else(|| vec![source]))
            .find_map(|source| source.own(key).into_iter().next().or_else(|| source.merged(key, most)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(text: &str, key: &str) -> Option<String> {
        let tree = Tree::read(&Document { text, line: 1 }).unwrap();
        tree.roots().first().and_then(|root| root.get(key)?.text().map(str::to_owned))
    }

    #[test]
    fn values_are_the_texts_as_written() {
        for (text, expected) in [
            ("a: 007", Some("007")),
            ("a: 1.10", Some("1.10")),
            ("a: !!int abc", Some("abc")),
            ("a: ~", None),
            ("a: '~'", Some("~")),
            ("a: [b]", None),
            ("b: &b {a: c}\n<<: *b", Some("c")),
            ("b: &b {a: c}\n<<: [*b, *b]\na: d", Some("d")),
            ("a: *nowhere", None),
            ("[{a: b}]", Some("b")),
            ("- a: b", None),
            ("&x\n<<: *x", None),
        ] {
            assert_eq!(first(text, "a").as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn lines_are_those_of_the_file() {
        let text = "a: b\nc: [d\n";
        let (line, message) = Tree::read(&Document { text, line: 11 }).unwrap_err();
        assert!(line.is_some_and(|line| line >= 12) && !message.contains('\n'), "{line:?} {message}");
        let tree = Tree::read(&Document { text: "a: b\nc: d\n", line: 11 }).unwrap();
        assert_eq!(tree.roots()[0].get("c").unwrap().line(), 12);
    }
}
