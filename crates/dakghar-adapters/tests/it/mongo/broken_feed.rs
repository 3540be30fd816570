//! Feeds of which another program broke a part.

use std::sync::Arc;

use bson::{Document, doc};
use dakghar_core::domain::feed::{Chunk, place_id};
use dakghar_core::domain::page::PageLimit;
use dakghar_core::domain::{Partitions, Place, PlacedEntry, Subject};
use dakghar_core::ports::{Appended, ArrivalStore as _, EventStore as _, FeedStore as _};
use dakghar_testkit::samples;

use super::{database, store};

/// One broken entry costs its place only; where the length of a chunk cannot be read it ends where the next one begins.
#[tokio::test]
async fn a_broken_chunk_costs_its_own_places_only() {
    let Some((store, server)) = store().await else { return };
    let tenant = samples::tenant_id();
    for first in [1, 6, 11, 16] {
        let events: Vec<_> = (0..5).map(|_| samples::event(tenant)).collect();
        store.record(&events).await.expect("the store answers");
        let arrived = store.arrivals(Partitions::ALL, 10).await.expect("the store answers");
        let ids: Vec<Arc<str>> = arrived.iter().map(|arrival| arrival.id.clone()).collect();
        let chunk = Chunk {
            tenant_id: tenant,
            first: Place::new(first),
            entries: arrived.into_iter().flat_map(|arrival| arrival.entries).collect(),
        };
        assert_eq!(store.append(&[chunk], &ids).await, Ok(Appended::Done));
    }
    let all = PageLimit::items(50);
    let whole = store.entries(&tenant, Place::START, all).await.unwrap().items;
    assert_eq!(whole.len(), 20);
    let chunks = database(&server).await.collection::<Document>("feed");
    let set = |fields: Document| doc! { "$set": fields };
    let nothing = doc! { "$set": { "entries": "whim", "last": "whim" } };
    // Which chunk is broken in which way, and which places cannot be read then.
    let ways: Vec<(u64, Document, Vec<u64>)> = vec![
        (6, set(doc! { "entries.2.subject": "whim" }), vec![8]),
        (6, set(doc! { "entries.2": 7 }), vec![8]),
        (6, doc! { "$unset": { "last": 1 } }, vec![]),
        (6, set(doc! { "last": 9_000_i64 }), vec![]),
        (6, set(doc! { "last": -1_i64 }), vec![]),
        (6, set(doc! { "schemaVersion": 99 }), vec![6, 7, 8, 9, 10]),
        (6, nothing.clone(), vec![6, 7, 8, 9, 10]),
        (1, nothing.clone(), vec![1, 2, 3, 4, 5]),
        (16, doc! { "$unset": { "entries": 1 } }, vec![16, 17, 18, 19, 20]),
        (16, set(doc! { "last": "whim", "entries.4.kind": " " }), vec![20]),
    ];
    for (first, broken, expected) in ways {
        let id = doc! { "_id": place_id(&tenant, Place::new(first)) };
        let before = chunks.find_one(id.clone()).await.unwrap().unwrap();
        let update = chunks
            .update_one(id.clone(), broken.clone())
            .bypass_document_validation(true);
        assert_eq!(update.await.unwrap().modified_count, 1);
        for (after, items) in [(0, 50), (0, 1), (7, 2), (9, 50), (17, 1), (12, 3)] {
            let mut read = Vec::new();
            loop {
                let from = read.last().map_or(Place::new(after), |last: &PlacedEntry| last.place);
                let listed = store.entries(&tenant, from, PageLimit::items(items)).await.unwrap();
                read.extend(listed.items);
                if listed.next.is_none() {
                    break;
                }
            }
            let what = format!("{broken} after {after} by {items}");
            let places: Vec<u64> = read.iter().map(|placed| placed.place.number()).collect();
            assert_eq!(places, (after + 1..=20).collect::<Vec<_>>(), "{what}");
            let told: Vec<u64> = read
                .iter()
                .filter(|placed| placed.entry.subject == Subject::Unreadable(placed.place))
                .map(|placed| placed.place.number())
                .collect();
            let expected: Vec<u64> = expected.iter().copied().filter(|place| *place > after).collect();
            assert_eq!(told, expected, "{what}");
            assert!(
                read.iter()
                    .all(|placed| told.contains(&placed.place.number()) || whole.contains(placed)),
                "{what}"
            );
        }
        let bounds = store.bounds(&tenant).await.expect("it can be read as far as it goes");
        assert_eq!((bounds.first, bounds.last), (Place::new(1), Place::new(20)), "{broken}");
        chunks.replace_one(id, before).await.unwrap();
    }
}
