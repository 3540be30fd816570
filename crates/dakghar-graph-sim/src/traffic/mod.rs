//! Everything that Meta is known to post, by name and as a random mixture with Meta's habits.
//!
//! [`kinds`] is the table of what there is. [`maker`] writes one update, [`packing`] puts updates into bodies, and
//! [`mixture`] decides what comes when. Nothing here does IO or reads a clock: a seed gives the same bytes each time.

mod account_fields;
mod app_data;
mod history;
mod kind;
mod kinds;
mod maker;
mod messages;
mod mixture;
mod number_fields;
mod packing;
mod part;
mod statuses;

#[cfg(test)]
mod tests;

pub use kind::Kind;
pub use maker::SentMessage;
pub use mixture::{Mixture, Planned, Traffic};

pub(crate) use app_data::{Told, contacts, echo, history, partner_event};
pub(crate) use kinds::bodies_of;
