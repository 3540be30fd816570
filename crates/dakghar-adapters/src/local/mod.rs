//! Parts that need no other system than this machine: its clock, its timers, its random source, and the pace of numbers and the
//! requests of tenants in memory, and Meta's answers in files.

mod pacer;
mod quota;
mod spool;
mod system;

pub use pacer::LocalPacer;
pub use quota::LocalQuota;
pub use spool::FileSpool;
pub use system::{RandomIds, RuntimeSleeper, SystemClock};
