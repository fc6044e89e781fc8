//! The body of a V3 webhook, parsed into a [`Heading`] or a whole [`Event`]: exactly one event in an envelope.

use std::borrow::Cow;
use std::str::Utf8Error;

use serde::Deserialize;
use serde::de::MapAccess;
use serde::de::value::MapAccessDeserializer;

use super::lenient::{Lenient, Shape};
use crate::domain::event::{
    DeploymentHint, Event, Heading, Kind, Merge, Priority, Reference, Snapshot, Subject,
};
use crate::domain::id::IncidentId;
use crate::domain::timestamp::{Timestamp, TimestampError};

/// Why a signed body is not an event that can be counted on. It goes to quarantine with these words.
#[derive(Debug, thiserror::Error)]
pub enum NotUnderstood {
    /// Not UTF-8, so not JSON either.
    #[error("not a V3 webhook: {0}")]
    NoText(#[from] Utf8Error),
    /// Not JSON, or not the envelope.
    #[error("not a V3 webhook: {0}")]
    Envelope(#[from] serde_json::Error),
    /// JSON, without an object `event` in an object.
    #[error("not a V3 webhook: it holds no event")]
    NoEvent,
    /// `occurred_at` is no time, or one that cannot be.
    #[error("event.occurred_at {0}")]
    OccurredAt(#[from] TimestampError),
    /// The id is empty.
    #[error("event.id is empty")]
    NoId,
    /// A known type that is about an incident, without one.
    #[error("{0} without the id of its incident")]
    NoIncident(String),
}

/// Reads a body that was understood before. `None`: it is damaged.
pub fn stored(body: &[u8]) -> Option<Event> {
    parse(body).ok()
}

/// Reads all that a body says.
pub fn parse(body: &[u8]) -> Result<Event, NotUnderstood> {
    let Understood { event, occurred_at, about } = understand(body)?;
    let subject =
        about.map(|About { kind, incident, .. }| event.data.0.unwrap_or_default().subject(kind, incident));
    Ok(Event { id: event.id.into_owned(), event_type: event.event_type.into_owned(), occurred_at, subject })
}

/// Reads of a body what has to be known to keep it. It understands exactly those that [`parse`] does.
pub fn heading(body: &[u8]) -> Result<Heading, NotUnderstood> {
    let Understood { event, occurred_at, about } = understand(body)?;
    let (event_type, incident) = match about {
        Some(About { event_type, incident, .. }) => (Cow::Borrowed(event_type), Some(incident)),
        None => (Cow::Owned(event.event_type.into_owned()), None),
    };
    Ok(Heading { id: event.id.into_owned(), event_type, occurred_at, incident })
}

/// The same, with the reason in words where the body is not understood.
pub fn heading_or_reason(body: &[u8]) -> Result<Heading, String> {
    heading(body).map_err(|error| error.to_string())
}

/// A body that was understood.
struct Understood<'a> {
    event: WireEvent<'a>,
    occurred_at: Timestamp,
    /// `None` for what is about no incident.
    about: Option<About>,
}

struct About {
    event_type: &'static str,
    kind: Kind,
    incident: IncidentId,
}

fn understand(body: &[u8]) -> Result<Understood<'_>, NotUnderstood> {
    // All of it, for what is passed over is not looked at so closely.
    let Lenient(envelope) = serde_json::from_str::<Lenient<Envelope<'_>>>(str::from_utf8(body)?)?;
    let event = envelope.and_then(|envelope| envelope.event.0).ok_or(NotUnderstood::NoEvent)?;
    if event.id.is_empty() {
        return Err(NotUnderstood::NoId);
    }
    let occurred_at = Timestamp::parse(&event.occurred_at)?;
    let about = match Kind::parse(&event.event_type) {
        None => None,
        Some((event_type, kind)) => {
            let incident = event.data.0.as_ref().and_then(Data::incident);
            let no_incident = || NotUnderstood::NoIncident(event.event_type.clone().into_owned());
            Some(About { event_type, kind, incident: incident.ok_or_else(no_incident)? })
        }
    };
    Ok(Understood { event, occurred_at, about })
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
    data: Lenient<Data<'a>>,
}

/// `event.data` of every type: an incident, or something with an incident in it.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Data<'a> {
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
    created_at: Lenient<Timestamp>,
    reopened_at: Lenient<Timestamp>,
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

impl Data<'_> {
    fn is_incident(&self) -> bool {
        self.shape.0.as_deref() == Some("incident")
    }

