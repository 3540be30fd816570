//! The adapters through which Dakghar talks to the world: one folder per outside system, each implementing ports of the
//! core.
//!
//! Folders do not import each other; they share only `stored` and [`vital`], which implement no port. SQL appears only in
//! [`sqlite`], BSON only in [`mongo`], Redis only in [`redis`], Meta's JSON only in [`meta`]. [`keys`] wraps
//! the keys of tenants, and [`local`] is this machine; [`measured`] measures other adapters.

pub mod keys;
pub mod local;
pub mod measured;
pub mod meta;
pub mod mongo;
pub mod redis;
pub mod sqlite;
mod stored;
pub mod vital;

pub use stored::unreadable::unreadable_records;
