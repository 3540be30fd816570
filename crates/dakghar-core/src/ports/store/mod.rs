//! Everything that must be durable, one trait for each aggregate.
//!
//! Three rules hold for every method here:
//!
//! - An `Ok` means durable: fsynced, or acknowledged by a majority with its journal.
//! - A save names the version that was read. The second writer gets [`Saved::Stale`] and starts again.
//! - An unreadable record (broken, or written by a later version) does not stop the rest. It is logged once and counted.
//!   Methods that return many records leave it out and go on behind it, but for the feed, where it has a place; methods with an answer for each item answer
//!   [`StoreError::Unreadable`] for its own.

mod apps;
mod audit;
mod callbacks;
mod conversations;
mod departures;
mod endpoints;
mod erasure;
mod events;
mod feed;
mod health;
mod holds;
mod installation;
mod listeners;
mod lists;
mod messages;
mod operators;
mod opt_outs;
mod person_erasures;
mod redrives;
mod signups;
mod statuses;
mod tenants;
mod timers;

pub use apps::AppStore;
pub use audit::{AuditStore, AuditedChange, Carried, Walked};
pub use callbacks::{CallbackStore, ExceptionsAsked, GoneEndpoints};
pub use conversations::ConversationStore;
pub use departures::DepartureStore;
pub use endpoints::{EndpointInserted, EndpointStore};
pub use erasure::{Aged, AgedPortion, ErasedPortion, Erasure};
pub use events::EventStore;
pub use feed::{Appended, ArrivalStore, ArrivalsWaiting, Attendant, FeedStore};
pub use health::StoreHealth;
pub use holds::HoldStore;
pub use installation::InstallationStore;
pub use listeners::ListenerStore;
pub use lists::ListStore;
pub use messages::{Acceptance, LOAD_BYTES_MAX, MessageStore, Received, ReceivedMessage, Save};
pub use operators::OperatorStore;
pub use opt_outs::OptOutStore;
pub use person_erasures::{PersonErased, PersonErasureStore, PersonPortion, Remains};
pub use redrives::RedriveStore;
pub use signups::SignupStore;
pub use statuses::{REPORTS_MAX, StatusStore};
pub use tenants::{TenantSaved, TenantStore};
pub use timers::{DUE_BYTES_MAX, TimerStore};

/// The store failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// It cannot be reached, or did not answer in time. The write may or may not have happened.
    #[error("the store is not available: {0}")]
    Unavailable(String),
    /// It has no space left.
    #[error("the store is full: {0}")]
    Full(String),
    /// The store does not work as promised.
    #[error("the store is damaged: {0}")]
    Corrupt(String),
    /// One record cannot be read: broken, or written by a later version. It is kept as it is, and concerns only those
    /// who ask for it. The text names the record and the field, and never carries a value.
    #[error("a record cannot be read: {0}")]
    Unreadable(String),
    /// One record was not read because those before it have all the bytes of one call. It is to be asked for again.
    #[error("a record was not read yet: those before it have all the bytes of one call")]
    NotReadYet,
}

/// The result of a save.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Saved {
    /// Durable, now under the next version.
    Done,
    /// Another writer saved first, or the record does not exist any more. Nothing changed.
    Stale,
}
