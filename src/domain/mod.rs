//! Incidents, failures and their times: pure functions over plain values.
//!
//! Nothing here depends on HTTP, SQL, threads, the clock, the configuration file or a source's wire format.
//! "Rule 1" to "rule 17" in comments and tests are the rules of `docs/failures.md`.

pub mod address;
pub mod attribution;
pub mod backfill;
pub mod catalog;
pub mod changed_failure;
pub mod deployment;
pub mod deployment_view;
pub mod evaluate;
pub mod event;
pub mod explain;
pub mod explain_deployment;
pub mod failure;
pub mod figures;
pub mod forwarding;
pub mod history;
pub mod human_duration;
pub mod id;
pub mod import;
pub mod lane;
pub mod link;
pub mod mark;
pub mod mark_address;
pub mod merge;
pub mod name;
pub mod named;
pub mod not_forwarded;
pub mod open_period;
pub mod pagerduty_ref;
mod pattern_syntax;
pub mod policy;
pub mod printable;
pub mod related_change;
pub mod retry;
pub mod rule;
pub mod rule_coverage;
pub mod severity;
pub mod source;
pub mod source_name;
pub mod statistics;
pub mod submission;
pub mod surrogates;
pub mod timestamp;
pub mod user_time;
pub mod zoned_time;
