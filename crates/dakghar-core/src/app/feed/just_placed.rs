//! Entries that this process has just given their places: who delivers them here need not read them.
//!
//! An entry that has its place keeps it, so nothing of this is ever wrong. The others are read from the store.

use std::collections::HashMap;

use parking_lot::Mutex;

use crate::domain::TenantId;
use crate::domain::feed::{Chunk, FeedEntry, Place, PlacedEntry};
use crate::domain::page::{Listed, PageFill, PageLimit};

/// Entries that are remembered of all tenants, about. Above that, all are forgotten.
const ENTRIES_MAX: usize = 5_000;

/// The latest entries of feeds.
#[derive(Debug, Default)]
pub(in crate::app) struct JustPlaced(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    of_tenants: HashMap<TenantId, Latest>,
    entries: usize,
}

/// Entries of a feed that follow each other.
#[derive(Debug)]
struct Latest {
    first: Place,
    entries: Vec<FeedEntry>,
}

impl JustPlaced {
    /// Remembers these chunks, which are durable, in place of what is known of their tenants.
    pub(super) fn note(&self, chunks: Vec<Chunk>) {
        let mut known = self.0.lock();
        for chunk in chunks {
            if known.entries + chunk.entries.len() > ENTRIES_MAX {
                *known = Known::default();
            }
            known.entries += chunk.entries.len();
            let latest = Latest {
                first: chunk.first,
                entries: chunk.entries,
            };
            let before = known.of_tenants.insert(chunk.tenant_id, latest);
            known.entries -= before.map_or(0, |before| before.entries.len());
        }
    }

    /// Returns the entries behind a place, as the store would, if the next one is known.
    pub(in crate::app) fn behind(
        &self,
        tenant_id: &TenantId,
        after: Place,
        limit: PageLimit,
    ) -> Option<Listed<PlacedEntry>> {
        let known = self.0.lock();
        let latest = known.of_tenants.get(tenant_id)?;
        let skipped = after.plus(1).number().checked_sub(latest.first.number())?;
        let rest = latest.entries.get(usize::try_from(skipped).ok()?..)?;
        if rest.is_empty() {
            return None;
        }
        let mut page = PageFill::new(limit);
        for (entry, index) in rest.iter().zip(1..) {
            if page.is_full() {
                return Some(page.more());
            }
            page.push(PlacedEntry {
                place: after.plus(index),
                entry: entry.clone(),
            });
        }
        Some(page.end())
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::domain::feed::{EntryKind, Subject};
    use crate::domain::{EventId, Timestamp};

    fn chunk(tenant: u128, first: u64, count: u64) -> Chunk {
        let tenant_id = TenantId::from_uuid(Uuid::from_u128(tenant));
        let entry = |place: u64| FeedEntry {
            tenant_id,
            kind: EntryKind::parse("message.received").expect("a kind"),
            subject: Subject::Event(EventId::from_uuid(Uuid::from_u128(place.into()))),
            phone_number_id: None,
            at: Timestamp::from_millis(1),
            reported_at: None,
        };
        Chunk {
            tenant_id,
            first: Place::new(first),
            entries: (first..first + count).map(entry).collect(),
        }
    }

    /// The places behind one, and whether there are more.
    fn behind(placed: &JustPlaced, tenant: u128, after: u64, limit: u32) -> Option<(Vec<u64>, bool)> {
        let tenant_id = TenantId::from_uuid(Uuid::from_u128(tenant));
        let listed = placed.behind(&tenant_id, Place::new(after), PageLimit::items(limit))?;
        for item in &listed.items {
            let event = Subject::Event(EventId::from_uuid(Uuid::from_u128(item.place.number().into())));
            assert_eq!(item.entry.subject, event, "each stands at its own place");
        }
        let places = listed.items.iter().map(|item| item.place.number()).collect();
        Some((places, listed.next.is_some()))
    }

    #[test]
    fn what_follows_a_place_is_known_if_the_next_one_is() {
        let placed = JustPlaced::default();
        placed.note(vec![chunk(1, 5, 4), chunk(2, 1, 1)]);
        assert_eq!(behind(&placed, 1, 4, 9), Some((vec![5, 6, 7, 8], false)));
        assert_eq!(behind(&placed, 1, 6, 9), Some((vec![7, 8], false)));
        assert_eq!(behind(&placed, 1, 4, 3), Some((vec![5, 6, 7], true)));
        assert_eq!(behind(&placed, 1, 3, 9), None, "5 is not the next one");
        assert_eq!(behind(&placed, 1, 8, 9), None, "there may be more by now");
        assert_eq!(behind(&placed, 1, 99, 9), None);
        assert_eq!(behind(&placed, 2, 0, 9), Some((vec![1], false)));
        assert_eq!(behind(&placed, 3, 0, 9), None);
        placed.note(vec![chunk(1, 20, 1)]);
        assert_eq!(behind(&placed, 1, 4, 9), None);
        assert_eq!(behind(&placed, 1, 19, 9), Some((vec![20], false)));
    }

    #[test]
    fn so_many_are_remembered_and_no_more() {
        let placed = JustPlaced::default();
        for tenant in 0..100 {
            placed.note(vec![chunk(tenant, 1, 250)]);
            let known = placed.0.lock();
            let entries: usize = known.of_tenants.values().map(|latest| latest.entries.len()).sum();
            assert!(entries == known.entries && entries <= ENTRIES_MAX, "{entries}");
        }
        placed.note(vec![chunk(99, 251, 250)]);
        assert_eq!(behind(&placed, 99, 250, 1), Some((vec![251], true)));
    }
}
