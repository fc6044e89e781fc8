//! Catalog files: who owns which service, and what PagerDuty calls it.

mod entity;

use std::path::{Path, PathBuf};

use crate::config::{Config, Problem};
use crate::domain::catalog::{Catalog, Entity};
use crate::domain::policy::Policy;

/// What the configuration decides about failures, with the catalog files that it names.
pub fn policy(config: &Config) -> Result<Policy, Problem> {
    Ok(Policy { catalog: load(config)?, ..config.policy() })
}

/// Reads the files that `failure.catalog` names, in the order of their names under each pattern.
pub fn load(config: &Config) -> Result<Catalog, Problem> {
    let mut entities = Vec::new();
    for pattern in config.catalog_patterns() {
        for file in files(&pattern)? {
            entities.extend(read(&file)?);
        }
    }
    Ok(Catalog::new(entities))
}

/// The files of a pattern. A plain name has to be there; a pattern may match nothing.
fn files(pattern: &str) -> Result<Vec<PathBuf>, Problem> {
    const KEY: &str = "failure.catalog";
    let wrong = |said: String| Problem::with_key(KEY, format!("{pattern:?}: {said}"));
    let found = glob::glob(pattern).map_err(|error| wrong(error.to_string()))?;
    let files: Vec<PathBuf> = found.collect::<Result<_, _>>().map_err(|error| wrong(error.to_string()))?;
    if files.is_empty() {
        if !pattern.contains(['*', '?', '[']) {
            return Err(wrong("there is no such file".to_owned()));
        }
        tracing::warn!(pattern, "failure.catalog: no file matches");
    }
    Ok(files)
}

fn read(file: &Path) -> Result<Vec<Entity>, Problem> {
    let text = std::fs::read_to_string(file).map_err(|error| Problem::unreadable(file, &error))?;
    entity::parse(&text).map_err(|(line, said)| Problem::at_line(file, line, said))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loaded(files: &[(&str, &str)], patterns: &str) -> Result<Catalog, Problem> {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let config = folder.path().join("config.toml");
        std::fs::write(&config, format!("[failure]\ncatalog = {patterns}\n")).unwrap();
        load(&Config::read(&config).unwrap())
    }

    #[test]
    fn files_are_found_beside_the_configuration() {
        let catalog = loaded(
            &[("b.yaml", "dd-service: search\n"), ("a.yaml", "dd-service: checkout\n"), ("x.txt", ":")],
            "[\"*.yaml\"]",
        );
        assert_eq!(catalog.unwrap().len(), 2);
        assert!(loaded(&[], "[\"catalog/*.yaml\"]").unwrap().is_empty());
    }

    #[test]
    fn mistakes_name_the_file_and_the_line() {
        let said = loaded(&[("bad.yaml", "dd-service: checkout\n---\nteam: [unclosed\n")], "[\"bad.yaml\"]");
        let said = said.unwrap_err().to_string();
        assert!(said.contains("bad.yaml:3") || said.contains("bad.yaml:4"), "{said}");
        let said = loaded(&[], "[\"missing.yaml\"]").unwrap_err().to_string();
        assert!(said.contains("failure.catalog") && said.contains("missing.yaml"), "{said}");
    }
}
