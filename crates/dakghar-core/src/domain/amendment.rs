//! What a person did to a message after it was sent: edited it, or revoked it.
//!
//! An amendment is a record of its own and never changes the message. A message is shown as its strongest amendment left
//! it, so neither the order in which they come nor repetitions matter, and one that comes before its message waits for
//! it by itself.

use std::sync::Arc;
use std::time::Duration;

use super::ids::Wamid;
use super::message::Message;
use super::time::Timestamp;

/// The longest content of an edit that is shown in the place of the original. WhatsApp's longest text has a quarter of it.
pub const EDIT_BYTES_MAX: usize = 64 * 1024;
/// Amendments that are shown of one message; of more, the latest.
pub const AMENDMENTS_MAX: u32 = 64;
/// The time by which an amendment is kept longer than other events. Its message may have come later, because Meta posts
/// for seven days what was not taken, and must not outlive its revocation.
pub const KEPT_LONGER: Duration = Duration::from_secs(8 * 24 * 60 * 60);

/// A change that the sender of a message made to it later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Amendment {
    /// Meta's id of the message that it changes.
    pub of: Wamid,
    /// Meta's id of the change itself, by which repetitions are recognised.
    pub by: Wamid,
    /// The time Meta says it was made.
    pub at: Timestamp,
    /// What the message says now; `None` if it was revoked.
    pub content: Option<AmendedContent>,
}

/// What an edited message says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AmendedContent {
    /// Meta's name of the type.
    pub kind: Arc<str>,
    /// Meta's object of that type as JSON text.
    pub body: Arc<str>,
}

impl Amendment {
    /// True if it takes the message back.
    pub const fn revokes(&self) -> bool {
        self.content.is_none()
    }

    /// What tells which of two amendments of a message counts: a revocation is final, of edits the last one counts, and of
    /// those in one second the one with the greater id.
    pub fn strength(&self) -> (bool, Timestamp, &Wamid) {
        (self.revokes(), self.at, &self.by)
    }

    /// The strongest first, and at most so many.
    pub fn strongest(mut all: Vec<Self>, count: u32) -> Vec<Self> {
        all.sort_by(|a, b| b.strength().cmp(&a.strength()));
        all.truncate(usize::try_from(count).unwrap_or(usize::MAX));
        all
    }
}

/// A message together with what was done to it.
#[derive(Clone, Debug, PartialEq)]
pub struct AmendedMessage {
    /// The message as it was received.
    pub message: Message,
    /// Its amendments, the strongest first. Lists have only that one.
    pub amendments: Vec<Amendment>,
}

impl From<Message> for AmendedMessage {
    fn from(message: Message) -> Self {
        Self {
            message,
            amendments: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amendment(by: &str, at: i64, body: Option<&str>) -> Amendment {
        Amendment {
            of: Wamid::parse("wamid.1").expect("printable"),
            by: Wamid::parse(by).expect("printable"),
            at: Timestamp::from_millis(at),
            content: body.map(|body| AmendedContent {
                kind: "text".into(),
                body: body.into(),
            }),
        }
    }

    #[test]
    fn a_revocation_is_final_and_of_edits_the_last_one_counts_whatever_their_order() {
        let expected = ["revoked", "late", "same.2", "same.1", "early"];
        let all = [
            amendment("early", 1, Some("1")),
            amendment("same.1", 2, Some("2")),
            amendment("same.2", 2, Some("3")),
            amendment("late", 3, Some("4")),
            // Of the same second as an edit, or before one, it is not undone by it.
            amendment("revoked", 2, None),
        ];
        for turn in 0..all.len() {
            let mut turned = all.to_vec();
            turned.rotate_left(turn);
            let sorted = Amendment::strongest(turned, 5);
            let order: Vec<_> = sorted.iter().map(|one| one.by.as_str()).collect();
            assert_eq!(order, expected);
        }
        assert_eq!(Amendment::strongest(all.to_vec(), 1)[0].by.as_str(), "revoked");
    }
}
