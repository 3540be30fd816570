//! The status of a message, and the order that makes webhooks commute.

/// The status of a message. Outbound messages use all but `Received`; inbound messages use only that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Status {
    /// May be sent at its slot; also between attempts.
    Queued,
    /// Sending is stopped for its tenant or number; it has no slot.
    Held,
    /// An attempt is journaled and a call may be under way.
    Sending,
    /// A call ended without a verdict; we wait for evidence.
    InDoubt,
    /// Cancelled before any call could deliver it.
    Cancelled,
    /// It expired before a call.
    Expired,
    /// Given up without a verdict from Meta.
    Dead,
    /// Meta gave it a wamid.
    Sent,
    /// Meta refused it, or reported that it failed.
    Failed,
    /// On the device.
    Delivered,
    /// Shown to the person.
    Read,
    /// Inbound: stored.
    Received,
}

/// The strength of a status. Evidence with a higher rank wins, whatever the order of arrival.
pub type Rank = u8;

impl Status {
    /// Every status.
    pub const ALL: [Self; 12] = [
        Self::Queued,
        Self::Held,
        Self::Sending,
        Self::InDoubt,
        Self::Cancelled,
        Self::Expired,
        Self::Dead,
        Self::Sent,
        Self::Failed,
        Self::Delivered,
        Self::Read,
        Self::Received,
    ];

    /// Returns the rank of the status in the lattice. `failed` lies between `sent` and `delivered`: a sent message can
    /// fail later, and a device can get a message that was reported as failed, but nothing takes back a delivery.
    pub const fn rank(self) -> Rank {
        match self {
            Self::Queued | Self::Held => 0,
            Self::Sending => 10,
            Self::InDoubt => 12,
            Self::Cancelled | Self::Expired | Self::Dead => 18,
            Self::Sent => 20,
            Self::Failed => 25,
            Self::Delivered => 30,
            Self::Read => 40,
            Self::Received => 50,
        }
    }

    /// The name used in answers and in the stores.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Held => "held",
            Self::Sending => "sending",
            Self::InDoubt => "in_doubt",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
            Self::Dead => "dead",
            Self::Sent => "sent",
            Self::Failed => "failed",
            Self::Delivered => "delivered",
            Self::Read => "read",
            Self::Received => "received",
        }
    }

    /// Reads the name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }

    /// True if Dakghar still has something to do for it.
    pub const fn is_unsettled(self) -> bool {
        matches!(self, Self::Queued | Self::Held | Self::Sending | Self::InDoubt)
    }

    /// True if it ended without reaching anybody. It is then among the dead letters and can be sent again.
    pub const fn is_dead_letter(self) -> bool {
        matches!(self, Self::Dead | Self::Failed | Self::Expired)
    }
}
