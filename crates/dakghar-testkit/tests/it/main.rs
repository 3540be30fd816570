//! The test kit itself.
#![expect(clippy::unwrap_used, reason = "in a test, the line that fails says enough")]

mod conformance;
mod fault_proxy;

mod migrate;
mod servers;
mod tidy;
