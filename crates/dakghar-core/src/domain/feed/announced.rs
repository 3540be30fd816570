//! Entries that are durable before the save that they tell of.
//!
//! A store that writes both in one transaction has none. Where that is too dear, the entry is announced first, then the
//! message is saved, then the announcement is settled. A process that dies in between leaves an announcement, and whoever
//! finds it decides by the message: it carries the save, or it has another version, and then the save can never come. While
//! it has the version that was read, the save may still be on its way, and the version is raised first.

use super::super::ids::MessageId;
use super::{FeedEntry, Subject};

/// A save of which an entry was announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Announced {
    /// The message.
    pub message_id: MessageId,
    /// The version that was read: the message is saved only if it still has it.
    pub version_read: u64,
}

/// What a message shows of an announced save.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SaveTrace {
    /// Its version; `None` if it cannot be read, and so cannot be the one that was read either.
    pub version: Option<u64>,
    /// True if the message carries the save.
    pub is_carried: bool,
}

/// What became of an announced save, for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The message was saved: its entry is true.
    Saved,
    /// It was not saved and never will be: its entry tells of nothing.
    NotSaved,
    /// It was not saved yet. It never will be once the version is raised.
    Open,
}

impl Announced {
    /// The save that an entry tells of; `None` if it tells of something else.
    pub const fn of(entry: &FeedEntry) -> Option<Self> {
        match &entry.subject {
            Subject::Change {
                message_id, version, ..
            } if *version > 0 => Some(Self {
                message_id: *message_id,
                version_read: *version - 1,
            }),
            _ => None,
        }
    }

    /// Decides by the message as it is for good; `None` if there is none any more.
    pub fn verdict(self, found: Option<SaveTrace>) -> Verdict {
        match found {
            Some(SaveTrace { is_carried: true, .. }) => Verdict::Saved,
            Some(SaveTrace { version, .. }) if version == Some(self.version_read) => Verdict::Open,
            // Versions only grow, and nobody read one that was not there.
            _ => Verdict::NotSaved,
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_save_is_judged_by_what_its_message_shows() {
        let announced = Announced {
            message_id: MessageId::from_uuid(Uuid::nil()),
            version_read: 3,
        };
        let shows = |version, is_carried| Some(SaveTrace { version, is_carried });
        for (found, verdict) in [
            (shows(Some(4), true), Verdict::Saved),
            (shows(Some(9), true), Verdict::Saved),
            (shows(None, true), Verdict::Saved),
            (shows(Some(3), false), Verdict::Open),
            (shows(Some(4), false), Verdict::NotSaved),
            (shows(None, false), Verdict::NotSaved),
            (None, Verdict::NotSaved),
        ] {
            assert_eq!(announced.verdict(found), verdict, "{found:?}");
        }
    }
}
