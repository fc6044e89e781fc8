//! The rules of CDEvents 0.5.1 for incidents (`schemas/incident{detected,reported,resolved}.json` of cdevents/spec), as
//! JSON Schema.

use serde_json::{Value, json};

/// The schema of `dev.cdevents.incident.{predicate}.0.3.0`.
pub(super) fn of(predicate: &str) -> Value {
    let text = json!({ "type": "string", "minLength": 1 });
    let reference = json!({ "type": "string", "minLength": 1, "format": "uri-reference" });
    let uri = json!({ "type": "string", "minLength": 1, "format": "uri" });
    let identified = object(&["id"], &json!({ "id": text, "source": reference }));
    let mut details = json!({ "description": { "type": "string" }, "environment": identified, "service": identified,
        "artifactId": text });
    let mut required = vec!["environment"];
    if predicate == "reported" {
        details["ticketURI"] = uri.clone();
        required.push("ticketURI");
    }
    let context = json!({
        "specversion": { "enum": ["0.5.1"] }, "id": text, "source": reference,
        "type": { "enum": [format!("dev.cdevents.incident.{predicate}.0.3.0")] },
        "timestamp": { "type": "string", "format": "date-time" }, "schemaUri": uri, "chainId": text,
        "links": { "type": "array" },
    });
    let subject = json!({ "id": text, "source": reference, "content": object(&required, &details) });
    object(
        &["context", "subject"],
        &json!({
            "context": object(&["specversion", "id", "source", "type", "timestamp"], &context),
            "subject": object(&["id", "content"], &subject),
            "customData": { "type": ["object", "string"] },
            "customDataContentType": { "type": "string" },
        }),
    )
}

/// Schema of an object that may have only these properties.
fn object(required: &[&str], properties: &Value) -> Value {
    json!({ "type": "object", "additionalProperties": false, "required": required, "properties": properties })
}

mod tests {
    use super::*;
    use crate::json_schema::Schemas;

    /// Checks an event of this predicate.
    fn check(predicate: &str, event: &Value) -> Result<(), String> {
        Schemas::of_requests(&Value::Null).check(&of(predicate), event)
    }

    fn reported() -> Value {
        json!({
            "context": { "specversion": "0.5.1", "id": "1", "source": "/a", "timestamp": "2026-11-01T10:00:00Z",
                "type": "dev.cdevents.incident.reported.0.3.0" },
            "subject": { "id": "Q1", "source": "https://a.example", "content": {
                "environment": { "id": "production" }, "ticketURI": "https://a.example/Q1?a=%20b" } },
        })
    }

    #[test]
    fn every_rule_is_checked() {
        assert_eq!(check("reported", &reported()), Ok(()));
        assert!(check("detected", &reported()).is_err());
        let spoil: [fn(&mut Value); 14] = [
            |event| event["more"] = 1.into(),
            |event| event["context"]["version"] = "0.5.1".into(),
            |event| event["context"]["specversion"] = "0.4.1".into(),
            |event| event["context"]["id"] = "".into(),
            |event| event["context"]["source"] = "a b".into(),
            |event| event["context"]["timestamp"] = "2026-11-01".into(),
            |event| event["context"]["type"] = "dev.cdevents.incident.reported.0.2.0".into(),
            |event| event["subject"]["type"] = "incident".into(),
            |event| event["subject"]["source"] = Value::Null,
            |event| event["subject"]["content"]["priority"] = "P1".into(),
            |event| event["subject"]["content"]["environment"] = json!({}),
            |event| event["subject"]["content"]["environment"]["name"] = "x".into(),
            |event| event["subject"]["content"]["ticketURI"] = "https://a.example/{1|2}".into(),
            |event| event["customData"] = 1.into(),
        ];
        for (n, spoil) in spoil.into_iter().enumerate() {
            let mut event = reported();
            spoil(&mut event);
            assert!(check("reported", &event).is_err(), "{n}: {event}");
        }
        for required in ["/context/id", "/context/type", "/subject/id", "/subject/content/ticketURI"] {
            let (parent, name) = required.rsplit_once('/').unwrap();
            let mut event = reported();
            event.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(name);
            assert!(check("reported", &event).is_err(), "{required}");
        }
    }
}
