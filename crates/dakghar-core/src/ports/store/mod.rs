//! Everything that must be durable, one trait for each aggregate.
//!
//! Three rules hold for every method here. An `Ok` means durable: fsynced, or acknowledged by a majority with its
//! journal. A save names the version that was read: whoever comes second gets [`Saved::Stale`] and starts again. An
//! unreadable record (broken, or written by a later version) does not stop the rest: methods that return many leave it
//! out, log it once, and go on behind it.

mod conversations;
mod erasure;
mod events;
mod health;
mod lists;
mod messages;
mod tenants;
mod timers;

pub use conversations::ConversationStore;
pub use erasure::Erasure;
pub use events::EventStore;
pub use health::StoreHealth;
pub use lists::ListStore;
pub use messages::{Acceptance, MessageStore, Received, ReceivedMessage, Save};
pub use tenants::{TenantSaved, TenantStore};
pub use timers::TimerStore;

/// Why the store did not do it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// It cannot be reached, or did not answer in time. The write may or may not have happened.
    #[error("the store is not available: {0}")]
    Unavailable(String),
    /// It has no space left.
    #[error("the store is full: {0}")]
    Full(String),
    /// What it holds cannot be read, or it does not work as promised.
    #[error("the store is damaged: {0}")]
    Corrupt(String),
}

/// What became of a save.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Saved {
    /// Durable, now under the next version.
    Done,
    /// Somebody saved in between, or it does not exist any more; nothing changed.
    Stale,
}
