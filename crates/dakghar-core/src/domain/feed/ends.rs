//! How far feeds go, and what else one part of the installation tells another.

use std::collections::{HashMap, HashSet};

use super::super::ids::{MessageKey, TenantId, Wamid};
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

/// Messages whose news wait to be taken. Further ones are found in the store.
pub const TAKEN_MAX: usize = 10_000;

/// A message that Meta has taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakenMessage {
    /// The message.
    pub key: MessageKey,
    /// Meta's id of it.
    pub wamid: Wamid,
}

/// What one process of an installation tells another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// These feeds have more entries than before, each named once.
    Ends(Vec<FeedEnd>),
    /// Endpoints of these tenants were made, changed or removed; each tenant is named once.
    Endpoints(Vec<TenantId>),
    /// Entries have arrived that have no place yet, of any feed.
    Arrived,
    /// Meta has taken these messages, whose clients wait for its answers.
    Taken(Vec<TakenMessage>),
    /// Something may have been told and lost, of any feed and any endpoint.
    Missed,
}

/// News on their way. However often a feed grows, it waits here once.
#[derive(Debug, Default)]
pub struct FeedEnds {
    ends: HashMap<TenantId, Place>,
    endpoints: HashSet<TenantId>,
    taken: Vec<TakenMessage>,
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

    /// Notes that Meta has taken a message.
    pub fn note_taken(&mut self, taken: TakenMessage) {
        if self.taken.len() < TAKEN_MAX {
            self.taken.push(taken);
        }
    }

    /// Notes that news may have been lost.
    pub const fn miss(&mut self) {
        self.has_missed = true;
    }

    /// Takes what is there; `None` if there is nothing.
    pub fn take(&mut self) -> Option<News> {
        if !self.taken.is_empty() {
            return Some(News::Taken(std::mem::take(&mut self.taken)));
        }
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
