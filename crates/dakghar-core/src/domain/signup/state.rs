//! The states of a signup.

/// Whether a signup goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignupState {
    /// A link leads to it, which nobody has used yet.
    Invited,
    /// The time of its link was over before anybody used it.
    Expired,
    /// Its link was taken back before anybody used it.
    Cancelled,
    /// It goes on by itself, perhaps after a wait.
    Running,
    /// It goes on when somebody asks for it.
    Stopped,
    /// The number can send.
    Done,
}

impl SignupState {
    /// All states.
    pub const ALL: [Self; 6] = [
        Self::Invited,
        Self::Expired,
        Self::Cancelled,
        Self::Running,
        Self::Stopped,
        Self::Done,
    ];

    /// The name used in answers and in the stores.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Invited => "invited",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
            Self::Running => "running",
            Self::Stopped => "stopped",
            Self::Done => "done",
        }
    }

    /// Reads the name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// True if it has begun and may need something of a person.
    pub(super) const fn is_under_way(self) -> bool {
        matches!(self, Self::Running | Self::Stopped)
    }
}
