//! The labels of what is erased: of people, and because it is old.

use super::instruments::Label;
use super::labels::label;
use crate::domain::erasure::ErasurePlace;
use crate::domain::message::LetterClass;

label! {
    /// Where an erasure of a person found something.
    PersonErased "place" {
        /// Messages to and from the person.
        Messages = "messages",
        /// Messages that the person wrote in groups.
        GroupMessages = "group_messages",
        /// Meta's reports on messages of groups.
        Reports = "reports",
        /// Webhook events.
        Events = "events",
        /// Events of no tenant.
        Unrouted = "unrouted",
        /// Conversations.
        Conversations = "conversations",
        /// Answers of the receivers of callbacks.
        Answers = "answers",
        /// Never: the file of the store has no records of its own.
        File = "file",
    }
}

impl From<ErasurePlace> for PersonErased {
    fn from(place: ErasurePlace) -> Self {
        match place {
            ErasurePlace::Messages => Self::Messages,
            ErasurePlace::GroupMessages => Self::GroupMessages,
            ErasurePlace::Reports => Self::Reports,
            ErasurePlace::Events => Self::Events,
            ErasurePlace::Unrouted => Self::Unrouted,
            ErasurePlace::Conversations => Self::Conversations,
            ErasurePlace::Answers => Self::Answers,
            ErasurePlace::File => Self::File,
        }
    }
}

label! {
    /// The class of dead letters that were erased because they are old.
    LetterErased "class" {
        /// Meta refused them, or reported that they failed.
        Failed = LetterClass::Failed.as_str(),
        /// They expired before a call.
        Expired = LetterClass::Expired.as_str(),
        /// They may have been delivered.
        Unknown = LetterClass::Unknown.as_str(),
        /// Dakghar gave them up.
        GivenUp = LetterClass::GivenUp.as_str(),
    }
}

impl From<LetterClass> for LetterErased {
    fn from(class: LetterClass) -> Self {
        match class {
            LetterClass::Failed => Self::Failed,
            LetterClass::Expired => Self::Expired,
            LetterClass::Unknown => Self::Unknown,
            LetterClass::GivenUp => Self::GivenUp,
        }
    }
}
