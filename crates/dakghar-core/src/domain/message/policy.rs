//! How an installation sends: the times of its protocol, and the choice for an unknown outcome.

use std::time::Duration;

use super::super::retry::RetryPolicy;

/// The times of the protocol that an installation may set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timings {
    /// The longest a call to Meta may take, connection included.
    pub call_timeout: Duration,
    /// How long a claim lasts. Must exceed [`Timings::call_timeout`] by more than [`Timings::lease_margin`], so that a
    /// live worker never loses it.
    pub lease: Duration,
    /// How long after the end of a lease it is taken over, and how much of it a call must leave unused.
    pub lease_margin: Duration,
    /// How long evidence is awaited after a call whose outcome is unknown.
    pub grace: Duration,
    /// As [`Timings::grace`], when Meta answered with an error of its own that does not say whether it took the
    /// message.
    pub grace_service_error: Duration,
    /// Under [`UnknownOutcome::Auto`]: how long after the call a message without evidence is given up.
    pub doubt_max: Duration,
}

impl Default for Timings {
    fn default() -> Self {
        Self {
            call_timeout: Duration::from_secs(30),
            lease: Duration::from_secs(45),
            lease_margin: Duration::from_secs(5),
            grace: Duration::from_secs(120),
            grace_service_error: Duration::from_secs(60),
            doubt_max: Duration::from_secs(15 * 60),
        }
    }
}

/// Calls to Meta that may count against a message before it is given up.
pub const ATTEMPTS_MAX_DEFAULT: u32 = 5;
/// Panics while preparing a message before it is given up as poison.
pub const STRIKES_MAX: u32 = 5;

/// Requests to slow down in a row before a message is given up; these do not count as attempts.
pub const PACED_REFUSALS_MAX: u32 = 20;

/// How an installation sends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SendPolicy {
    /// The waits between attempts.
    pub retry: RetryPolicy,
    /// The times of the protocol.
    pub timings: Timings,
}

/// What to do when nobody can say whether Meta took a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum UnknownOutcome {
    /// Send again only when statuses of later messages prove that this one's silence means something.
    #[default]
    Auto,
    /// Send again after the grace: at least once.
    Resend,
    /// Give up after the grace: at most once.
    Fail,
}

impl UnknownOutcome {
    /// Every policy.
    pub const ALL: [Self; 3] = [Self::Auto, Self::Resend, Self::Fail];

    /// The name used in requests, answers and the stores.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Resend => "resend",
            Self::Fail => "fail",
        }
    }

    /// Reads the name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|policy| policy.as_str() == text)
    }
}
