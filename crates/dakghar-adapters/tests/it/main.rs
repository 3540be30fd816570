//! The adapters against the real thing behind each of them.

#![allow(
    clippy::disallowed_methods,
    clippy::too_many_lines,
    clippy::unused_async,
    clippy::unwrap_used,
    reason = "a test may fail where it stands, has its own clock, tasks and switches, reads from top to bottom, and \
              keeps the shape its suite asks for"
)]

mod callbacks;
mod fuzzed;
mod keys;
mod meta;
mod mongo;
mod redis;
mod spool;
mod sqlite;
mod uptime;
mod vital;
