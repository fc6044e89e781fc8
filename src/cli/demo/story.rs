//! Story of the demo: one day at a made-up company.

/// Part of the day: webhooks as PagerDuty sends them, and a sentence about their effect.
pub(super) struct Chapter {
    pub(super) says: &'static str,
    pub(super) webhooks: &'static [&'static str],
}

macro_rules! webhooks {
    ($($name:literal),+) => {
        &[$(include_str!(concat!("../../../fixtures/story/", $name, ".json"))),+]
    };
}

pub(super) const STORY: [Chapter; 11] = [
    Chapter {
        says: "An incident from trigger to resolve, just after a deployment. The acknowledgement does not end it, the note\n\
               changes nothing, and the resolve that is delivered twice counts once. A rollback fixes it.",
        webhooks: webhooks![
            "01-plain-triggered",
            "02-plain-acknowledged",
            "03-plain-note",
            "04-plain-resolved",
            "05-plain-resolved-again"
        ],
    },
    Chapter {
        says: "An incident whose events arrive in the wrong order. Its service and team are in the software catalog.",
        webhooks: webhooks![
            "06-out-of-order-resolved",
            "07-out-of-order-acknowledged",
            "08-out-of-order-triggered"
        ],
    },
    Chapter {
        says: "An incident whose priority is raised: the last priority decides the severity.",
        webhooks: webhooks!["09-raised-triggered", "10-raised-priority", "11-raised-resolved"],
    },
    Chapter {
        says: "An incident that began before the daemon received webhooks. Its resolve alone is enough.",
        webhooks: webhooks!["12-resolve-alone"],
    },
    Chapter {
        says: "An incident that is reopened: corrections are sent, and the backend has the real end at last.",
        webhooks: webhooks![
            "13-reopened-triggered",
            "14-reopened-resolved",
            "15-reopened-reopened",
            "16-reopened-resolved-for-good"
        ],
    },
    Chapter {
        says: "An incident that stays open: nothing is sent yet. And PagerDuty's test event.",
        webhooks: webhooks!["17-open-triggered", "18-open-acknowledged", "19-ping"],
    },
    Chapter {
        says: "Noise: a rule ignores reminders of low urgency. The failure is kept, but not sent.",
        webhooks: webhooks!["20-noise-triggered", "21-noise-resolved"],
    },
    Chapter {
        says: "Two incidents of the same outage, one merged into the other: one failure, from the earlier start.",
        webhooks: webhooks![
            "22-merged-source-triggered",
            "23-merged-target-triggered",
            "24-merged-source-merged",
            "25-merged-target-resolved"
        ],
    },
    Chapter {
        says: "An incident shorter than failure.min_duration: it is ignored, too.",
        webhooks: webhooks!["26-short-triggered", "27-short-resolved"],
    },
    Chapter {
        says: "An incident that was sent before it was reopened and merged: the backend is asked to delete it.",
        webhooks: webhooks![
            "28-late-triggered",
            "29-late-target-triggered",
            "30-late-resolved",
            "31-late-reopened",
            "32-late-merged",
            "33-late-target-resolved"
        ],
    },
    Chapter {
        says: "An incident that is reopened before failure.settle has passed: it is sent once, with the real end.",
        webhooks: webhooks![
            "34-settle-triggered",
            "35-settle-resolved",
            "36-settle-reopened",
            "37-settle-resolved-for-good"
        ],
    },
];

/// What happens while webhooks are lost.
pub(super) const GAP: &str = "The proxy in front of the daemon fails: PagerDuty drops three webhooks and disables the subscription. At its next\n\
     check the daemon enables it again, reads what was lost from PagerDuty's REST API, and the backend has it, too.";

/// The lost webhooks.
pub(super) const LOST: [&str; 3] = [
    include_str!("../../../fixtures/lost/1-triggered.json"),
    include_str!("../../../fixtures/lost/2-acknowledged.json"),
    include_str!("../../../fixtures/lost/3-resolved.json"),
];

/// Time by which the gap is closed.
pub(super) const GAP_CLOSED: &str = "2026-11-02T21:00:00Z";

/// Deployment that a pipeline sends.
pub(super) struct DemoDeployment {
    pub(super) service: &'static str,
    pub(super) started_at: &'static str,
    pub(super) finished_at: &'static str,
    pub(super) version: &'static str,
}

const fn deployed(
    service: &'static str,
    started_at: &'static str,
    finished_at: &'static str,
    version: &'static str,
) -> DemoDeployment {
    DemoDeployment { service, started_at, finished_at, version }
}

/// Deployments of the day, in the order of their ends.
pub(super) const DEPLOYMENTS: [DemoDeployment; 7] = [
    deployed("checkout", "2026-11-02T08:05:00Z", "2026-11-02T08:11:30Z", "1.41.0"),
    deployed("checkout", "2026-11-02T09:02:00Z", "2026-11-02T09:09:10Z", "1.42.0"),
    deployed("checkout", "2026-11-02T09:48:00Z", "2026-11-02T09:53:40Z", "1.41.0"),
    deployed("search", "2026-11-02T10:40:00Z", "2026-11-02T10:52:00Z", "207"),
    deployed("mail", "2026-11-02T12:10:00Z", "2026-11-02T12:14:00Z", "3.8.1"),
    deployed("search", "2026-11-02T15:30:00Z", "2026-11-02T15:41:00Z", "208"),
    deployed("checkout", "2026-11-02T19:46:00Z", "2026-11-02T19:49:10Z", "1.43.0"),
];

/// Configuration of the story: severities, a rule and services. The service Search is in the catalog.
pub(super) const STORY_CONFIG: &str = r#"
[failure.severity]
P1 = "SEV-1"
P2 = "SEV-2"
P3 = "SEV-3"

[[rule]]
name = "reminders are noise"
urgency = ["low"]
title = ['expires in \d+ days']
action = "ignore"

[[service]]
pagerduty = "PSVC001"
services = ["checkout"]
team = "payments"

[[service]]
pagerduty = "Mail delivery"
services = ["mail"]
team = "platform"
"#;

pub(super) const CATALOG: &str = include_str!("../../../fixtures/catalog/datadog-v2.yaml");
