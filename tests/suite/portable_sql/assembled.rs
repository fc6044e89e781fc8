//! Statements that the store puts together at run time, from the literals of the sources.
//!
//! The lists here repeat the parts that the sources put into each template. A test compares them with the sources: a new
//! part is noticed if it looks like SQL, and a part that is gone always. The bare name of a column is not noticed.

use regex::Regex;

use super::literals::Literal;

/// One way to fill the places of a template.
pub(super) struct Assembled {
    file: &'static str,
    /// Beginning of the template.
    begins: &'static str,
    /// Values of its places, in their order, without those that name a constant with a text.
    places: &'static [Place],
}

/// Values of a place.
pub(super) enum Place {
    /// One of these literals.
    OneOf(&'static [&'static str]),
    /// The value of a number, which is no literal.
    Number(&'static str),
    /// A text that is made of others.
    Text(&'static str),
    /// These literals, then any of the others in their order, with this text between them.
    List { between: &'static str, always: &'static [&'static str], others: &'static [&'static str] },
    /// The texts of another template of the same file, which begins like this.
    Template(&'static str),
}

use Place::{List, Number, OneOf, Template, Text};

const COLUMNS: Place = OneOf(&["failure", "deployment"]);
const KINDS: Place = OneOf(&["o.state = 'dead'", "o.suspect = 1"]);

const fn assembled(file: &'static str, begins: &'static str, places: &'static [Place]) -> Assembled {
    Assembled { file, begins, places }
}

/// Every way to fill every template.
pub(super) const ASSEMBLED: &[Assembled] = &[
    assembled("engine/sqlite/space.rs", "PRAGMA incremental_vacuum", &[Number("1")]),
    // Of one table. The tests of `store copy` run the statements of all.
    assembled(
        "copy/statements.rs",
        "SELECT {columns} FROM {name} WHERE {condition} AND",
        &[
            Text("backend, lane, error"),
            OneOf(&["lane"]),
            OneOf(&["TRUE"]),
            Text("(backend, lane) > (?1, ?2)"),
            Text("backend, lane"),
            Text("512"),
        ],
    ),
    assembled(
        "copy/statements.rs",
        "SELECT {columns} FROM {name} WHERE {condition} ORDER BY",
        &[Text("name, value"), OneOf(&["progress"]), OneOf(&["TRUE"]), Text("name")],
    ),
    assembled("copy/statements.rs", "SELECT count(*)", &[OneOf(&["progress"]), OneOf(&["TRUE"])]),
    assembled("copy/statements.rs", "SELECT max(id)", &[OneOf(&["event"])]),
    assembled(
        "copy/statements.rs",
        "INSERT INTO {name}",
        &[OneOf(&["related_changes"]), Text("failure, changes"), Text("(?1, ?2), (?3, ?4)")],
    ),
    assembled("facts/deployment.rs", "{STORED} WHERE deployment_id", &[]),
    assembled(
        "outbox/claim.rs",
        "{DUE} AND",
        &[
            OneOf(&[
                "o.suspect = 0",
                "o.suspect = 1",
                "o.suspect = 0 AND o.failing_since_ns IS NULL",
                "TRUE",
            ]),
            OneOf(&["o.due_at_ns, o.id", "o.due_at_ns DESC, o.id DESC"]),
        ],
    ),
    assembled("outbox/group_commands.rs", "SELECT o.id FROM outbox o", &[KINDS]),
    assembled("outbox/lane.rs", "SELECT {COLUMNS} FROM lane", &[]),
    assembled(
        "outbox/rows.rs",
        "SELECT revision, state, repeats",
        &[
            COLUMNS,
            OneOf(&["state <> 'superseded'", "state IN ('pending', 'sent')", "(in_doubt > 0 OR taken > 0)"]),
        ],
    ),
    assembled("outbox/rows.rs", "UPDATE outbox SET state = 'superseded'", &[COLUMNS]),
    assembled("outbox/rows.rs", "SELECT EXISTS", &[Template("{} = ?1 AND backend = ?2 AND (topic")]),
    assembled(
        "outbox/rows.rs",
        "UPDATE outbox SET unknown",
        &[Template("{} = ?1 AND backend = ?2 AND (topic")],
    ),
    assembled("outbox/rows.rs", "{} = ?1 AND backend = ?2 AND (topic", &[COLUMNS]),
    assembled("outbox/rows.rs", "SELECT count(*) > 0", &[COLUMNS]),
    assembled("outbox/rows.rs", "SELECT coalesce(max(revision), 0)", &[COLUMNS]),
    assembled(
        "read/deployed_names.rs",
        "WITH RECURSIVE",
        &[OneOf(&["service", "team", "env"]), Number("200")],
    ),
    assembled(
        "read/deployments.rs",
        "{STORED} INDEXED BY",
        &[
            OneOf(&[
                "deployment_by_ignored_end",
                "deployment_by_failed_end",
                "deployment_by_services_end",
                "deployment_by_teams_end",
                "deployment_by_envs_end",
                "deployment_by_end",
            ]),
            List {
                between: "",
                always: &[],
                others: &[
                    " AND counts = 0",
                    " AND counts = 1",
                    " AND failed = 1",
                    " AND service = ?",
                    " AND env = ?",
                    " AND team = ?",
                ],
            },
        ],
    ),
    assembled(
        "read/failure_kinds.rs",
        "SELECT id, state = 'open'",
        &[
            OneOf(&["failure_kind_service CROSS JOIN failure_kind"]),
            List { between: " AND ", always: &["id = kind AND service = ?"], others: KIND_CONDITIONS },
        ],
    ),
    assembled(
        "read/failure_kinds.rs",
        "SELECT id, state = 'open'",
        &[OneOf(&["failure_kind"]), List { between: " AND ", always: &[], others: KIND_CONDITIONS }],
    ),
    assembled("read/failure_kinds.rs", "{} LIMIT ?", &[Template("SELECT id, state = 'open'")]),
    assembled("read/failure_kinds.rs", "{} AND id = ?", &[Template("SELECT id, state = 'open'")]),
    assembled("read/find.rs", "SELECT failure_id FROM failure", &[Template("OR lower(failure_id) LIKE")]),
    assembled("read/find.rs", "OR lower(failure_id) LIKE", &[Number("pagerduty")]),
    assembled(
        "read/outbox_groups.rs",
        "SELECT g.*",
        &[
            KINDS,
            OneOf(&[
                "true",
                "o.last_status IS NOT DISTINCT FROM ?3 AND o.last_error IS NOT DISTINCT FROM ?4",
            ]),
        ],
    ),
    assembled("state/duplicates.rs", "{STORED} WHERE commit_sha", &[]),
    // Of one length. All texts of the statement are the same but for the numbers.
    assembled("state/reach.rs", "SELECT id, counts_for", &[Number("35"), Number("68719476736")]),
    assembled("state/source_deployment.rs", "{STORED} WHERE source_deployment", &[]),
];

const KIND_CONDITIONS: &[&str] = &["team = ?", "severity = ?", "env = ?", "state = ?"];

impl Assembled {
    /// The literals in this list.
    pub(super) fn parts(&self) -> impl Iterator<Item = &'static str> {
        self.places.iter().flat_map(|place| match place {
            OneOf(parts) => parts.to_vec(),
            List { between, always, others } => [&[*between], *always, *others].concat(),
            Number(_) | Text(_) | Template(_) => Vec::new(),
        })
    }
}

/// Every text of a template.
pub(super) fn expand(all: &[Literal], template: &Literal) -> Vec<String> {
    let ways: Vec<&Assembled> = ASSEMBLED
        .iter()
        .filter(|way| way.file == template.file && template.text.trim_start().starts_with(way.begins))
        .collect();
    assert!(!ways.is_empty(), "{}: add this template to assembled.rs: {}", template.file, template.text);
    ways.into_iter().flat_map(|way| fill(all, template, way.places)).collect()
}

/// The texts of a template whose places have these values.
fn fill(all: &[Literal], template: &Literal, places: &[Place]) -> Vec<String> {
    let mut places = places.iter();
    let mut texts = vec![template.text.clone()];
    let next = Regex::new(r"\{([A-Za-z_]*)\}").unwrap();
    while let Some(place) = next.captures(&texts[0]) {
        let values = match constant(all, &template.file, &place[1]) {
            Some(text) => vec![text],
            None => values(all, &template.file, places.next().expect("a value for each place")),
        };
        let fill = |text: &String, value: &String| match &place[1] {
            "" => text.replacen(&place[0], value, 1),
            _ => text.replace(&place[0], value),
        };
        texts = texts.iter().flat_map(|text| values.iter().map(|value| fill(text, value))).collect();
    }
    assert!(places.next().is_none(), "{}: too many values for {}", template.file, template.text);
    texts
}

fn values(all: &[Literal], file: &str, place: &Place) -> Vec<String> {
    match place {
        OneOf(texts) => texts.iter().map(|text| (*text).to_owned()).collect(),
        Number(text) | Text(text) => vec![(*text).to_owned()],
        Template(begins) => {
            let is_asked = |literal: &&Literal| {
                literal.is_template && literal.file == file && literal.text.starts_with(begins)
            };
            expand(all, all.iter().find(is_asked).expect("a template with this beginning"))
        }
        List { between, always, others } => {
            let chosen = (0..1_usize << others.len()).map(|chosen| {
                let is_chosen = |(n, part): (usize, &&'static str)| (chosen >> n & 1 == 1).then_some(*part);
                let parts = others.iter().enumerate().filter_map(is_chosen);
                always.iter().copied().chain(parts).collect::<Vec<_>>()
            });
            // Without a part there is no place for one between two words.
            let is_whole = |parts: &Vec<_>| between.is_empty() || !parts.is_empty();
            chosen.filter(is_whole).map(|parts| parts.join(between)).collect()
        }
    }
}

/// The text of a constant, of this file if it has one with this name.
fn constant(all: &[Literal], file: &str, name: &str) -> Option<String> {
    let named = || all.iter().filter(|literal| literal.constant.as_deref() == Some(name));
    let own = named().find(|literal| literal.file == file);
    own.or_else(|| named().next()).map(|literal| literal.text.clone())
}
