//! The next steps, for a store that is still empty.

use maud::{Markup, html};

use crate::http::dashboard::health::data::HealthData;

/// The steps that are left. Nothing once there are webhooks and deployments.
pub(super) fn getting_started(data: &HealthData) -> Markup {
    let needs_webhook = data.last_received_at.is_none();
    let needs_deployment = data.last_deployment_at.is_none();
    let steps = html! {
        ol {
            @if needs_webhook { (webhook(data)) }
            @if needs_deployment { (deployment()) }
        }
    };
    html! {
        @if needs_webhook && needs_deployment {
            section.card.start aria-labelledby="start" { h2 #start { "Next steps" } (steps) }
        } @else if needs_webhook || needs_deployment {
            // Some people use only webhooks, or only deployments. Their figures are shown below this hint.
            section.card.start aria-label="Next step" {
                details {
                    summary {
                        "Next step: " (if needs_webhook { "have PagerDuty send its webhooks" } else { "report a deployment" })
                    }
                    (steps)
                }
            }
        }
    }
}

fn webhook(data: &HealthData) -> Markup {
    html! {
        li {
            strong { "Have PagerDuty send its webhooks." }
            " Under Integrations, Generic Webhooks (v3), add a subscription of all incident events with the address "
            @for (n, path) in data.webhook_paths.iter().enumerate() {
                @if n > 0 { " or " }
                code { "https://YOUR-HOST" (path) }
            }
            ". It leads to the public listener, "
            code { "server.listen" } ", or to the proxy in front of it. With a token in "
            code { "[pagerduty.api]" } ", " code { "pagerduty-dora subscription create" } " does the same, and "
            code { "subscription status" } " says whether the subscription is active."
        }
        li {
            strong { "Give this program the signing secret" }
            " that PagerDuty shows once after that: put it where "
            code { "pagerduty.signing_secrets" } " says. A secret in a file or in the configuration needs a reload ("
            code { "curl -X POST …/api/v1/reload" } "), one in a variable or a systemd credential a restart. "
            code { "pagerduty-dora check" } " says if anything is missing. Then press “Send test event” in PagerDuty: "
            "it appears under Health."
        }
        li {
            strong { "Or try it without PagerDuty." }
            " This signs the body of a webhook, and sends it as PagerDuty does:"
            pre tabindex="0" role="region" aria-label="Command that sends a webhook" {
                @for path in &data.webhook_paths {
                    "pagerduty-dora send --now webhook.json --url https://YOUR-HOST" (path) "\n"
                }
            }
        }
        li {
            strong { "Name your services." }
            " A failure has the name of PagerDuty’s service. A " code { "[[service]]" }
            " in the configuration gives it the name that your deployments have, its team and its env. A reload is "
            "enough; " code { "pagerduty-dora reevaluate" } " applies the names to past failures."
        }
    }
}

fn deployment() -> Markup {
    html! {
        li {
            strong { "Report a deployment." }
            " Set " code { "[events_api] keys" } ", and reload or restart as for the secret. Then, in a pipeline, with one of the keys:"
            pre tabindex="0" role="region" aria-label="Request for a deployment" {
                "STARTED=$(date -u +%FT%TZ)\n"
                "# …deploy…\n"
                "curl -H \"DD-API-KEY: $EVENTS_API_KEY\" https://YOUR-HOST/api/v2/dora/deployment \\\n"
                "  -d '{\"data\": {\"attributes\": {\"service\": \"checkout\", \"version\": \"1.42.0\",\n"
                "       \"started_at\": \"'$STARTED'\", \"finished_at\": \"'$(date -u +%FT%TZ)'\"}}}'"
            }
            "The service must have the name that its failures have. Without deployments there are times to restore, "
            "and no rates."
        }
    }
}
