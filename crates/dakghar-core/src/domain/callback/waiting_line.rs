//! What waits for an earlier entry of its conversation, where that is too much for an exception each.

use crate::domain::feed::Place;
use crate::domain::ids::ConversationId;

/// The entries of a conversation that wait as an exception each, behind the one that is tried. What comes behind those waits
/// together, as a [`WaitingLine`].
pub const WAITING_APART_MAX: usize = 32;
/// The most conversations of an endpoint of which entries wait together. Those of further ones wait as an exception each.
pub const WAITING_LINES_MAX: usize = 256;

/// Entries of a conversation that wait together: all behind a place, up to another one, that the endpoint wants. They cost as
/// much as one, and are looked up in the feed once their conversation goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaitingLine {
    /// The conversation.
    pub conversation_id: ConversationId,
    /// The place before the first of them.
    pub after: Place,
    /// The place of the last of them.
    pub to: Place,
    /// The number of them. More than that is told only where some are not wanted any more, or were erased: they are found
    /// when the line is looked up.
    pub entries: u64,
}

impl WaitingLine {
    /// The line with as many entries as there is room for between its ends, at most.
    #[must_use]
    pub fn within_span(self) -> Self {
        let span = self.to.number().saturating_sub(self.after.number());
        Self {
            entries: self.entries.min(span),
            ..self
        }
    }
}
