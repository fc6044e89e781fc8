//! Sources: the systems whose events become failures and deployments.

use super::event::{Event, Heading};
use super::id::{IncidentId, SOURCE_SEPARATOR};
use super::source_name::SourceName;
use super::text_limits::{check_id, on_one_line};

/// A source: its name, and the functions that read its bodies once their signatures are verified.
#[derive(Debug)]
pub struct Source {
    /// Name of the source.
    pub name: SourceName,
    /// Name of the source whose incidents its events are about: its own, or that of the source whose API is read. `None`
    /// if its events are about deployments.
    pub incidents_of: Option<SourceName>,
    /// Name of the source for people: `PagerDuty`.
    pub title: &'static str,
    /// Reads the fields of a body that are needed to store it. The error says why the body was not understood.
    /// [`Self::storable_heading`] calls it.
    pub heading: fn(&[u8]) -> Result<Heading, String>,
    /// Reads the whole event in a body that was understood before. `None` if the body is damaged.
    pub parse: fn(&[u8]) -> Option<Event>,
}

impl Source {
    /// Reads the fields of a body that are needed to store it, and checks the id and the type of the event.
    ///
    /// # Errors
    /// The reason why the body is not understood, on one line.
    pub fn storable_heading(&self, body: &[u8]) -> Result<Heading, String> {
        let heading = (self.heading)(body).map_err(on_one_line)?;
        check_id(&heading.id).map_err(|unfit| format!("the event's id {unfit}"))?;
        check_id(&heading.event_type).map_err(|unfit| format!("the event's type {unfit}"))?;
        Ok(heading)
    }
}

/// Every source that the program knows.
#[derive(Debug, Clone, Copy)]
pub struct Sources(&'static [&'static Source]);

impl Sources {
    /// The table of these sources.
    pub const fn new(all: &'static [&'static Source]) -> Self {
        Self(all)
    }

    /// The source of this name.
    pub fn named(self, name: &str) -> Option<&'static Source> {
        self.iter().find(|source| source.name.as_str() == name)
    }

    /// The source whose incident has a failure of this id, and the incident's id there.
    pub fn of_failure(self, id: &str) -> Option<(&'static Source, &str)> {
        let (name, incident) = id.split_once(SOURCE_SEPARATOR)?;
        Some((self.with_incidents().find(|source| source.name.as_str() == name)?, incident))
    }

    /// Sources that have incidents of their own.
    pub fn with_incidents(self) -> impl Iterator<Item = &'static Source> {
        self.iter().filter(|source| source.incidents_of.as_ref() == Some(&source.name))
    }

    /// Sources whose events are about deployments.
    pub fn of_deployments(self) -> impl Iterator<Item = &'static Source> {
        self.iter().filter(|source| source.incidents_of.is_none())
    }

    /// Rank of a source whose deployments may be the same as those of other sources: the event API is first, and the
    /// others follow in the order of the table.
    pub fn deployment_rank(self, name: &str) -> usize {
        let place = self.iter().position(|source| source.name.as_str() == name);
        if name == SourceName::API.as_str() { 0 } else { 1 + place.unwrap_or(self.0.len()) }
    }

    /// All of them.
    pub fn iter(self) -> impl Iterator<Item = &'static Source> {
        self.0.iter().copied()
    }

    /// The incidents that a text may mean: the one whose failure has this id, else the one with this id at each source.
    pub fn incidents(self, text: &str) -> Vec<IncidentId> {
        let of_failure =
            self.of_failure(text).and_then(|(source, incident)| IncidentId::parse(&source.name, incident));
        match of_failure {
            Some(incident) => vec![incident],
            None => {
                self.with_incidents().filter_map(|source| IncidentId::parse(&source.name, text)).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::FailureId;

    static FIRST: Source = source("first");
    static SECOND: Source = source("second");
    static TABLE: &[&Source] = &[&FIRST, &SECOND];
    const BOTH: Sources = Sources::new(TABLE);

    const fn source(name: &'static str) -> Source {
        Source {
            name: SourceName::new(name),
            incidents_of: Some(SourceName::new(name)),
            title: "A source",
            heading: no_heading,
            parse: no_event,
        }
    }

    fn no_heading(_: &[u8]) -> Result<Heading, String> {
        Err("unreadable".to_owned())
    }

    fn no_event(_: &[u8]) -> Option<Event> {
        None
    }

    #[test]
    fn the_id_and_the_type_of_an_event_have_limits() {
        // The body is the id and the type.
        let heading = |body: &[u8]| {
            let (id, event_type) = str::from_utf8(body).unwrap().split_once(' ').unwrap();
            Ok(Heading {
                id: id.to_owned(),
                event_type: event_type.to_owned().into(),
                occurred_at: None,
                subject: None,
                has_placeholder_time: false,
                is_test: false,
            })
        };
        let source = Source { heading, ..source("first") };
        let longest = "x".repeat(512);
        let error = |body: String| source.storable_heading(body.as_bytes()).unwrap_err();
        assert!(source.storable_heading(format!("{longest} {longest}").as_bytes()).is_ok());
        assert_eq!(error(format!("{longest}x a")), "the event's id is longer than 512 bytes");
        assert_eq!(error(format!("a {longest}x")), "the event's type is longer than 512 bytes");
        let control = "holds a control character, such as a tab or a line end";
        assert_eq!(error("a\0 b".to_owned()), format!("the event's id {control}"));
        assert_eq!(error("a b\n".to_owned()), format!("the event's type {control}"));
        let unreadable = Source { heading: |_| Err("unreadable\0".to_owned()), ..source };
        assert_eq!(unreadable.storable_heading(b""), Err("unreadable ".to_owned()));
    }

    #[test]
    fn an_incident_is_found_by_its_own_id_or_its_failures() {
        let found = |text| {
            let incidents = BOTH.incidents(text);
            incidents.iter().map(|incident| FailureId::of_incident(incident).to_string()).collect::<Vec<_>>()
        };
        assert_eq!(found("second:Q1"), ["second:Q1"]);
        assert_eq!(found("Q1"), ["first:Q1", "second:Q1"]);
        assert_eq!(found("third:Q1"), ["first:third:Q1", "second:third:Q1"]);
        assert!(found("no id").is_empty());
    }
}
