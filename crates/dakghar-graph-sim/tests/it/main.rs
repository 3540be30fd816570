//! The simulator as a gateway meets it: over HTTP, with a real receiver for its webhooks.

#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]

mod control;
mod faults;
mod graph;
mod journal;
mod receiver;
mod sender;
mod webhooks;
