//! Keys kept by this process itself: data keys are wrapped under a master key out of the configuration.
//!
//! A key service elsewhere would be a file beside [`LocalKeys`]. Nothing here stores anything.

mod local;

pub use local::{LocalKeys, generate_master_key};
