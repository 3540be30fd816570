//! The test kit itself.

mod servers;
