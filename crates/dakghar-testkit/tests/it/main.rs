//! The test kit itself.
#![expect(clippy::unwrap_used, reason = "in a test, the line that fails says enough")]

mod fault_proxy;
mod memory;
mod migrate;
mod servers;
mod tidy;
