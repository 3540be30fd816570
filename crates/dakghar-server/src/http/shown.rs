//! How much an answer shows.

/// How many items an answer has; an extension of it.
#[derive(Clone, Copy)]
pub(super) struct Shown(pub(super) u64);
