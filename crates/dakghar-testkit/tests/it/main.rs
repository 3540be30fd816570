//! The test kit itself.
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "in a test, the line that fails says enough; a test has its own clock and tasks"
)]

mod conformance;
mod fault_proxy;

mod installation;
mod migrate;
mod servers;
mod tidy;
