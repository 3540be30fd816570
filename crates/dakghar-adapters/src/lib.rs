//! How Dakghar talks to the world: one folder per outside system, each implementing ports of the core.
//!
//! Folders do not import each other. SQL appears only in [`sqlite`], BSON only in [`mongo`], Redis only in
//! [`bullmq`], Meta's JSON only in [`graph`].

pub mod bullmq;
pub mod graph;
pub mod keys;
pub mod mongo;
pub mod sqlite;
mod stored;
pub mod system;
