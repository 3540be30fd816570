//! Entries of a conversation that wait together, as they stand in the progress of their endpoint.

use dakghar_core::domain::callback::WaitingLine;
use dakghar_core::domain::feed::Place;
use dakghar_core::domain::ids::ConversationId;
use serde::{Deserialize, Serialize};

/// A line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WaitingLineFields {
    conversation_id: String,
    after: i64,
    to: i64,
    /// Absent where an older version wrote the line.
    entries: Option<i64>,
}

impl From<&WaitingLine> for WaitingLineFields {
    fn from(line: &WaitingLine) -> Self {
        Self {
            conversation_id: line.conversation_id.to_string(),
            after: line.after.number().cast_signed(),
            to: line.to.number().cast_signed(),
            entries: Some(line.entries.cast_signed()),
        }
    }
}

impl WaitingLineFields {
    /// The line; `None` if it is not understood.
    pub(crate) fn line(&self) -> Option<WaitingLine> {
        let place = |number: i64| u64::try_from(number).ok().map(Place::new);
        let line = WaitingLine {
            conversation_id: ConversationId::parse(&self.conversation_id).ok()?,
            after: place(self.after)?,
            to: place(self.to)?,
            // Not more than there is room for.
            entries: self
                .entries
                .map_or(Some(u64::MAX), |entries| u64::try_from(entries).ok())?,
        };
        Some(line.within_span())
    }
}
