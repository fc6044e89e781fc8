//! The body of a V3 webhook, parsed into a [`Heading`] or a whole [`Event`]: exactly one event in an envelope.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::MapAccess;
use serde::de::value::MapAccessDeserializer;

use super::custom_field::{CustomField, named_in_field};
use super::event_type;
use super::lenient_time::LenientTime;
use super::name::NAME;
pub use super::not_understood::NotUnderstood;
use crate::domain::address::{text_without_credentials, without_credentials};
use crate::domain::event::{
    AboutIncident, Event, EventKind, EventSubject, Heading, Merge, NamedDeployment, Origin, Priority,
    Reference, Snapshot, SubjectId,
};
use crate::domain::id::IncidentId;
use crate::domain::name::{name, trimmed};
use crate::domain::named::in_note;
use crate::domain::surrogates;
use crate::domain::timestamp::Timestamp;
use crate::sources::lenient::{Lenient, Shape};

/// Prefix that PagerDuty adds to a note that is typed while resolving.
pub(super) const RESOLUTION_NOTE: &str = "resolution note:";

/// Parses a stored body, which was understood before. `None` if it is damaged.
pub fn stored(body: &[u8]) -> Option<Event> {
    parse(body).ok()
}

/// Parses the whole event of a body.
pub fn parse(body: &[u8]) -> Result<Event, NotUnderstood> {
    read(body, event_type::kind, |understood| event(understood, Origin::Sent))
}

/// Parses an event that was made from an answer of the REST API. `kind` knows its types.
pub(super) fn parse_read(body: &[u8], kind: KindOfType) -> Result<Event, NotUnderstood> {
    read(body, kind, |understood| event(understood, Origin::Read))
}

/// Function that returns the name and the kind of an event type.
pub(super) type KindOfType = fn(&str) -> Option<(&'static str, EventKind)>;

fn event(Understood { event, occurred_at, about }: Understood<'_>, origin: Origin) -> Event {
    let subject =
        about.map(|About { kind, incident, data, .. }| EventSubject::Incident(data.subject(kind, incident)));
    let (id, event_type) = (event.id.into_owned(), event.event_type.into_owned());
    Event { id, event_type, occurred_at, origin, subject }
}

/// Parses the fields of a body that are needed to store the event. Accepts exactly the bodies that [`parse`] accepts.
pub fn heading(body: &[u8]) -> Result<Heading, NotUnderstood> {
    read(body, event_type::kind, |Understood { event, occurred_at, about }| {
        let is_test = event.event_type == event_type::TEST;
        let (event_type, incident, data) = match about {
            Some(About { event_type, incident, data, .. }) => {
                (Cow::Borrowed(event_type), Some(incident), Some(data))
            }
            None => (Cow::Owned(event.event_type.into_owned()), None, event.data.0),
        };
        let has_placeholder_time = data.as_ref().is_some_and(EventData::has_placeholder_time);
        Heading {
            id: event.id.into_owned(),
            event_type,
            occurred_at: Some(occurred_at),
            subject: incident.map(SubjectId::Incident),
            has_placeholder_time,
            is_test,
        }
    })
}

/// Reads a body. If it is not JSON, half characters (unpaired surrogates) are replaced and it is read once more.
fn read<T>(body: &[u8], kind: KindOfType, of: impl Fn(Understood<'_>) -> T) -> Result<T, NotUnderstood> {
    let body = surrogates::without_byte_order_mark(body);
    match understand(body, kind) {
        Ok(understood) => Ok(of(understood)),
        Err(error @ (NotUnderstood::NotJson(_) | NotUnderstood::Envelope(_))) => {
            let whole = surrogates::replaced(body).ok_or(error)?;
            let understood = understand(&whole, kind)?;
            // Two different ids that were cut at the same character would look equal.
            if understood.event.id.contains(char::REPLACEMENT_CHARACTER) {
                return Err(NotUnderstood::CutId);
            }
            Ok(of(understood))
        }
        Err(error) => Err(error),
    }
}

/// Same as [`heading`], with the error as a message.
pub fn heading_or_reason(body: &[u8]) -> Result<Heading, String> {
    heading(body).map_err(|error| error.to_string())
}

/// A body that was understood.
struct Understood<'a> {
    event: WireEvent<'a>,
    occurred_at: Timestamp,
    /// `None` if the event is not about an incident.
    about: Option<About<'a>>,
}

struct About<'a> {
    event_type: &'static str,
    kind: EventKind,
    incident: IncidentId,
    /// `event.data`, moved out of the event.
    data: EventData<'a>,
}

