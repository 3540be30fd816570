//! What the machine itself provides: its clock and random source.

mod system;

pub use system::{RandomIds, SystemClock};
