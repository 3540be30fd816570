//! How far feeds go, as it is told from one part of the installation to another.

use std::collections::{HashMap, HashSet};

use super::super::ids::TenantId;
use super::place::Place;

/// Tenants whose news wait to be taken. Above that, news are missed rather than kept.
pub const ENDS_MAX: usize = 10_000;

/// A feed has entries up to this place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeedEnd {
    /// The tenant.
    pub tenant_id: TenantId,
    /// The last place that was given.
    pub last: Place,
}

/// What is told of feeds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// These feeds have more entries than before, each named once.
    Ends(Vec<FeedEnd>),
    /// Endpoints of these tenants were made, changed or removed; each tenant is named once.
    Endpoints(Vec<TenantId>),
    /// Entries have arrived that have no place yet, of any feed.
    Arrived,
    /// Something may have been told and lost, of any feed and any endpoint.
    Missed,
}

/// News on their way. However often a feed grows, it waits here once.
#[derive(Debug, Default)]
pub struct FeedEnds {
    ends: HashMap<TenantId, Place>,
    endpoints: HashSet<TenantId>,
    has_arrived: bool,
    has_missed: bool,
}

impl FeedEnds {
    /// Adds the end of a feed. The furthest one counts.
    pub fn note(&mut self, end: FeedEnd) {
        if self.ends.len() >= ENDS_MAX && !self.ends.contains_key(&end.tenant_id) {
            self.ends.clear();
            self.has_missed = true;
        }
        let last = self.ends.entry(end.tenant_id).or_default();
        *last = end.last.max(*last);
    }

    /// Notes that endpoints of a tenant have changed.
    pub fn note_endpoints(&mut self, tenant_id: TenantId) {
        if self.endpoints.len() >= ENDS_MAX {
            self.has_missed = true;
        } else {
            self.endpoints.insert(tenant_id);
        }
    }

    /// Notes that entries without a place have arrived.
    pub const fn note_arrived(&mut self) {
        self.has_arrived = true;
    }

    /// Notes that news may have been lost.
    pub const fn miss(&mut self) {
        self.has_missed = true;
    }

    /// Takes what is there; `None` if there is nothing.
    pub fn take(&mut self) -> Option<News> {
        if std::mem::take(&mut self.has_arrived) {
            return Some(News::Arrived);
        }
        if std::mem::take(&mut self.has_missed) {
            // Whoever hears of it looks at every feed and every endpoint.
            self.ends.clear();
            self.endpoints.clear();
            return Some(News::Missed);
        }
        if !self.endpoints.is_empty() {
            return Some(News::Endpoints(self.endpoints.drain().collect()));
        }
        let end = |(tenant_id, last)| FeedEnd { tenant_id, last };
        let ends: Vec<FeedEnd> = self.ends.drain().map(end).collect();
        (!ends.is_empty()).then_some(News::Ends(ends))
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn end(tenant: u128, last: u64) -> FeedEnd {
        FeedEnd {
            tenant_id: TenantId::from_uuid(Uuid::from_u128(tenant)),
            last: Place::new(last),
        }
    }

    #[test]
    fn a_feed_waits_once_with_its_furthest_end() {
        let mut ends = FeedEnds::default();
        assert_eq!(ends.take(), None);
        for last in [3, 7, 5] {
            ends.note(end(1, last));
        }
        assert_eq!(ends.take(), Some(News::Ends(vec![end(1, 7)])));
        assert_eq!(ends.take(), None);
    }

    #[test]
    fn changed_endpoints_are_told_beside_the_ends_each_tenant_once() {
        let mut ends = FeedEnds::default();
        ends.note(end(1, 3));
        for _ in 0..2 {
            ends.note_endpoints(end(7, 0).tenant_id);
        }
        assert_eq!(ends.take(), Some(News::Endpoints(vec![end(7, 0).tenant_id])));
        assert_eq!(ends.take(), Some(News::Ends(vec![end(1, 3)])));
        assert_eq!(ends.take(), None);
        for tenant in 0..=ENDS_MAX as u128 {
            ends.note_endpoints(end(tenant, 0).tenant_id);
        }
        assert_eq!(ends.take(), Some(News::Missed), "more than there is room for");
        assert_eq!(ends.take(), None);
    }

    #[test]
    fn what_arrived_is_told_beside_the_ends() {
        let mut ends = FeedEnds::default();
        ends.note(end(1, 3));
        ends.note_arrived();
        ends.note_arrived();
        assert_eq!(ends.take(), Some(News::Arrived));
        assert_eq!(ends.take(), Some(News::Ends(vec![end(1, 3)])));
        assert_eq!(ends.take(), None);
    }

    #[test]
    fn more_feeds_than_there_is_room_for_are_missed_and_not_forgotten() {
        let mut ends = FeedEnds::default();
        for tenant in 0..=ENDS_MAX as u128 {
            ends.note(end(tenant, 1));
        }
        assert_eq!(ends.take(), Some(News::Missed));
        assert_eq!(ends.take(), None);
        ends.note(end(1, 1));
        ends.miss();
        assert_eq!(ends.take(), Some(News::Missed), "it stands for all of them");
        assert_eq!(ends.take(), None);
    }
}
