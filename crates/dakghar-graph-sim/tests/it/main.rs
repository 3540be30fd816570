//! The simulator as a gateway meets it: over HTTP, with a real receiver for its webhooks.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a test may fail where it stands, and has its own tasks"
)]

mod coexistence;
mod control;
mod faults;
mod graph;
mod journal;
mod leaving;
mod onboarding;
mod receiver;
mod sender;
mod traffic;
mod webhooks;
