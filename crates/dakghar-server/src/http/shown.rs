//! The number of items that an answer shows.

/// The number of items of an answer; an extension of it.
#[derive(Clone, Copy)]
pub(super) struct Shown(pub(super) u64);
