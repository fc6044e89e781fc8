//! The store's server fails while webhooks come: its network is cut, its primary is killed, its standby is missing.
//!
//! Everything that was answered 2xx is stored in the end, once, also where a standby has taken over.

mod apis;
mod claims;
mod disturbed;
mod held;
mod network;
mod primary;
mod safeguards;
mod slow_job;
mod turn;
mod waits;
