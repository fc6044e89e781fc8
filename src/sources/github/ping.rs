//! A `ping` tells how its webhook is set up. A wrong set-up is seen before the first deployment is missing.

use serde::Deserialize;

use super::form::json_in;
use crate::domain::printable::printable;
use crate::sources::json_body;
use crate::sources::lenient::{Lenient, object_shapes};

/// Content types that GitHub knows and that are read here.
const CONTENT_TYPES: [&str; 2] = ["json", "form"];

/// Advice about the webhook that sent a `ping`. `None` if nothing is wrong with it.
pub(super) fn advice(body: &[u8]) -> Option<String> {
    let Lenient(ping) = json_body::read::<Lenient<Ping>>(&json_in(body)).ok()?;
    let ping = ping?;
    let name = name(&ping);
    let hook = ping.hook.0?;
    let lists =
        |wanted: &str| hook.events.0.as_ref().is_none_or(|events| events.iter().any(|event| event == wanted));
    if !lists("deployment_status") && !lists("*") {
        return Some(format!(
            "GitHub's {name} does not send deployment statuses: no deployment will arrive. Choose the event \"Deployment \
             statuses\" in the webhook's settings"
        ));
    }
    let content_type = hook.config.0?.content_type.0?;
    (!CONTENT_TYPES.contains(&content_type.as_str())).then(|| {
        format!(
            "GitHub's {name} has a content type that is not read here: no deployment will arrive. Choose application/json in \
             the webhook's settings"
        )
    })
}

/// The webhook, as far as the ping names it: `webhook 610 of acme/checkout`.
fn name(ping: &Ping) -> String {
    let repository = ping.repository.0.as_ref().and_then(|repository| repository.full_name.0.as_deref());
    let organization = ping.organization.0.as_ref().and_then(|organization| organization.login.0.as_deref());
    let id = ping.hook_id.0.map_or_else(String::new, |id| format!(" {id}"));
    let of =
        repository.or(organization).map_or_else(String::new, |owner| format!(" of {}", printable(owner)));
    format!("webhook{id}{of}")
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Ping {
    hook: Lenient<Hook>,
    hook_id: Lenient<i64>,
    repository: Lenient<Repository>,
    organization: Lenient<Organization>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Repository {
    full_name: Lenient<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Organization {
    login: Lenient<String>,
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

object_shapes!(Ping, Hook, HookConfig, Repository, Organization);

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
    fn the_webhook_is_named_as_far_as_it_is_known() {
        let advice =
            |more: &str| advice(format!(r#"{{"hook":{{"events":["push"]}}{more}}}"#).as_bytes()).unwrap();
        let begins = |more: &str, name: &str| {
            let advice = advice(more);
            assert!(advice.starts_with(&format!("GitHub's {name} does not send")), "{advice}");
        };
        begins("", "webhook");
        let repository = r#","hook_id":610,"repository":{"full_name":"acme/checkout"}"#;
        begins(repository, "webhook 610 of acme/checkout");
        begins(r#","hook_id":610,"organization":{"login":"acme"}"#, "webhook 610 of acme");
        begins(r#","hook_id":"?","organization":{"login":7}"#, "webhook");
    }

    #[test]
    fn both_content_types_are_read() {
        assert_eq!(of(r#"["deployment_status"]"#, "form"), None);
        assert!(of(r#"["deployment_status"]"#, "xml").unwrap().contains("application/json"));
        assert_eq!(advice(b"{}"), None);
        assert_eq!(advice(b"no JSON"), None);
    }
}
