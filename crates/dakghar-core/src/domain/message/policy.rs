//! The sending policy of an installation: the times of its protocol, and the choice for an unknown outcome.

use std::time::Duration;

use super::super::retry::RetryPolicy;

/// The times of the protocol that an installation may set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timings {
    /// The longest a call to Meta may take, connection included.
    pub call_timeout: Duration,
    /// The time a claim lasts. Must exceed [`Timings::call_timeout`] by more than [`Timings::lease_margin`], so that a
    /// live worker never loses it.
    pub lease: Duration,
    /// The time after the end of a lease at which it is taken over, and the part of it that a call must leave unused.
    pub lease_margin: Duration,
    /// The wait for evidence after a call whose outcome is unknown.
    pub grace: Duration,
    /// Under [`UnknownOutcome::Auto`]: the time after the call at which a message without evidence is given up.
    pub doubt_max: Duration,
}

impl Default for Timings {
    fn default() -> Self {
        Self {
            call_timeout: Duration::from_secs(30),
            lease: Duration::from_secs(45),
            lease_margin: Duration::from_secs(5),
            grace: Duration::from_secs(120),
            doubt_max: Duration::from_secs(15 * 60),
        }
    }
}

/// Calls to Meta that may count against a message before it is given up.
pub const ATTEMPTS_MAX_DEFAULT: u32 = 5;
/// Panics while preparing a message before it is given up as poison.
pub const STRIKES_MAX: u32 = 5;

/// The sending policy of an installation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SendPolicy {
    /// The waits between attempts.
    pub retry: RetryPolicy,
    /// The times of the protocol.
    pub timings: Timings,
    /// The time after Meta's first request to slow down at which a further one ends the message. Such requests are no
    /// attempts, however many they are.
    pub slow_down_max: Duration,
}

impl Default for SendPolicy {
    fn default() -> Self {
        Self {
            retry: RetryPolicy::default(),
            timings: Timings::default(),
            slow_down_max: Duration::from_hours(24),
        }
    }
}

/// The policy for a message that Meta may or may not have accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum UnknownOutcome {
    /// Send again only if webhooks were received since the call, and statuses of calls shortly before and after it prove
    /// that this one's silence means something.
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
