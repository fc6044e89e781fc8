//! Finds the configuration file and reads it.

use std::path::{Path, PathBuf};

use super::findings::Findings;
use super::source_map::SourceMap;
use super::{Config, Problem, Problems, environment, read};

/// Paths of the file if none is named.
const PLACES: [&str; 2] = ["/etc/pagerduty-dora/config.toml", "config.toml"];

impl Config {
    /// Reads the named file, else the one in `$PAGERDUTY_DORA_CONFIG`, else the first one found. Without a file the
    /// defaults are used.
    ///
    /// # Errors
    /// The file cannot be read, or has mistakes. All mistakes are returned.
    pub fn load(named: Option<&Path>) -> Result<Self, Problems> {
        Self::load_and(named, |_| Vec::new())
    }

    /// Like [`Config::load`]. If there are mistakes, `also` looks for more of them in the values that were read.
    ///
    /// # Errors
    /// The errors of [`Config::load`].
    pub fn load_and(named: Option<&Path>, also: impl Fn(&Self) -> Vec<Problem>) -> Result<Self, Problems> {
        let found = || PLACES.iter().map(PathBuf::from).find(|place| place.exists());
        let by_variable = || environment::configuration().filter(|_| named.is_none());
        if let Some(file) = by_variable() {
            let text = std::fs::read_to_string(&file)
                .map_err(|error| Problem::unreadable(&file, &error).named_by("$PAGERDUTY_DORA_CONFIG"))?;
            return Self::read_text(&file, &text, also);
        }
        match named.map(Path::to_owned).or_else(found) {
            Some(file) => Self::read_and(&file, also),
            None => Ok(Self::default()),
        }
    }

    /// Reads this file.
    ///
    /// # Errors
    /// The file cannot be read, or has mistakes. All mistakes are returned.
    pub fn read(file: &Path) -> Result<Self, Problems> {
        Self::read_and(file, |_| Vec::new())
    }

    fn read_and(file: &Path, also: impl Fn(&Self) -> Vec<Problem>) -> Result<Self, Problems> {
        let text = std::fs::read_to_string(file).map_err(|error| Problem::unreadable(file, &error))?;
        Self::read_text(file, &text, also)
    }

    fn read_text(file: &Path, text: &str, also: impl Fn(&Self) -> Vec<Problem>) -> Result<Self, Problems> {
        let (config, problems) = Self::read_leniently(text);
        let source_map = SourceMap::new(text);
        let located = |problem: Problem| problem.in_file(Some(file), |key| source_map.line_of(key));
        let mut problems: Vec<Problem> = problems.into_iter().map(located).collect();
        let Some(mut config) = config else {
            return Err(Problems::of(problems).unwrap_or_else(|| not_read().into()));
        };
        config.resolve_paths(file.parent().unwrap_or(Path::new("")));
        config.file = Some(file.to_owned());
        if !problems.is_empty() {
            problems.extend(also(&config));
        }
        Problems::of(problems).map_or(Ok(config), Err)
    }

    /// Reads a configuration from its text.
    ///
    /// # Errors
    /// The text has mistakes. All mistakes are returned.
    pub fn parse(text: &str) -> Result<Self, Problems> {
        let (config, problems) = Self::read_leniently(text);
        match (config, Problems::of(problems)) {
            (Some(config), None) => Ok(config),
            (_, Some(problems)) => Err(problems),
            (None, None) => Err(not_read().into()),
        }
    }

    /// Reads as much of a text as possible, and finds all mistakes: in single values, and in values that do not fit
    /// each other. A `[[…]]` table with a wrong value is left out as a whole.
    fn read_leniently(text: &str) -> (Option<Self>, Vec<Problem>) {
        let source_map = SourceMap::new(text);
        let (config, mut problems) = read::read(text);
        let mut config = config.map(|config| Self { source_map: source_map.clone(), ..config });
        if let Some(config) = &mut config {
            let mut findings = Findings::in_text(&source_map);
            config.check(&mut findings);
            problems.extend(findings.into_problems());
            config.store.complete();
        }
        let located = |problem: Problem| problem.in_file(None, |key| source_map.line_of(key));
        (config, problems.into_iter().map(located).collect())
    }
}

/// Problem with a text that cannot be read, although no mistake was found in it: a fault of this program.
fn not_read() -> Problem {
    Problem::with_key("configuration", "cannot be read")
}