    /// The incident it is about: `data.id` only where the data is the incident itself.
    fn incident(&self) -> Option<IncidentId> {
        let id = if self.is_incident() {
            self.id.0.as_deref()
        } else {
            let named = self.incident.0.as_ref().and_then(WireReference::id);
            named.or_else(|| {
                self.incident_role_assignments.0.iter().flatten().find_map(RoleAssignment::incident_id)
            })
        };
        IncidentId::parse(id?)
    }

    /// What it says of that incident.
    fn subject(self, kind: Kind, incident: IncidentId) -> Subject {
        let is_incident = self.is_incident();
        let deployment = match self.shape.0.as_deref() {
            Some("incident_note") => {
                self.content.0.as_deref().and_then(named_in_note).map(DeploymentHint::Note)
            }
            Some("incident_field_values") => self.custom_fields.0.and_then(named_in_field),
            _ => None,
        };
        let snapshot = Snapshot {
            number: self.number.0,
            title: owned(self.title),
            url: owned(self.html_url),
            status: owned(self.status),
            created_at: self.created_at.0,
            reopened_at: self.reopened_at.0,
            service: self.service.0.map(Reference::from),
            teams: self.teams.0.map(|teams| teams.into_iter().map(Reference::from).collect()),
            priority: self.priority.0,
            urgency: owned(self.urgency),
            incident_type: self.incident_type.0.and_then(|incident_type| owned(incident_type.name)),
            merge: self.resolve_reason.0,
        };
        Subject {
            incident,
            kind,
            // A resolve remains one, also where its data has a shape that nobody has seen yet.
            // What only mentions the incident shows nothing of it, whatever shape it has.
            snapshot: (kind != Kind::Mentioned)
                .then(|| Box::new(if is_incident { snapshot } else { Snapshot::default() })),
            deployment,
        }
    }
}

/// `deployment: checkout-1.42.0`, and the rest of that line.
fn named_in_note(content: &str) -> Option<String> {
    let line = content.trim_start().strip_prefix("deployment:")?.lines().next()?.trim();
    (!line.is_empty()).then(|| line.to_owned())
}

/// What the field named `deployment` holds, where it is among the incident's fields.
fn named_in_field(fields: Vec<CustomField<'_>>) -> Option<DeploymentHint> {
    let field = fields.into_iter().find(|field| field.name.0.as_deref() == Some("deployment"))?;
    let value = field.value.0.map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
    Some(DeploymentHint::Field(value))
}

fn owned(text: Lenient<Cow<'_, str>>) -> Option<String> {
    text.0.map(Cow::into_owned)
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
        Self { id: owned(wire.id), name: owned(wire.summary), url: owned(wire.html_url) }
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
struct CustomField<'a> {
    #[serde(borrow)]
    name: Lenient<Cow<'a, str>>,
    /// Texts only: lists, numbers and the like name no deployment.
    #[serde(borrow)]
    value: Lenient<Cow<'a, str>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct IncidentType<'a> {
    #[serde(borrow)]
    name: Lenient<Cow<'a, str>>,
}

/// Makes an object of the given type where the JSON is one.
macro_rules! object_shapes {
    ($($name:ident),+) => {$(
        impl<'de: 'a, 'a> Shape<'de> for $name<'a> {
            fn from_object<A: MapAccess<'de>>(object: A) -> Result<Option<Self>, A::Error> {
                Self::deserialize(MapAccessDeserializer::new(object)).map(Some)
            }
        }
    )+};
}
object_shapes!(Envelope, WireEvent, Data, WireReference, RoleAssignment, IncidentType, CustomField);