fn understand(body: &[u8], kind: KindOfType) -> Result<Understood<'_>, NotUnderstood> {
    // Check the whole body: serde_json does not check the UTF-8 of strings that it skips.
    let body = str::from_utf8(body)?;
    let Lenient(envelope) =
        serde_json::from_str::<Lenient<Envelope<'_>>>(body).map_err(|error| envelope_error(body, error))?;
    let mut event = envelope.and_then(|envelope| envelope.event.0).ok_or(NotUnderstood::NoEvent)?;
    if name(&event.id).is_none() {
        return Err(NotUnderstood::NoId);
    }
    let occurred_at = Timestamp::parse(&event.occurred_at)?;
    let about = match kind(&event.event_type) {
        None => None,
        Some((event_type, kind)) => {
            let named = event.data.0.take().and_then(|data| Some((data.incident()?, data)));
            let no_incident = || NotUnderstood::NoIncident(event.event_type.clone().into_owned());
            let (incident, data) = named.ok_or_else(no_incident)?;
            Some(About { event_type, kind, incident, data })
        }
    };
    Ok(Understood { event, occurred_at, about })
}

/// Reads an invalid body once more, to name the wrong key. Valid bodies are read only once.
fn envelope_error(body: &str, error: serde_json::Error) -> NotUnderstood {
    let mut reader = serde_json::Deserializer::from_str(body);
    match serde_path_to_error::deserialize::<_, Lenient<Envelope<'_>>>(&mut reader) {
        Err(with_key) if with_key.inner().is_data() => NotUnderstood::Envelope(with_key),
        _ => NotUnderstood::NotJson(error),
    }
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, default)]
    event: Lenient<WireEvent<'a>>,
}

#[derive(Deserialize)]
struct WireEvent<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    event_type: Cow<'a, str>,
    #[serde(borrow)]
    occurred_at: Cow<'a, str>,
    #[serde(borrow, default)]
    data: Lenient<EventData<'a>>,
}

/// `event.data` of every type: an incident, or something with an incident in it.
#[derive(Deserialize, Default)]
#[serde(default)]
struct EventData<'a> {
    #[serde(borrow, rename = "type")]
    shape: Lenient<Cow<'a, str>>,
    #[serde(borrow)]
    id: Lenient<Cow<'a, str>>,
    #[serde(borrow)]
    incident: Lenient<WireReference<'a>>,
    #[serde(borrow)]
    incident_role_assignments: Lenient<Vec<RoleAssignment<'a>>>,
    number: Lenient<i64>,
    #[serde(borrow)]
    title: Lenient<Cow<'a, str>>,
    #[serde(borrow)]
    html_url: Lenient<Cow<'a, str>>,
    #[serde(borrow)]
    status: Lenient<Cow<'a, str>>,
    created_at: Lenient<LenientTime>,
    reopened_at: Lenient<LenientTime>,
    #[serde(borrow)]
    service: Lenient<WireReference<'a>>,
    #[serde(borrow)]
    teams: Lenient<Vec<WireReference<'a>>>,
    priority: Lenient<Priority>,
    #[serde(borrow)]
    urgency: Lenient<Cow<'a, str>>,
    #[serde(borrow)]
    incident_type: Lenient<IncidentType<'a>>,
    resolve_reason: Lenient<Merge>,
    #[serde(borrow)]
    content: Lenient<Cow<'a, str>>,
    #[serde(borrow)]
    custom_fields: Lenient<Vec<CustomField<'a>>>,
}

impl EventData<'_> {
    fn is_incident(&self) -> bool {
        self.shape.0.as_deref() == Some("incident")
    }

    /// Incident of the event (rule 1): `data.id` only if the data is the incident itself.
    fn incident(&self) -> Option<IncidentId> {
        let id = if self.is_incident() {
            self.id.0.as_deref()
        } else {
            let named = self.incident.0.as_ref().and_then(WireReference::id);
            named.or_else(|| {
                self.incident_role_assignments.0.iter().flatten().find_map(RoleAssignment::incident_id)
            })
        };
        IncidentId::parse(&NAME, id?)
    }

    /// `true` if a time in it means never.
    fn has_placeholder_time(&self) -> bool {
        [&self.created_at, &self.reopened_at].iter().any(|time| matches!(time.0, Some(LenientTime::Never)))
    }

    /// Subject of the event: the incident, and the facts that the event has of it.
    fn subject(self, kind: EventKind, incident: IncidentId) -> AboutIncident {
        let is_incident = self.is_incident();
        let deployment = match self.shape.0.as_deref() {
            Some("incident_note") => {
                let content = self.content.0.as_deref();
                content
                    .and_then(|note| in_note(note, RESOLUTION_NOTE))
                    .map(|name| NamedDeployment::Note(Some(name)))
            }
            Some("incident_field_values") => self.custom_fields.0.as_deref().and_then(named_in_field),
            _ => None,
        };
        let snapshot = Snapshot {
            number: self.number.0,
            title: owned(self.title),
            url: address(self.html_url),
            status: owned(self.status),
            created_at: self.created_at.0.and_then(LenientTime::time),
            reopened_at: self.reopened_at.0.and_then(LenientTime::time),
            service: self.service.0.map(Reference::from).filter(Reference::is_known),
            teams: self
                .teams
                .0
                .map(|teams| teams.into_iter().map(Reference::from).filter(Reference::is_known).collect()),
            priority: self.priority.0,
            urgency: owned(self.urgency),
            incident_type: self.incident_type.0.and_then(|incident_type| owned(incident_type.name)),
            merge: self.resolve_reason.0,
        };
        AboutIncident {
            incident,
            kind,
            // A resolve counts even if its data has an unknown shape.
            // An event that only mentions the incident has no snapshot, whatever its shape.
            snapshot: (kind != EventKind::Mentioned)
                .then(|| Box::new(if is_incident { snapshot } else { Snapshot::default() })),
            deployment,
        }
    }
}

