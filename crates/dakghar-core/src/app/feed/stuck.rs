//! Feeds to which nothing can be appended: their last chunk cannot be read, so nobody knows the next place. Each costs one line
//! in the log when it begins and one when it is over, however much arrives meanwhile.

use std::collections::HashMap;

use parking_lot::Mutex;

use crate::domain::TenantId;

/// Feeds that are remembered. Above that all are forgotten, and told of again.
const STUCK_MAX: usize = 10_000;

/// The feeds to which nothing can be appended, and how many tries have failed.
#[derive(Default)]
pub(super) struct StuckFeeds {
    feeds: Mutex<HashMap<TenantId, u64>>,
}

impl StuckFeeds {
    /// True for a feed to which nothing could be appended last time.
    pub(super) fn has(&self, tenant_id: &TenantId) -> bool {
        self.feeds.lock().contains_key(tenant_id)
    }

    /// Notes that nothing could be appended. Returns true if that is new, which is to be told.
    pub(super) fn note(&self, tenant_id: TenantId) -> bool {
        let mut feeds = self.feeds.lock();
        if feeds.len() >= STUCK_MAX && !feeds.contains_key(&tenant_id) {
            feeds.clear();
        }
        let tries = feeds.entry(tenant_id).or_default();
        *tries += 1;
        *tries == 1
    }

    /// Notes that something was appended. Returns how many tries failed if there were any, which is to be told.
    pub(super) fn end(&self, tenant_id: &TenantId) -> Option<u64> {
        self.feeds.lock().remove(tenant_id)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_feed_is_told_of_when_it_begins_and_when_it_is_over() {
        let stuck = StuckFeeds::default();
        let [one, other] = [1, 2].map(|tenant| TenantId::from_uuid(Uuid::from_u128(tenant)));
        assert_eq!(
            [one, one, other, one].map(|tenant| stuck.note(tenant)),
            [true, false, true, false]
        );
        assert_eq!((stuck.end(&one), stuck.end(&one)), (Some(3), None));
        assert_eq!([one, other].map(|tenant| stuck.has(&tenant)), [false, true]);
        assert!(stuck.note(one), "the next time");
    }

    #[test]
    fn more_feeds_than_there_is_room_for_are_told_of_again() {
        let stuck = StuckFeeds::default();
        let tenant = |tenant: usize| TenantId::from_uuid(Uuid::from_u128(tenant as u128));
        for n in 0..=STUCK_MAX {
            assert!(stuck.note(tenant(n)));
        }
        assert_eq!([0, STUCK_MAX].map(|n| stuck.has(&tenant(n))), [false, true]);
    }
}