impl Shape<'_> for Timestamp {
    /// What is no time is unknown; a time that cannot be is worth a person's look.
    fn from_text(text: Cow<'_, str>) -> Result<Option<Self>, String> {
        match Self::parse(&text) {
            Ok(time) => Ok(Some(time)),
            Err(TimestampError::Malformed) => Ok(None),
            Err(error) => Err(format!("the time {text} {error}")),
        }
    }
}

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
    /// PagerDuty's older documents say that the reason is the text `merged`.
    fn from_text(text: Cow<'de, str>) -> Result<Option<Self>, String> {
        Ok((text == "merged" || text == "merge").then_some(Self { into: None }))
    }

    fn from_object<A: MapAccess<'de>>(object: A) -> Result<Option<Self>, A::Error> {
        #[derive(Deserialize, Default)]
        #[serde(default)]
        struct Reason<'a> {
            #[serde(borrow, rename = "type")]
            shape: Lenient<Cow<'a, str>>,
            #[serde(borrow)]
            incident: Lenient<WireReference<'a>>,
        }
        let reason = Reason::deserialize(MapAccessDeserializer::new(object))?;
        let is_merge = reason.shape.0.as_deref() == Some("merge_resolve_reason");
        let target = reason.incident.0.as_ref().and_then(WireReference::id);
        Ok(is_merge.then(|| Self { into: target.and_then(IncidentId::parse) }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deployment(body: &str) -> Option<DeploymentHint> {
        parse(body.as_bytes()).unwrap().subject.unwrap().deployment
    }

    #[test]
    fn a_heading_says_what_the_whole_event_does() {
        for file in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/pagerduty")).unwrap() {
            let body = std::fs::read(file.unwrap().path()).unwrap();
            let (heading, event) = (heading(&body).unwrap(), parse(&body).unwrap());
            let incident = event.subject.map(|subject| subject.incident);
            assert_eq!((heading.id, heading.occurred_at), (event.id, event.occurred_at));
            assert_eq!((&*heading.event_type, heading.incident), (&*event.event_type, incident));
        }
    }

    #[test]
    fn a_custom_field_names_a_deployment() {
        let fixture = include_str!("../../fixtures/pagerduty/incident.custom_field_values.updated.json");
        let named = Some(DeploymentHint::Field(Some("checkout-1.42.0".to_owned())));
        assert_eq!(deployment(fixture), named);
        for (value, held) in [("null", None), ("[\"a\"]", None), ("\" v2 \"", Some("v2".to_owned()))] {
            let other = fixture.replacen("\"checkout-1.42.0\"", value, 1);
            assert_eq!(deployment(&other), Some(DeploymentHint::Field(held)), "{value}");
        }
        assert_eq!(deployment(&fixture.replace("\"deployment\"", "\"region\"")), None);
    }

    #[test]
    fn a_note_names_a_deployment_where_it_begins_so() {
        let fixture = include_str!("../../fixtures/pagerduty/incident.annotated.json");
        let noted =
            |content: &str| deployment(&fixture.replace("Resolution Note: rolled back to 1.41.2", content));
        let named = |name: &str| Some(DeploymentHint::Note(name.to_owned()));
        assert_eq!(noted("deployment: 1.42.0"), named("1.42.0"));
        assert_eq!(noted("deployment:none\\nsure of it"), named("none"));
        for content in ["the deployment: 1.42.0", "deployment:", "deployment: \\n1.42.0", "Deployment 1.42.0"]
        {
            assert_eq!(noted(content), None, "{content}");
        }
    }

    #[test]
    fn rule_1_the_incident_is_found_wherever_its_id_stands() {
        for name in
            ["incident.triggered", "incident.annotated", "incident.role.assigned", "incident.task.created"]
        {
            let file = format!("{}/fixtures/pagerduty/{name}.json", env!("CARGO_MANIFEST_DIR"));
            let event = parse(&std::fs::read(file).unwrap()).unwrap();
            assert_eq!(event.subject.unwrap().incident.as_str(), "Q1FXSAMPLE0001", "{name}");
        }
    }

    #[test]
    fn rule_16_a_test_event_is_about_no_incident() {
        let ping = parse(include_bytes!("../../fixtures/pagerduty/pagey.ping.json")).unwrap();
        assert_eq!(ping.subject, None);
    }
}
