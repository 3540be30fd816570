//! How a person is called.

use std::sync::Arc;

use super::time::Timestamp;

/// Bytes of a name that are kept.
pub const NAME_BYTES_MAX: usize = 512;

/// The names of a person, as Meta told them at some time. The last one told counts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PersonName {
    /// The time it was told.
    pub at: Timestamp,
    /// The name in the person's profile.
    pub name: Option<Arc<str>>,
    /// The username, if the person has one.
    pub username: Option<Arc<str>>,
}
