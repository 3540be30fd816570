//! The schedule that wakes workers, on Redis through the official `bullmq` crate, and the pace of each number.
//!
//! Redis holds nothing that the store does not know better: jobs carry two ids and a number, and all of it may be
//! lost at any time. [`BullmqQueue`] notices that and says so, the caller then fills the queue again. Retries, states
//! and outcomes are the business of the store; BullMQ's counters, locks and failed set decide nothing.
//!
//! The crate underneath does not survive every accident by itself: a command connection that went half-open, a
//! primary that became a replica, a panic in a processor, a renewal that stalls all starts. What is done about each
//! stands where it is done: `supervisor` replaces connections, `generation` sets the options, `handover` is the
//! processor.
//!
//! In the order in which a newcomer should read: `config`, `job`, `generation`, `handover`, `probe`,
//! `witness`, `supervisor`, `queue`; and beside them `pacer`.

mod config;
mod generation;
mod handover;
mod job;
mod link;
mod pacer;
mod probe;
mod queue;
mod supervisor;
mod witness;

pub use config::{BullmqConfig, InvalidRedisConfig, RedisConfig, Role};
pub use job::QUEUE_NAME;
pub use pacer::RedisPacer;
pub use queue::BullmqQueue;
