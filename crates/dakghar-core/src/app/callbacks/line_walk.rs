//! A walk through the feed for what waits in a line, while it is not at its end.

use crate::domain::feed::PlacedEntry;
use crate::domain::{ConversationId, Place};

/// Where the walk is, and what it has found.
pub(super) struct LineWalk {
    pub(super) conversation_id: ConversationId,
    /// Everything up to here was looked at.
    pub(super) at: Place,
    pub(super) found: Vec<PlacedEntry>,
}
