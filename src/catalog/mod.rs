//! Catalog files: the team and the PagerDuty service of each service.

mod document;
mod duplicates;
mod entity;
mod tree;

use std::path::{Path, PathBuf};

use self::entity::PlacedEntity;
use crate::config::{Config, Problem, check_regular_file};
use crate::domain::catalog::Catalog;
use crate::domain::policy::Policy;

/// Services of the catalog files, and warnings about them.
#[derive(Debug, Default)]
pub struct LoadedCatalog {
    /// The services.
    pub catalog: Catalog,
    /// Patterns that match no file, descriptions that can never match a service, and services described twice.
    pub warnings: Vec<Problem>,
}

/// Policy of the configuration, with the catalog files that it names.
pub fn policy(config: &Config) -> Result<Policy, Problem> {
    Ok(Policy { catalog: load(config)?.catalog, ..config.policy() })
}

/// Reads the files that `failure.catalog` names, in the order of their names under each pattern.
///
/// # Errors
/// A file cannot be read, or describes a service in an unknown form.
pub fn load(config: &Config) -> Result<LoadedCatalog, Problem> {
    let (mut described, mut warnings) = (Vec::new(), Vec::new());
    for pattern in config.catalog_patterns() {
        let wrong = |message: String| config.problem_with_pattern(&pattern, &message);
        let files = files(&pattern.path).map_err(wrong)?;
        if files.is_empty() {
            let message = format!("no file matches {:?}", pattern.path);
            // A file with a plain name must exist. A pattern may match nothing yet.
            if !is_pattern(&pattern.path) {
                return Err(wrong(format!("there is no file {:?}", pattern.path)));
            }
            warnings.push(wrong(message));
        }
        for file in files {
            let entities = read(&file, &mut warnings)?;
            described.extend(entities.into_iter().map(|(line, entity)| (file.clone(), line, entity)));
        }
    }
    warnings.extend(duplicates::warnings(&described));
    let catalog = Catalog::new(described.into_iter().map(|(.., entity)| entity));
    Ok(LoadedCatalog { catalog, warnings })
}

fn files(pattern: &str) -> Result<Vec<PathBuf>, String> {
    let message = |error: &dyn std::error::Error| format!("{pattern:?}: {error}");
    let found = glob::glob(pattern).map_err(|error| message(&error))?;
    found.collect::<Result<_, _>>().map_err(|error| message(&error))
}

fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

fn read(file: &Path, warnings: &mut Vec<Problem>) -> Result<Vec<PlacedEntity>, Problem> {
    let text = check_regular_file(file)
        .and_then(|()| std::fs::read_to_string(file))
        .map_err(|error| Problem::unreadable(file, &error))?;
    let described = entity::parse(&text).map_err(|(line, message)| Problem::at_line(file, line, message))?;
    warnings
        .extend(described.warnings.into_iter().map(|(line, message)| Problem::at_line(file, line, message)));
    Ok(described.entities)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loaded(files: &[(&str, &str)], patterns: &str) -> Result<LoadedCatalog, Problem> {
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
        assert_eq!(catalog.unwrap().catalog.len(), 2);
    }

    #[test]
    fn a_pattern_that_matches_nothing_is_warned_about_with_its_line() {
        let loaded =
            loaded(&[("a.yaml", "dd-service: checkout\n")], "[\n\"*.yaml\",\n\"catalog/*.yaml\",\n]")
                .unwrap();
        assert_eq!(loaded.catalog.len(), 1);
        let [warning] = loaded.warnings.as_slice() else { panic!("{:?}", loaded.warnings) };
        let warning = warning.to_string();
        assert!(warning.contains("config.toml:4: failure.catalog: no file matches"), "{warning}");
    }

    #[test]
    fn mistakes_name_the_file_and_the_line() {
        let message = loaded(
            &[("bad.yaml", "dd-service: checkout\n---\ndd-service: a\nteam: [unclosed\n")],
            "[\"bad.yaml\"]",
        );
        let message = message.unwrap_err().to_string();
        assert!(message.contains("bad.yaml:4") || message.contains("bad.yaml:5"), "{message}");
        let message = loaded(&[], "[\"missing.yaml\"]").unwrap_err().to_string();
        assert!(
            message.contains("config.toml:2: failure.catalog:") && message.contains("missing.yaml"),
            "{message}"
        );
    }

    #[test]
    fn services_described_twice_are_warned_about() {
        let url = "integrations: {pagerduty: 'https://acme.pagerduty.com/services/PSVC001'}\n";
        let first = format!("dd-service: a\nteam: x\n{url}");
        let warnings = |text: &str| {
            let loaded = loaded(&[("a.yaml", &first), ("b.yaml", text)], "[\"*.yaml\"]").unwrap();
            loaded.warnings.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let [duplicates] = &warnings("---\ndd-service: a\n")[..] else { panic!() };
        assert!(
            duplicates.contains("b.yaml:2")
                && duplicates.contains("a.yaml:1")
                && duplicates.contains("\"a\""),
            "{duplicates}"
        );
        let [shared] = &warnings(&format!("dd-service: b\n{url}"))[..] else { panic!() };
        assert!(
            shared.contains("b.yaml:1") && shared.contains("PSVC001") && shared.contains("\"a\""),
            "{shared}"
        );
        assert!(warnings("dd-service: b\n").is_empty());
    }
}
