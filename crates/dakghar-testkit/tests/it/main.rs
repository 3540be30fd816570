//! The test kit itself.

mod fault_proxy;
mod memory;
mod servers;
