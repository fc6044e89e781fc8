//! State of the admin listener, split into the parts that its handlers use.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::FromRef;
use jiff::tz::TimeZone;
use tokio::sync::watch;

use super::backfill::{Backfilling, DoStep};
use super::dashboard::Dashboard;
use super::dashboard::parts::site::Zone;
use super::deployments::DeploymentLookup;
use super::failures::FailureLookup;
use super::figures::{FigureInputs, Figures};
use super::import::{DoImport, Importing};
use super::metrics::Scrapes;
use super::outbox::Outbox;
use super::probes::Readiness;
use super::quarantine::Quarantine;
use super::reads::{ReadLog, StoreReads};
use super::reevaluate::Reevaluation;
use super::reload::Reload;
use super::requests::Requests;
use super::tell::Telling;
use super::token::Token;
use crate::clock::Clock;
use crate::domain::backfill::{BackfillOrder, BackfillStep};
use crate::domain::forwarding::BackendEntry;
use crate::domain::policy::Policy;
use crate::store::{FiguresReader, Reader, Store};
use crate::telemetry::metrics::Metrics;

/// Parts that the admin listener is built from. No handler sees all of them.
pub struct Admin {
    /// Store, for changes, and to check that it can be written.
    pub store: Store,
    /// Reader for listings.
    pub reader: Reader,
    /// Reader of the question if the program is ready.
    pub readiness_reader: Reader,
    /// Reader for figures only. Other requests must not wait for it.
    pub figures: FiguresReader,
    /// Source of the present time.
    pub clock: Arc<dyn Clock>,
    /// Counters and gauges.
    pub metrics: Arc<Metrics>,
    /// Policy of the present configuration.
    pub policy: Arc<Policy>,
    /// Time zone in which days begin.
    pub timezone: TimeZone,
    /// Configured backends.
    pub backend_entries: Arc<[BackendEntry]>,
    /// Requests to the public listener.
    pub requests: Arc<Requests>,
    /// Reader of past incidents. `None` if `[pagerduty.api]` is not configured.
    pub backfill: Option<DoStep<BackfillOrder, BackfillStep>>,
    /// Steps of an import from each backend that lists what it holds, by the backend's name.
    pub imports: BTreeMap<String, DoImport>,
    /// Token that the dashboard's forms send.
    pub token: Arc<Token>,
    /// Has the daemon read its configuration again.
    pub reload: Reload,
    /// `true` once the program begins to stop.
    pub stop: watch::Receiver<bool>,
}

/// One part for each group of handlers.
#[derive(Clone)]
pub(super) struct AdminParts {
    readiness: Arc<Readiness>,
    deployments: Arc<DeploymentLookup>,
    failures: Arc<FailureLookup>,
    pub(super) figures: Arc<Figures>,
    scrapes: Arc<Scrapes>,
    outbox: Arc<Outbox>,
    quarantine: Arc<Quarantine>,
    reevaluation: Arc<Reevaluation>,
    telling: Arc<Telling>,
    backfilling: Arc<Backfilling>,
    importing: Arc<Importing>,
    reload: Arc<Reload>,
    dashboard: Arc<Dashboard>,
    token: Arc<Token>,
    pub(super) zone: Arc<Zone>,
}

impl From<Admin> for AdminParts {
    fn from(admin: Admin) -> Self {
        let Admin { store, clock, policy, timezone, backend_entries, .. } = admin;
        let log = ReadLog::default();
        let reads = StoreReads::new(admin.reader, log.clone());
        let inputs =
            FigureInputs { reader: admin.figures, policy: Arc::clone(&policy), timezone: timezone.clone() };
        let figures = Arc::new(Figures::new(inputs, Arc::clone(&clock), log.clone()));
        let token = admin.token;
        Self {
            readiness: Arc::new(Readiness {
                store: store.clone(),
                reads: StoreReads::new(admin.readiness_reader, log),
                clock: Arc::clone(&clock),
                stop: admin.stop,
            }),
            deployments: Arc::new(DeploymentLookup {
                reads: reads.clone(),
                clock: Arc::clone(&clock),
                timezone: timezone.clone(),
                policy: Arc::clone(&policy),
                backend_entries: Arc::clone(&backend_entries),
            }),
            failures: Arc::new(FailureLookup {
                reads: reads.clone(),
                clock: Arc::clone(&clock),
                timezone: timezone.clone(),
                policy: Arc::clone(&policy),
                backend_entries: Arc::clone(&backend_entries),
            }),
            scrapes: Arc::new(Scrapes {
                reads: reads.clone(),
                metrics: Arc::clone(&admin.metrics),
                figures: Arc::clone(&figures),
                clock: Arc::clone(&clock),
            }),
            outbox: Arc::new(Outbox {
                store: store.clone(),
                reads: reads.clone(),
                clock: Arc::clone(&clock),
                backend_entries: Arc::clone(&backend_entries),
            }),
            telling: Arc::new(Telling::new(&store, &clock, &timezone, &backend_entries)),
            quarantine: Arc::new(Quarantine { store: store.clone(), reads: reads.clone() }),
            dashboard: Arc::new(Dashboard {
                store: store.clone(),
                reads,
                clock: Arc::clone(&clock),
                figures: Arc::clone(&figures),
                policy: Arc::clone(&policy),
                backend_entries,
                metrics: admin.metrics,
                requests: admin.requests,
            }),
            importing: Arc::new(Importing::new(admin.imports, &clock, &timezone, &policy)),
            backfilling: Arc::new(Backfilling {
                step: admin.backfill,
                clock: Arc::clone(&clock),
                timezone: timezone.clone(),
                policy: Arc::clone(&policy),
            }),
            reload: Arc::new(admin.reload),
            zone: Arc::new(Zone::new(timezone.clone())),
            reevaluation: Arc::new(Reevaluation { store, clock, timezone, policy }),
            figures,
            token,
        }
    }
}

/// Lets a handler extract one part alone.
macro_rules! part {
    ($($field:ident: $part:ty),+ $(,)?) => {
        $(impl FromRef<AdminParts> for Arc<$part> {
            fn from_ref(parts: &AdminParts) -> Self {
                Self::clone(&parts.$field)
            }
        })+
    };
}

part! {
    readiness: Readiness,
    deployments: DeploymentLookup,
    failures: FailureLookup,
    figures: Figures,
    scrapes: Scrapes,
    outbox: Outbox,
    quarantine: Quarantine,
    reevaluation: Reevaluation,
    telling: Telling,
    backfilling: Backfilling,
    importing: Importing,
    reload: Reload,
    dashboard: Dashboard,
    token: Token,
    zone: Zone,
}
