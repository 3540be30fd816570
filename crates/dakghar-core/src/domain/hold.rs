//! Sending is stopped: why, by whom, and how it goes on.

use std::time::Duration;

use super::time::Timestamp;

/// How long a message held by a pause rests before the pause is looked at again: longer than any process remembers a
/// tenant.
pub const PAUSE_CHECK: Duration = Duration::from_secs(5);
/// How long a message held for another reason rests before its hold is first looked at again.
pub const HOLD_CHECK: Duration = Duration::from_secs(60);
/// How long a held message rests after that.
pub const HOLD_CHECK_MAX: Duration = Duration::from_secs(600);

/// How long a number whose token was refused rests between two probes.
const PROBE_CREDENTIALS: Duration = Duration::from_secs(60);
/// How long a number that Meta restricted rests between two probes.
const PROBE_ACCOUNT: Duration = Duration::from_secs(3600);

/// Sending is stopped, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Why.
    pub reason: HoldReason,
    /// Since when.
    pub since: Timestamp,
    /// From when one message may be tried to see whether the reason is gone. `None`: only a person ends this hold.
    pub probe_at: Option<Timestamp>,
}

/// Why sending is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HoldReason {
    /// Paused by the tenant; before the two were told apart, also by the operator. Either of them ends it.
    Paused,
    /// Paused by the operator, who alone ends it.
    PausedByOperator,
    /// Meta refuses the access token.
    CredentialsInvalid,
    /// Meta has restricted the account or the number.
    AccountRestricted,
}

impl HoldReason {
    /// Every reason.
    pub const ALL: [Self; 4] = [
        Self::Paused,
        Self::PausedByOperator,
        Self::CredentialsInvalid,
        Self::AccountRestricted,
    ];

    /// The name used in answers and in the stores.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Paused => "paused",
            Self::PausedByOperator => "paused_by_operator",
            Self::CredentialsInvalid => "credentials_invalid",
            Self::AccountRestricted => "account_restricted",
        }
    }

    /// Whether a person stopped it, and not Meta.
    pub const fn is_pause(self) -> bool {
        matches!(self, Self::Paused | Self::PausedByOperator)
    }

    /// How long a number that is on hold for this reason rests between two probes.
    pub const fn probe_interval(self) -> Duration {
        match self {
            Self::Paused | Self::PausedByOperator | Self::CredentialsInvalid => PROBE_CREDENTIALS,
            Self::AccountRestricted => PROBE_ACCOUNT,
        }
    }

    /// Reads the name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == text)
    }
}

/// Who asks for a change of a tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Actor {
    /// Whoever runs Dakghar.
    Operator,
    /// The tenant itself.
    Tenant,
}

impl Actor {
    /// The reason of a pause of this one's.
    pub const fn pause(self) -> HoldReason {
        match self {
            Self::Operator => HoldReason::PausedByOperator,
            Self::Tenant => HoldReason::Paused,
        }
    }

    /// Whether this one may end the hold, or put another in its place.
    pub fn may_end(self, hold: Hold) -> bool {
        self == Self::Operator || hold.reason != HoldReason::PausedByOperator
    }
}
