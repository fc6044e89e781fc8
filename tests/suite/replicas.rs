//! Several replicas of the daemon on one PostgreSQL.

mod history;
mod killed;
mod merges;
mod no_statistics;
mod running;
mod stopped;
mod upgraded;