/// A text without blanks around it and without credentials. `None` if it is blank.
fn owned(text: Lenient<Cow<'_, str>>) -> Option<String> {
    let text = text.0?;
    let name = name(&text)?;
    match text_without_credentials(name) {
        Cow::Owned(clean) => Some(clean),
        // Most texts have no blanks around them and need no second copy.
        Cow::Borrowed(_) if name.len() == text.len() => Some(text.into_owned()),
        Cow::Borrowed(name) => Some(name.to_owned()),
    }
}

fn address(text: Lenient<Cow<'_, str>>) -> Option<String> {
    owned(text).map(|address| match without_credentials(&address) {
        Cow::Owned(clean) => clean,
        Cow::Borrowed(_) => address,
    })
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct WireReference<'a> {
    #[serde(borrow)]
    id: Lenient<Cow<'a, str>>,
    #[serde(borrow)]
    summary: Lenient<Cow<'a, str>>,
    #[serde(borrow)]
    html_url: Lenient<Cow<'a, str>>,
}

impl WireReference<'_> {
    fn id(&self) -> Option<&str> {
        self.id.0.as_deref()
    }
}

impl From<WireReference<'_>> for Reference {
    fn from(wire: WireReference<'_>) -> Self {
        Self { id: owned(wire.id), name: owned(wire.summary), url: address(wire.html_url) }
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct RoleAssignment<'a> {
    #[serde(borrow)]
    incident: Lenient<WireReference<'a>>,
}

impl RoleAssignment<'_> {
    fn incident_id(&self) -> Option<&str> {
        self.incident.0.as_ref()?.id()
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct IncidentType<'a> {
    #[serde(borrow)]
    name: Lenient<Cow<'a, str>>,
}

/// Implements `Shape` for types that are read from a JSON object.
macro_rules! object_shapes {
    ($($name:ident),+) => {$(
        impl<'de: 'a, 'a> Shape<'de> for $name<'a> {
            fn from_object<A: MapAccess<'de>>(object: A) -> Result<Option<Self>, A::Error> {
                Self::deserialize(MapAccessDeserializer::new(object)).map(Some)
            }
        }
    )+};
}
object_shapes!(Envelope, WireEvent, EventData, WireReference, RoleAssignment, IncidentType, CustomField);

impl<'de> Shape<'de> for Priority {
    fn from_null() -> Option<Self> {
        Some(Self::Erased)
    }

    fn from_object<A: MapAccess<'de>>(object: A) -> Result<Option<Self>, A::Error> {
        let reference = WireReference::deserialize(MapAccessDeserializer::new(object))?;
        Ok(owned(reference.summary).map(Self::Named))
    }
}

impl<'de> Shape<'de> for Merge {
    /// Merge from a text: PagerDuty's older documents say that the reason is the text `merged`. Its case does not
    /// matter.
    fn from_text(text: Cow<'de, str>) -> Result<Option<Self>, String> {
        let is_merge = ["merged", "merge"].iter().any(|merge| trimmed(&text).eq_ignore_ascii_case(merge));
        Ok(is_merge.then_some(Self { into: None }))
    }

    fn from_object<A: MapAccess<'de>>(object: A) -> Result<Option<Self>, A::Error> {
        #[derive(Deserialize, Default)]
        #[serde(default)]
        struct ResolveReason<'a> {
            #[serde(borrow, rename = "type")]
            shape: Lenient<Cow<'a, str>>,
            #[serde(borrow)]
            incident: Lenient<WireReference<'a>>,
        }
        let reason = ResolveReason::deserialize(MapAccessDeserializer::new(object))?;
        let shape = reason.shape.0.as_deref().map(trimmed);
        let is_merge = shape.is_some_and(|shape| shape.eq_ignore_ascii_case("merge_resolve_reason"));
        let target = reason.incident.0.as_ref().and_then(WireReference::id);
        Ok(is_merge.then(|| Self { into: target.and_then(|id| IncidentId::parse(&NAME, id)) }))
    }
}

#[cfg(test)]
mod tests;
