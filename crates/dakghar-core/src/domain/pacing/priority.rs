//! The order among a number's messages.

/// The order among a number's messages when several are due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Priority {
    /// One-time codes: these go before the number's other messages.
    High,
    /// Everything else.
    #[default]
    Normal,
    /// Broadcasts: these give way to the others.
    Low,
}

impl Priority {
    /// Every priority, the most urgent first.
    pub const ALL: [Self; 3] = [Self::High, Self::Normal, Self::Low];

    /// The name used in answers and in the stores.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::High => "high",
            Self::Normal => "normal",
            Self::Low => "low",
        }
    }

    /// Reads the name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|priority| priority.as_str() == text)
    }

    /// Its share of a number's pace while all lanes have messages, in relation to the others.
    pub const fn weight(self) -> i64 {
        match self {
            Self::High => 16,
            Self::Normal => 4,
            Self::Low => 1,
        }
    }

    /// Its place in [`Self::ALL`].
    pub(super) const fn rank(self) -> usize {
        self as usize
    }
}
