//! Parts that need no other system than this machine: its clock, its random source, and the pace of numbers in memory.

mod pacer;
mod system;

pub use pacer::LocalPacer;
pub use system::{RandomIds, SystemClock};
