//! A page of `docs/deployments/`, its fenced blocks, and the scripts in them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value;

/// Keys of a script in the files of the tools, and whether it also runs after a failure. A script of a later key runs
/// after one of an earlier key.
const KEYS: [(&str, bool); 5] =
    [("run", false), ("command", false), ("bash", false), ("script", false), ("after-script", true)];

/// Quotes around a script in Groovy.
const QUOTES: &str = "'''";

/// A script, as a tool runs it.
pub(crate) struct Script {
    pub(crate) text: String,
    /// The variables that stand beside it.
    pub(crate) environment: BTreeMap<String, String>,
    /// `true` if the tool runs it after a failure, too.
    pub(crate) runs_always: bool,
}

impl Script {
    pub(crate) fn new(text: &str) -> Self {
        Self { text: text.to_owned(), environment: BTreeMap::new(), runs_always: false }
    }
}

/// The text of a page.
pub(crate) struct Page {
    name: String,
    text: String,
}

impl Page {
    fn folder() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/deployments")
    }

    /// The names of all pages.
    pub(crate) fn names() -> BTreeSet<String> {
        let files = std::fs::read_dir(Self::folder()).unwrap();
        files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect()
    }

    pub(crate) fn read(name: &str) -> Self {
        let text = std::fs::read_to_string(Self::folder().join(name)).unwrap();
        Self { name: name.to_owned(), text }
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The fenced blocks in their order, each with its language. The indentation of the fence is removed.
    pub(crate) fn blocks(&self) -> Vec<(String, String)> {
        let (mut blocks, mut open) = (Vec::new(), None);
        for line in self.text.lines() {
            let indent = line.len() - line.trim_start().len();
            match (&mut open, line.trim_start().strip_prefix("```")) {
                (None, Some(language)) => open = Some((indent, (language.to_owned(), String::new()))),
                (None, None) => {}
                (Some(_), Some(_)) => blocks.extend(open.take().map(|(_, block)| block)),
                (Some((indent, (_, text))), None) => {
                    text.push_str(line.get(*indent..).unwrap_or_default());
                    text.push('\n');
                }
            }
        }
        assert!(open.is_none(), "{} has a block without an end", self.name);
        blocks
    }

    /// The only block of a language.
    pub(crate) fn only(&self, language: &str) -> String {
        let blocks: Vec<_> = self.blocks().into_iter().filter(|(found, _)| found == language).collect();
        let [(_, text)] = <[_; 1]>::try_from(blocks)
            .unwrap_or_else(|blocks| panic!("{} has {} blocks of {language}", self.name, blocks.len()));
        text
    }

    /// The runs on the page, each with its scripts. A block of `sh` is a run by itself, and so is a file of a tool. All
    /// blocks of `bash` are the steps of one run.
    pub(crate) fn runs(&self) -> Vec<Vec<Script>> {
        let (mut runs, mut steps) = (Vec::new(), Vec::new());
        for (language, text) in self.blocks() {
            match language.as_str() {
                "sh" => runs.push(vec![Script::new(&text)]),
                "bash" => steps.push(Script::new(&text)),
                "groovy" => runs.push(text.split(QUOTES).skip(1).step_by(2).map(Script::new).collect()),
                "yaml" => {
                    let mut scripts = Vec::new();
                    collect(&serde_saphyr::from_str(&text).unwrap(), &mut scripts);
                    runs.push(scripts);
                }
                _ => {}
            }
        }
        runs.push(steps);
        runs.retain(|scripts| !scripts.is_empty());
        runs
    }
}

/// Adds the scripts in a file of a tool, in the order of its lists. Jobs come in the order of their names.
fn collect(value: &Value, scripts: &mut Vec<Script>) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| collect(value, scripts)),
        Value::Object(object) => {
            let of_key = |(key, runs_always)| {
                let text = object.get(key).and_then(script_of)?;
                Some(Script { text, environment: variables_of(value), runs_always })
            };
            scripts.extend(KEYS.into_iter().filter_map(of_key));
            object.values().for_each(|value| collect(value, scripts));
        }
        _ => {}
    }
}

/// A script: one text, or a list of lines.
fn script_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Array(lines) => {
            lines.iter().map(Value::as_str).collect::<Option<Vec<_>>>().map(|l| l.join("\n"))
        }
        _ => None,
    }
}

/// The variables beside a script.
fn variables_of(step: &Value) -> BTreeMap<String, String> {
    let variables = step["env"].as_object().into_iter().flatten();
    variables.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
}
