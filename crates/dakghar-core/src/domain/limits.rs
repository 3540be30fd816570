//! The limits of a tenant. Each is in the tenant's record, or else the default of the installation counts.

use super::message::LetterClass;

/// The least number of days that anything is kept. So long a key keeps a message from being sent twice, and Meta's
/// repetitions, which come for a week, are known as such.
pub const RETENTION_DAYS_MIN: u32 = 30;
/// The least number of days that contents, and entries of the feed, are kept: longer than an endpoint is tried, and as long as
/// Meta repeats a webhook that was not answered.
pub const CONTENT_DAYS_MIN: u32 = 7;

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
    /// The days that dead letters of a class are kept, where it is not as long as other messages.
    Letters(LetterClass),
    /// The days that the content of a settled message is kept, where it is not as long as the message.
    ContentDays,
    /// The days that entries of the feed are kept, where it is not as long as messages.
    FeedDays,
}

impl TenantLimit {
    /// All limits, in the order in which [`TenantLimits`] has them.
    pub const ALL: [Self; 10] = [
        Self::RequestsPerSecond,
        Self::MessagesWaiting,
        Self::CallsUnderWay,
        Self::RetentionDays,
        Self::Letters(LetterClass::Failed),
        Self::Letters(LetterClass::Expired),
        Self::Letters(LetterClass::Unknown),
        Self::Letters(LetterClass::GivenUp),
        Self::ContentDays,
        Self::FeedDays,
    ];

    /// Returns its name in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RequestsPerSecond => "requestsPerSecond",
            Self::MessagesWaiting => "messagesWaiting",
            Self::CallsUnderWay => "callsUnderWay",
            Self::RetentionDays => "retentionDays",
            Self::Letters(LetterClass::Failed) => "failedDays",
            Self::Letters(LetterClass::Expired) => "expiredDays",
            Self::Letters(LetterClass::Unknown) => "unknownDays",
            Self::Letters(LetterClass::GivenUp) => "givenUpDays",
            Self::ContentDays => "contentDays",
            Self::FeedDays => "feedDays",
        }
    }

    /// Returns the smallest number above 0 that it can be set to.
    pub const fn min(self) -> u32 {
        match self {
            Self::RequestsPerSecond | Self::MessagesWaiting | Self::CallsUnderWay => 1,
            Self::RetentionDays | Self::Letters(_) => RETENTION_DAYS_MIN,
            Self::ContentDays | Self::FeedDays => CONTENT_DAYS_MIN,
        }
    }

    /// Returns the largest number that it can be set to.
    pub const fn max(self) -> u32 {
        match self {
            Self::RequestsPerSecond | Self::CallsUnderWay => 100_000,
            Self::MessagesWaiting => 1_000_000,
            Self::RetentionDays | Self::Letters(_) | Self::ContentDays | Self::FeedDays => 36_500,
        }
    }

    /// Returns its place in [`TenantLimit::ALL`].
    const fn index(self) -> usize {
        match self {
            Self::RequestsPerSecond => 0,
            Self::MessagesWaiting => 1,
            Self::CallsUnderWay => 2,
            Self::RetentionDays => 3,
            Self::Letters(class) => 4 + class as usize,
            Self::ContentDays => 8,
            Self::FeedDays => 9,
        }
    }
}

/// Numbers for some of the limits; 0 is no limit, and of dead letters, contents and the feed no other one than of all
/// messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TenantLimits([Option<u32>; TenantLimit::ALL.len()]);

impl TenantLimits {
    /// Returns the number of a limit, if it has one.
    pub const fn of(&self, limit: TenantLimit) -> Option<u32> {
        self.0[limit.index()]
    }

    /// Sets the number of a limit, or takes it away.
    pub const fn set(&mut self, limit: TenantLimit, number: Option<u32>) {
        self.0[limit.index()] = number;
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

    /// Returns the days that dead letters of a class are kept; `None` is for ever. Without days of their own, it is as
    /// long as other settled messages.
    pub fn letter_days(&self, defaults: &Self, class: LetterClass) -> Option<u32> {
        self.or_as_messages(defaults, TenantLimit::Letters(class))
    }

    /// Returns the days that entries of the feed are kept; `None` is for ever. Without days of their own, it is as long as
    /// settled messages.
    pub fn feed_days(&self, defaults: &Self) -> Option<u32> {
        self.or_as_messages(defaults, TenantLimit::FeedDays)
    }

    fn or_as_messages(&self, defaults: &Self, limit: TenantLimit) -> Option<u32> {
        let own = self.in_force(defaults, limit);
        own.or_else(|| self.in_force(defaults, TenantLimit::RetentionDays))
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
            assert_eq!(limit.index(), index);
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

    #[test]
    fn dead_letters_without_days_of_their_own_are_kept_as_long_as_other_messages() {
        let class = LetterClass::Unknown;
        let days = TenantLimit::Letters(class);
        let defaults = TenantLimits::default().with(TenantLimit::RetentionDays, 90);
        let none = TenantLimits::default();
        assert_eq!(none.letter_days(&none, class), None);
        assert_eq!(none.letter_days(&defaults, class), Some(90));
        assert_eq!(none.letter_days(&defaults.with(days, 365), class), Some(365));
        assert_eq!(none.letter_days(&none.with(days, 365), LetterClass::Failed), None);
        assert_eq!(
            none.with(days, 30).letter_days(&defaults.with(days, 365), class),
            Some(30)
        );
        assert_eq!(
            none.with(days, 0).letter_days(&defaults.with(days, 365), class),
            Some(90)
        );
        assert_eq!(
            none.with(TenantLimit::RetentionDays, 0).letter_days(&defaults, class),
            None
        );
    }
}
