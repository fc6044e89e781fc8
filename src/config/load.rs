//! Finds the configuration, and reads as much of it as can be read.

use std::path::{Path, PathBuf};

use super::findings::Findings;
use super::source_map::SourceMap;
use super::{Config, Problem, Problems, environment, read};

/// Places where the file is looked for if nobody names one.
const PLACES: [&str; 2] = ["/etc/pagerduty-dora/config.toml", "config.toml"];

impl Config {
    /// Reads the file that was named, else the one that `$PAGERDUTY_DORA_CONFIG` names, else the first that is found;
    /// where there is none, the defaults hold.
    ///
    /// # Errors
    /// The file cannot be read, or something in it is wrong: all of it at once.
    pub fn load(named: Option<&Path>) -> Result<Self, Problems> {
        Self::load_and(named, |_| Vec::new())
    }

    /// The same. Where something is wrong, `also` looks at what could be read, for more that is.
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
    /// The file cannot be read, or something in it is wrong: all of it at once.
    pub fn read(file: &Path) -> Result<Self, Problems> {
        Self::read_and(file, |_| Vec::new())
    }

    fn read_and(file: &Path, also: impl Fn(&Self) -> Vec<Problem>) -> Result<Self, Problems> {
        let text = std::fs::read_to_string(file).map_err(|error| Problem::unreadable(file, &error))?;
        Self::read_text(file, &text, also)
    }

    fn read_text(file: &Path, text: &str, also: impl Fn(&Self) -> Vec<Problem>) -> Result<Self, Problems> {
        let (config, problems) = Self::as_far_as_possible(text);
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
    /// Something in it is wrong: all of it at once.
    pub fn parse(text: &str) -> Result<Self, Problems> {
        let (config, problems) = Self::as_far_as_possible(text);
        match (config, Problems::of(problems)) {
            (Some(config), None) => Ok(config),
            (_, Some(problems)) => Err(problems),
            (None, None) => Err(not_read().into()),
        }
    }

    /// Reads as much of a text as can be read, and finds all mistakes: in each value by itself, and in how values fit
    /// each other. The rest of a `[[…]]` table with a wrong value is left out.
    fn as_far_as_possible(text: &str) -> (Option<Self>, Vec<Problem>) {
        let source_map = SourceMap::new(text);
        let (config, mut problems) = read::read(text);
        let config = config.map(|config| Self { source_map: source_map.clone(), ..config });
        if let Some(config) = &config {
            let mut findings = Findings::in_text(&source_map);
            config.check(&mut findings);
            problems.extend(findings.into_problems());
        }
        let located = |problem: Problem| problem.in_file(None, |key| source_map.line_of(key));
        (config, problems.into_iter().map(located).collect())
    }
}

/// Reading failed and named no mistake: that would be one of this program.
fn not_read() -> Problem {
    Problem::with_key("configuration", "cannot be read")
}
