//! Whether an endpoint is called.

use super::super::time::Timestamp;

/// Whether an endpoint is called. What it does not get meanwhile waits in the feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndpointState {
    /// It is called.
    Active,
    /// Its tenant or the operator has paused it.
    Paused,
    /// Dakghar has given it up until it is resumed.
    Disabled {
        /// Why.
        reason: DisabledReason,
        /// Since when.
        at: Timestamp,
    },
}

impl EndpointState {
    /// Returns the name used in answers and in the stores.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Paused => "paused",
            Self::Disabled { .. } => "disabled",
        }
    }

    /// Returns why it was given up, and when.
    pub const fn disabled(self) -> Option<(DisabledReason, Timestamp)> {
        match self {
            Self::Disabled { reason, at } => Some((reason, at)),
            Self::Active | Self::Paused => None,
        }
    }

    /// Puts it together again from its name and from what [`Self::disabled`] tells.
    pub fn parse(name: &str, disabled: Option<(DisabledReason, Timestamp)>) -> Option<Self> {
        match (name, disabled) {
            ("active", None) => Some(Self::Active),
            ("paused", None) => Some(Self::Paused),
            ("disabled", Some((reason, at))) => Some(Self::Disabled { reason, at }),
            _ => None,
        }
    }
}

/// The reason that Dakghar has given an endpoint up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DisabledReason {
    /// It answered that it is gone, with status 410.
    Gone,
    /// Days of failures only.
    Failing,
}

impl DisabledReason {
    /// Every reason.
    pub const ALL: [Self; 2] = [Self::Gone, Self::Failing];

    /// Returns the name used in answers and in the stores.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gone => "gone",
            Self::Failing => "failing",
        }
    }

    /// Says it to a person.
    pub const fn explanation(self) -> &'static str {
        match self {
            Self::Gone => "Its receiver answered that it is gone (410). It is called again when it is resumed.",
            Self::Failing => "Its receiver took nothing for five days. It is called again when it is resumed.",
        }
    }

    /// Reads the name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_read_as_they_are_written() {
        let at = Timestamp::from_millis(7);
        let disabled = DisabledReason::ALL.map(|reason| EndpointState::Disabled { reason, at });
        for state in [&[EndpointState::Active, EndpointState::Paused][..], &disabled].concat() {
            assert_eq!(EndpointState::parse(state.as_str(), state.disabled()), Some(state));
        }
        for reason in DisabledReason::ALL {
            assert_eq!(DisabledReason::parse(reason.as_str()), Some(reason));
            assert_eq!(EndpointState::parse("active", Some((reason, at))), None);
        }
        assert_eq!(EndpointState::parse("disabled", None), None);
    }
}
