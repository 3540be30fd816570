//! Holds: a stop of sending, its reason, and the way it ends.

mod told;

use std::time::Duration;

use super::ids::{PhoneNumberId, TenantId};
use super::message::Status;
use super::time::{CLOCKS_APART_MAX, Timestamp};

pub use told::HoldTold;

/// The time until a message held by a pause looks at the pause again. It is longer than any process remembers a tenant.
pub const PAUSE_CHECK: Duration = Duration::from_secs(5);
/// The time until a message held for another reason first looks at its hold again.
pub const HOLD_CHECK: Duration = Duration::from_secs(60);
/// The time until each later look.
pub const HOLD_CHECK_MAX: Duration = Duration::from_secs(600);

/// The time between two probes of a number whose token was refused.
const PROBE_CREDENTIALS: Duration = Duration::from_secs(60);
/// The time between two probes of a number that Meta restricted.
const PROBE_ACCOUNT: Duration = Duration::from_secs(3600);

/// A stop of all sending, of a whole installation, which only the operator ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SendingHold {
    /// When it began, by the date.
    pub since: Timestamp,
}

/// The messages of one number in one status that are not settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnsettledCount {
    /// Whose they are.
    pub tenant_id: TenantId,
    /// The number they are sent from.
    pub phone_number_id: PhoneNumberId,
    /// Their status.
    pub status: Status,
    /// How many.
    pub messages: u64,
    /// When the first of them was accepted.
    pub oldest: Timestamp,
    /// Those among them whose slot has not come.
    pub later: u64,
    /// Those among them that have expired.
    pub expired: u64,
}

/// A stop of sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hold {
    /// The reason.
    pub reason: HoldReason,
    /// The time it began.
    pub since: Timestamp,
    /// The time from which one message may probe whether the reason is gone. `None`: only a person ends this hold.
    pub probe_at: Option<Timestamp>,
}

impl Hold {
    /// True if a message may probe it now. A time further away than any wait for a probe was set by a clock that was
    /// ahead.
    pub fn may_be_probed(&self, now: Timestamp) -> bool {
        let at_most = now + self.reason.probe_interval() + CLOCKS_APART_MAX;
        self.probe_at.is_some_and(|at| at <= now || at > at_most)
    }
}

/// The reason that sending is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HoldReason {
    /// Paused by the tenant. Records from before the two were told apart may mean the operator. Either of them ends it.
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

    /// Tells a person its meaning and its end.
    pub const fn explanation(self) -> &'static str {
        match self {
            Self::Paused => "Sending was paused by the tenant, until somebody resumes it.",
            Self::PausedByOperator => "Sending was paused by the operator, until the operator resumes it.",
            Self::CredentialsInvalid => {
                "Meta refuses the access token. It is tried every minute; a new token ends the hold at once."
            }
            Self::AccountRestricted => {
                "Meta has restricted the account or the number. A message tries it every hour; Meta's business support \
                 tells why."
            }
        }
    }

    /// True if a person stopped it, and not Meta.
    pub const fn is_pause(self) -> bool {
        matches!(self, Self::Paused | Self::PausedByOperator)
    }

    /// Returns the time between two probes of a number on hold for this reason.
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

/// The party that asks for a change of a tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Actor {
    /// The operator, who runs Dakghar.
    Operator,
    /// The tenant itself.
    Tenant,
}

impl Actor {
    /// Returns the reason of a pause by this party.
    pub const fn pause(self) -> HoldReason {
        match self {
            Self::Operator => HoldReason::PausedByOperator,
            Self::Tenant => HoldReason::Paused,
        }
    }

    /// True if this party may end the hold, or replace it.
    pub fn may_end(self, hold: Hold) -> bool {
        self == Self::Operator || hold.reason != HoldReason::PausedByOperator
    }
}
