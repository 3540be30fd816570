//! The schedule that wakes workers, on Redis through the official `bullmq` crate.
//!
//! Jobs carry two ids and a number, and all of them may be lost at any time. [`BullmqQueue`] notices that and says so,
//! the caller then fills the queue again. Retries, states and outcomes are the business of the store; BullMQ's
//! counters, locks and failed set decide nothing.
//!
//! The crate underneath does not survive every accident by itself: a command connection that went half-open, a
//! primary that became a replica, a panic in a processor, a renewal that stalls all starts. What is done about each
//! stands where it is done: `supervisor` replaces connections, `generation` sets the options, `handover` is the
//! processor.
//!
//! In the order in which a newcomer should read: `config`, `job`, `generation`, `handover`, `probe`,
//! `witness`, `supervisor`, `queue`.

mod config;
mod generation;
mod handover;
mod job;
mod probe;
mod queue;
mod supervisor;
mod witness;

#[cfg(test)]
pub(super) use config::connection_options;
pub use config::{BullmqConfig, Role};
pub use job::{QUEUE_NAME, work_of_job};
pub use queue::BullmqQueue;
