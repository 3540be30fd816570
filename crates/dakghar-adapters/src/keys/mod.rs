//! Keys kept by this process itself: everything is derived from one master key out of the configuration.
//!
//! The master key wraps one random data key per tenant; a tenant's secrets are sealed under its data key. Both bind
//! the tenant as additional data, so a value copied to another tenant, purpose or installation does not open. A key
//! service behind the same port would replace only this folder. Nothing here stores anything.

mod derived;
mod sealed;
mod vault;

pub use vault::{LocalVault, MasterKeyTooShort, generate_master_key};
