//! The records that entries name.

use std::fmt;
use std::sync::Arc;

use super::super::ids::{EventId, MessageId};
use super::super::message::Status;
#[cfg(doc)]
use super::super::message::StatusRecord;
use super::place::Place;

/// The record that an entry names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// A message that was written elsewhere.
    Message(MessageId),
    /// A report of Meta's on a message.
    Report {
        /// The message.
        message_id: MessageId,
        /// What tells the report from the others: see [`StatusRecord::digest`].
        digest: Arc<str>,
    },
    /// A message of ours, as it became.
    Change {
        /// The message.
        message_id: MessageId,
        /// The version that was saved with it.
        version: u64,
        /// What it became.
        status: Status,
        /// Calls to Meta authorised by then.
        attempt: u32,
    },
    /// A webhook event.
    Event(EventId),
    /// Nobody knows: what stands at this place cannot be read.
    Unreadable(Place),
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message(message_id) => write!(f, "message {message_id}"),
            Self::Report { message_id, digest } => write!(f, "report {message_id} {digest}"),
            Self::Change {
                message_id,
                version,
                status,
                attempt,
            } => write!(f, "change {message_id} {version} {} {attempt}", status.as_str()),
            Self::Event(event_id) => write!(f, "event {event_id}"),
            Self::Unreadable(place) => write!(f, "unreadable {place}"),
        }
    }
}

impl Subject {
    /// Reads what is written by `Display`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let (what, id) = (words.next()?, words.next()?);
        let message_id = || MessageId::parse(id).ok();
        let subject = match what {
            "message" => Self::Message(message_id()?),
            "report" => Self::Report {
                message_id: message_id()?,
                digest: words.next().filter(|digest| !digest.is_empty())?.into(),
            },
            "change" => Self::Change {
                message_id: message_id()?,
                version: words.next()?.parse().ok()?,
                status: Status::parse(words.next()?)?,
                attempt: words.next()?.parse().ok()?,
            },
            "event" => Self::Event(EventId::parse(id).ok()?),
            "unreadable" => Self::Unreadable(Place::parse(id)?),
            _ => return None,
        };
        words.next().is_none().then_some(subject)
    }

    /// Returns the message that it is about, if it is about one.
    pub const fn message_id(&self) -> Option<MessageId> {
        match self {
            Self::Message(message_id) | Self::Report { message_id, .. } | Self::Change { message_id, .. } => {
                Some(*message_id)
            }
            Self::Event(_) | Self::Unreadable(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn message_id() -> MessageId {
        MessageId::from_uuid(Uuid::from_u128(7))
    }

    #[test]
    fn subjects_are_read_as_they_are_written() {
        let subjects = [
            Subject::Message(message_id()),
            Subject::Report {
                message_id: message_id(),
                digest: "0123abcd".into(),
            },
            Subject::Change {
                message_id: message_id(),
                version: 3,
                status: Status::InDoubt,
                attempt: 2,
            },
            Subject::Event(EventId::from_uuid(Uuid::from_u128(9))),
            Subject::Unreadable(Place::new(12)),
        ];
        for subject in subjects {
            let text = subject.to_string();
            assert_eq!(Subject::parse(&text).as_ref(), Some(&subject), "{text}");
            for wrong in [
                format!("{text} more"),
                text[..text.len() - 1].to_owned() + "!",
                format!(" {text}"),
            ] {
                assert_ne!(Subject::parse(&wrong).as_ref(), Some(&subject), "{wrong}");
            }
        }
        for wrong in [
            "",
            "message",
            "event msg_1",
            "report msg_00000000000000000000000007 ",
            "other x",
        ] {
            assert_eq!(Subject::parse(wrong), None, "{wrong}");
        }
    }
}
