//! Where a message was written.

use super::direction::Direction;

/// Where a message was written. Only what clients gave us is ours to send; everything else Meta reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// Given to us by a client, to be sent.
    Client,
    /// Written by a person to the business.
    Person,
    /// Typed by the business in its WhatsApp Business app, and sent by that.
    BusinessApp,
    /// Written by either before the number came to us: a part of the history that the business shared.
    History,
}

impl Origin {
    /// Every origin.
    pub const ALL: [Self; 4] = [Self::Client, Self::Person, Self::BusinessApp, Self::History];

    /// The name used in answers and in the stores.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Person => "person",
            Self::BusinessApp => "business_app",
            Self::History => "history",
        }
    }

    /// Reads the name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|origin| origin.as_str() == text)
    }

    /// Returns the origin of a message of which none is stored.
    pub const fn of(direction: Direction) -> Self {
        match direction {
            Direction::Outbound => Self::Client,
            Direction::Inbound => Self::Person,
        }
    }

    /// Returns the origin as the stores keep it; `None` if the direction says it.
    pub fn stored(self, direction: Direction) -> Option<&'static str> {
        (self != Self::of(direction)).then(|| self.as_str())
    }
}
