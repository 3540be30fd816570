//! Adapters that measure another one: how long each of its calls takes.

mod audit;
mod callbacks;
mod departures;
mod feed;
mod installation;
mod messages;
mod operators;
mod opt_outs;
mod person_erasures;
mod records;
mod redrives;
mod signups;
mod statuses;
mod store;
mod timer;

pub use store::MeasuredStore;
