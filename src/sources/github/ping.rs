//! A `ping` tells how its webhook is set up. A wrong set-up is seen before the first deployment is missing.

use serde::Deserialize;

use super::form::json_in;
use crate::sources::json_body;
use crate::sources::lenient::{Lenient, object_shapes};

/// Content types that GitHub knows and that are read here.
const CONTENT_TYPES: [&str; 2] = ["json", "form"];

/// Advice about the webhook that sent a `ping`. `None` if nothing is wrong with it.
pub(super) fn advice(body: &[u8]) -> Option<String> {
    let Lenient(ping) = json_body::read::<Lenient<Ping>>(&json_in(body)).ok()?;
    let hook = ping?.hook.0?;
    let lists =
        |wanted: &str| hook.events.0.as_ref().is_none_or(|events| events.iter().any(|event| event == wanted));
    if !lists("deployment_status") && !lists("*") {
        return Some(
            "GitHub's webhook does not send deployment statuses: no deployment will arrive. Choose the event \"Deployment \
             statuses\" in the webhook's settings"
                .to_owned(),
        );
    }
    let content_type = hook.config.0?.content_type.0?;
    (!CONTENT_TYPES.contains(&content_type.as_str())).then(|| {
        "GitHub's webhook has a content type that is not read here: no deployment will arrive. Choose application/json in \
         the webhook's settings"
            .to_owned()
    })
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Ping {
    hook: Lenient<Hook>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Hook {
    events: Lenient<Vec<String>>,
    config: Lenient<HookConfig>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct HookConfig {
    content_type: Lenient<String>,
}

object_shapes!(Ping, Hook, HookConfig);

#[cfg(test)]
mod tests {
    use super::*;

    fn of(events: &str, content_type: &str) -> Option<String> {
        let config = format!(
            r#"{{"content_type":"{content_type}","url":"https://dora.example.com/webhooks/github"}}"#
        );
        advice(
            format!(r#"{{"zen":"Design for failure.","hook":{{"events":{events},"config":{config}}}}}"#)
                .as_bytes(),
        )
    }

    #[test]
    fn a_hook_without_deployment_statuses_is_told_of() {
        for events in [r#"["push"]"#, "[]", r#"["deployment"]"#] {
            assert!(of(events, "json").unwrap().contains("Choose the event"), "{events}");
        }
        for events in [r#"["deployment_status"]"#, r#"["push","deployment_status"]"#, r#"["*"]"#, "null"] {
            assert_eq!(of(events, "json"), None, "{events}");
        }
    }

    #[test]
    fn both_content_types_are_read() {
        assert_eq!(of(r#"["deployment_status"]"#, "form"), None);
        assert!(of(r#"["deployment_status"]"#, "xml").unwrap().contains("application/json"));
        assert_eq!(advice(b"{}"), None);
        assert_eq!(advice(b"no JSON"), None);
    }
}
