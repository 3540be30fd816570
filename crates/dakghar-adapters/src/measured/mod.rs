//! Adapters that measure another one: how long each of its calls takes.

mod callbacks;
mod feed;
mod graph;
mod messages;
mod records;
mod redrives;
mod statuses;
mod store;
mod timer;

pub use graph::MeasuredMessagesApi;
pub use store::MeasuredStore;
