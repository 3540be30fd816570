//! The heart of Dakghar: the domain, the ports it needs from the world, and the use cases.
//!
//! Nothing here does IO. Time comes from [`ports::Clock`], ids from [`ports::IdGenerator`], and everything durable
//! goes through the traits in [`ports`]. Read in the order the data flows: [`domain`], [`ports`], [`vault`], [`app`].

pub mod app;
pub mod domain;
pub mod episode;
pub mod group_commit;
pub mod metrics;
pub mod ports;
mod signal;
pub mod traces;
pub mod vault;
