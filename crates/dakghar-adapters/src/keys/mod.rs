//! The keys that wrap data keys: a master key out of the configuration, or one that a service elsewhere keeps.
//!
//! Nothing here stores anything, and nothing here keeps what was unwrapped.

mod local;
mod service;
mod transit;

pub use local::{LocalKeys, generate_master_key};
pub use service::{ServiceName, UnknownService};
pub use transit::{Login, TransitConfig, TransitError, TransitKeys, TransitName};
