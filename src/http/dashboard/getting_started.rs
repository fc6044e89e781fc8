//! The next steps, for a store that is still empty.

use maud::{Markup, html};

use super::data::DashboardData;

/// The steps that are left. Nothing once there are webhooks and deployments.
pub(super) fn getting_started(data: &DashboardData) -> Markup {
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

fn webhook(data: &DashboardData) -> Markup {
    html! {
        li {
            strong { "Have PagerDuty send its webhooks." }
            " Under Integrations, Generic Webhooks (v3), add a subscription of all incident events with the address "
            @for (n, path) in data.webhook_paths.iter().enumerate() {
                @if n > 0 { " or " }
                code { "https://YOUR-HOST" (path) }
            }
            ". It leads to the public listener, "
            code { "server.listen" } ", or to the proxy in front of it."
        }
        li {
            strong { "Give this program the signing secret" }
            " that PagerDuty shows once after that: put it where "
            code { "pagerduty.signing_secrets" } " says, and restart. "
            code { "pagerduty-dora check" } " says if anything is missing. Then press “Send test event” in PagerDuty: "
            "it appears under Health."
        }
    }
}

fn deployment() -> Markup {
    html! {
        li {
            strong { "Report a deployment." }
            " At the end of a pipeline, with one of " code { "[events_api] keys" } ":"
            pre tabindex="0" role="region" aria-label="Request for a deployment" {
                "curl -H \"DD-API-KEY: $EVENTS_API_KEY\" https://YOUR-HOST/api/v2/dora/deployment \\\n"
                "  -d '{\"data\": {\"attributes\": {\"service\": \"checkout\", \"version\": \"1.42.0\",\n"
                "       \"started_at\": \"'$(date -u +%FT%TZ)'\"}}}'"
            }
            "The service must have the name that its failures have. Without deployments there are times to restore, "
            "and no rates."
        }
    }
}
