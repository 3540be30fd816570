//! The adapters against the real thing behind each of them.

#![allow(
    clippy::disallowed_methods,
    clippy::unused_async,
    clippy::unwrap_used,
    reason = "a test may fail where it stands, reads its own switches, and keeps the shape its suite asks for"
)]

mod keys;
mod meta;
mod mongo;
mod redis;
mod sqlite;
