//! Parts that need no other system than this machine: its clock, its random source, and the pace of numbers and the
//! requests of tenants in memory.

mod pacer;
mod quota;
mod system;

pub use pacer::LocalPacer;
pub use quota::LocalQuota;
pub use system::{RandomIds, SystemClock};
