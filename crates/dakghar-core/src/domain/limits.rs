//! The limits of a tenant. Each is in the tenant's record, or else the default of the installation counts.

/// The least number of days that anything is kept. So long a key keeps a message from being sent twice, and Meta's
/// repetitions, which come for a week, are known as such.
pub const RETENTION_DAYS_MIN: u32 = 30;

/// A limit of a tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TenantLimit {
    /// The requests to the API in a second, over all processes.
    RequestsPerSecond,
    /// The messages that were accepted and are not settled.
    MessagesWaiting,
    /// The calls to Meta under way, in all processes.
    CallsUnderWay,
    /// The days that settled messages and events are kept.
    RetentionDays,
}

impl TenantLimit {
    /// All limits, in the order in which [`TenantLimits`] has them.
    pub const ALL: [Self; 4] = [
        Self::RequestsPerSecond,
        Self::MessagesWaiting,
        Self::CallsUnderWay,
        Self::RetentionDays,
    ];

    /// Returns its name in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RequestsPerSecond => "requestsPerSecond",
            Self::MessagesWaiting => "messagesWaiting",
            Self::CallsUnderWay => "callsUnderWay",
            Self::RetentionDays => "retentionDays",
        }
    }

    /// Returns the smallest number above 0 that it can be set to.
    pub const fn min(self) -> u32 {
        match self {
            Self::RequestsPerSecond | Self::MessagesWaiting | Self::CallsUnderWay => 1,
            Self::RetentionDays => RETENTION_DAYS_MIN,
        }
    }

    /// Returns the largest number that it can be set to.
    pub const fn max(self) -> u32 {
        match self {
            Self::RequestsPerSecond | Self::CallsUnderWay => 100_000,
            Self::MessagesWaiting => 1_000_000,
            Self::RetentionDays => 36_500,
        }
    }
}

/// Numbers for some of the limits; 0 is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TenantLimits([Option<u32>; TenantLimit::ALL.len()]);

impl TenantLimits {
    /// Returns the number of a limit, if it has one.
    pub const fn of(&self, limit: TenantLimit) -> Option<u32> {
        self.0[limit as usize]
    }

    /// Sets the number of a limit, or takes it away.
    pub const fn set(&mut self, limit: TenantLimit, number: Option<u32>) {
        self.0[limit as usize] = number;
    }

    /// Sets the number of a limit.
    #[must_use]
    pub const fn with(mut self, limit: TenantLimit, number: u32) -> Self {
        self.set(limit, Some(number));
        self
    }

    /// Returns the number that counts for a tenant with these limits in an installation with these defaults. `None` is
    /// no limit.
    pub fn in_force(&self, defaults: &Self, limit: TenantLimit) -> Option<u32> {
        let number = self.of(limit).or_else(|| defaults.of(limit));
        number.filter(|number| *number > 0)
    }
}

/// Changes of some of the limits of a tenant. The inner `None` is the default of the installation.
pub type LimitChanges = Vec<(TenantLimit, Option<u32>)>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_all_is_that_of_the_numbers() {
        for (index, limit) in TenantLimit::ALL.into_iter().enumerate() {
            assert_eq!(limit as usize, index);
        }
    }

    #[test]
    fn a_tenants_own_number_counts_before_the_default_and_none_is_no_limit() {
        let limit = TenantLimit::MessagesWaiting;
        let defaults = TenantLimits::default().with(limit, 100);
        let none = TenantLimits::default();
        assert_eq!(none.in_force(&defaults, limit), Some(100));
        assert_eq!(none.with(limit, 7).in_force(&defaults, limit), Some(7));
        assert_eq!(none.with(limit, 0).in_force(&defaults, limit), None);
        assert_eq!(none.in_force(&none, limit), None);
        assert_eq!(none.in_force(&defaults, TenantLimit::RequestsPerSecond), None);
    }
}
