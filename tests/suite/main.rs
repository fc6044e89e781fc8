//! Tests of the whole program, with real sockets, an injected clock and a backend that records its requests.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails where it cannot go on")]
#![allow(clippy::disallowed_methods, reason = "tests read environment variables")]
#![allow(missing_docs, clippy::print_stdout, reason = "tests have no users and may print")]

mod admin;
mod architecture;
mod backend_down;
mod backends;
mod backfill;
mod backlog;
mod backup;
mod browser;
mod canary;
mod certificates;
mod check;
mod check_database;
mod check_online;
mod cli;
mod corrections;
mod daemon;
mod dashboard;
mod dashboard_deployments;
mod dashboard_figures;
mod dashboard_pages;
mod datadog_ci;
mod demo;
mod deployment_listings;
mod deployment_webhooks;
mod deployments;
mod descriptors;
mod engine;
mod events_api;
mod explain;
mod failover;
mod fake_datadog;
mod fake_github;
mod fake_gitlab;
mod fake_pagerduty;
mod faults;
mod figures;
mod fixture_store;
mod fixtures;
mod forwarded_deployments;
mod forwarding;
mod fuzz;
mod harness;
mod histories;
mod import;
mod in_flight;
mod intake;
mod json_schema;
mod kill;
mod kill_under_load;
mod kill_while_reconciling;
mod late_requests;
mod listings;
mod load;
mod marks;
mod model;
mod no_certificates;
mod node;
mod odd_answers;
mod odd_texts;
mod openapi;
mod order_and_duplicates;
mod outbox;
mod outgoing;
mod outgoing_connections;
mod packaging;
mod portable_sql;
mod postgres;
mod power_loss;
mod process;
mod quarantine;
mod read_deployments;
mod readable;
mod readme;
mod recipes;
mod reconcile;
mod reconcile_daemon;
mod reevaluate;
mod refused_webhooks;
mod related_changes;
mod reload;
mod repeats;
mod replicas;
mod retention;
mod second_host;
mod sent_requests;
mod slow;
mod soak;
mod source_deployments;
mod sources;
mod store_copy;
mod store_edit;
mod store_files;
mod store_probe;
mod store_trouble;
mod subscription;
mod systemd;
mod tell;
mod tls;
mod torture;
mod unread_log;
mod unreliable;
mod ways_in;

/// The slow model of links, shared with the domain's own tests.
#[path = "../../src/domain/link/tests/model.rs"]
#[expect(dead_code, reason = "the tests of marks need only the causes")]
mod link_model;
// The model uses `crate::domain`.
pub(crate) use pagerduty_dora::domain;
