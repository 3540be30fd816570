//! What a tenant wants to be kept to whenever something is sent in its name.

use super::quiet_hours::QuietHours;

/// The messages that do not go to people who opted out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Enforced {
    /// None are held back: what people said is kept, and the tenant looks at it.
    #[default]
    None,
    /// Marketing: neither to those who want no marketing, nor to those who want nothing.
    Marketing,
    /// All messages to those who want nothing, and marketing to those who want no marketing.
    All,
}

impl Enforced {
    /// Every choice.
    pub const ALL: [Self; 3] = [Self::None, Self::Marketing, Self::All];

    /// The name used in answers and in the stores.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Marketing => "marketing",
            Self::All => "all",
        }
    }

    /// Reads the name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|choice| choice.as_str() == text)
    }

    /// True if opt-outs count for a message.
    pub const fn concerns(self, is_marketing: bool) -> bool {
        match self {
            Self::None => false,
            Self::Marketing => is_marketing,
            Self::All => true,
        }
    }
}

/// The rules of a tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SendingRules {
    /// The messages that do not go to people who opted out.
    pub enforced: Enforced,
    /// True if words like STOP, as a whole message, opt out.
    pub stop_words: bool,
    /// When people are left alone.
    pub quiet_hours: Option<Box<QuietHours>>,
}

impl Default for SendingRules {
    fn default() -> Self {
        Self {
            enforced: Enforced::None,
            stop_words: true,
            quiet_hours: None,
        }
    }
}
