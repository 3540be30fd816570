//! The suite of [`FeedStore`](dakghar_core::ports::FeedStore), and of the entries that the other stores write.

mod reading;
mod writing;

use std::sync::Arc;

use dakghar_core::domain::feed::Chunk;
use dakghar_core::domain::page::PageLimit;
use dakghar_core::domain::{FeedEntry, Partitions, Place, PlacedEntry, TenantId, WebhookEvent};
use dakghar_core::ports::Appended;

use super::stores::Stores;
use crate::samples::event;

pub use reading::*;
pub use writing::*;

/// Runs the suite of `FeedStore`: `feed_store_suite!(factory)`, where the factory gives `Stores`. See
/// [`conformance`](crate::conformance).
#[macro_export]
macro_rules! feed_store_suite {
    ($factory:path) => {
        $crate::conformance_cases! { $factory, feed:
            every_field_of_an_entry_survives
            what_is_received_has_one_entry_however_often_it_comes
            a_report_has_one_entry_however_often_it_comes
            an_event_has_one_entry_unless_it_is_nobodys
            a_save_has_its_entry_and_a_stale_one_has_none
            a_tenant_is_saved_with_what_is_told_of_it_or_nothing_is
            a_message_that_cannot_be_saved_takes_no_entry_from_others
            places_count_from_one_for_each_tenant
            pages_of_a_feed_have_no_gaps_and_no_repeats
            bounds_are_those_of_what_is_there
            ends_are_those_of_what_was_appended
            old_entries_are_erased_but_the_last
            a_feed_is_erased_with_its_tenant
            reports_are_found_by_their_entries
            events_are_found_by_their_entries
            found_records_end_at_their_bytes
            ten_at_once_of_the_same_have_one_entry_each
        }
    };
}

/// Gives places to everything that waits. Several may do so at once.
pub(super) async fn place_all(stores: &Stores) {
    let Some(arrivals) = &stores.arrivals else { return };
    loop {
        let arrived = arrivals
            .arrivals(Partitions::ALL, 100)
            .await
            .expect("the store answers");
        if arrived.is_empty() {
            return;
        }
        let mut chunks: Vec<Chunk> = Vec::new();
        for arrival in &arrived {
            let known = chunks.iter_mut().find(|chunk| chunk.tenant_id == arrival.tenant_id);
            match known {
                Some(chunk) => chunk.entries.extend(arrival.entries.clone()),
                None => {
                    let ends = stores.feed.ends(&[arrival.tenant_id]).await.expect("the store answers");
                    chunks.push(Chunk {
                        tenant_id: arrival.tenant_id,
                        first: ends[0].plus(1),
                        entries: arrival.entries.clone(),
                    });
                }
            }
        }
        let ids: Vec<Arc<str>> = arrived.iter().map(|arrival| arrival.id.clone()).collect();
        // After a conflict it is looked at anew.
        let _: Appended = arrivals.append(&chunks, &ids).await.expect("the store answers");
    }
}

/// The whole feed of a tenant, everything placed.
async fn feed(stores: &Stores, tenant_id: &TenantId) -> Vec<PlacedEntry> {
    place_all(stores).await;
    page(stores, tenant_id, 0, 10_000).await
}

async fn page(stores: &Stores, tenant_id: &TenantId, after: u64, items: u32) -> Vec<PlacedEntry> {
    let limit = PageLimit {
        bytes: usize::MAX,
        ..PageLimit::items(items)
    };
    let found = stores.feed.entries(tenant_id, Place::new(after), limit).await;
    found.expect("the store answers").items
}

/// What the entries tell, without their places, which must be those from one on.
async fn told(stores: &Stores, tenant_id: &TenantId) -> Vec<FeedEntry> {
    let feed = feed(stores, tenant_id).await;
    for (placed, number) in feed.iter().zip(1..) {
        assert_eq!(placed.place, Place::new(number), "places have no gaps: {feed:?}");
    }
    feed.into_iter().map(|placed| placed.entry).collect()
}

async fn record(stores: &Stores, events: &[WebhookEvent]) {
    stores.events.record(events).await.expect("the store answers");
}

async fn events(stores: &Stores, tenant: TenantId, count: usize) -> Vec<WebhookEvent> {
    let events: Vec<WebhookEvent> = (0..count).map(|_| event(tenant)).collect();
    record(stores, &events).await;
    events
}

fn of_events(events: &[WebhookEvent]) -> Vec<FeedEntry> {
    events.iter().filter_map(FeedEntry::of_event).collect()
}
