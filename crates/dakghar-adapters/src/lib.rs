//! The adapters through which Dakghar talks to the world: one folder per outside system, each implementing ports of the
//! core.
//!
//! Folders do not import each other; they share only `stored`, `retry_after`, `told` and [`vital`], which implement no port. SQL
//! appears only in [`sqlite`], BSON only in [`mongo`], Redis only in [`redis`], Meta's JSON only in [`meta`].
//! [`callbacks`] calls the receivers of tenants, [`otlp`] posts traces to a collector, [`keys`] wraps the keys of tenants, and [`local`] is this machine;
//! [`measured`] measures other adapters.

pub mod callbacks;
pub mod keys;
pub mod local;
pub mod measured;
pub mod meta;
pub mod mongo;
pub mod otlp;
pub mod redis;
mod retry_after;
pub mod sqlite;
mod stored;
mod told;
pub mod vital;

pub use stored::unreadable::unreadable_records;
