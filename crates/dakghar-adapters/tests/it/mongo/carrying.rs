//! An installation from before there were feeds.

use std::sync::Arc;
use std::time::Duration;

use bson::{Document, doc};
use dakghar_adapters::mongo::{MongoOptions, MongoStore};
use dakghar_core::domain::message::EvidenceStatus;
use dakghar_core::domain::{FeedEntry, Message, Partitions, TenantId, WebhookEvent};
use dakghar_core::ports::{ArrivalStore as _, EventStore as _, MessageStore as _, StatusStore as _};
use dakghar_testkit::samples::{With as _, at, event, event_bare, inbound, outbound, status_record, tenant_id};
use dakghar_testkit::servers::SharedMongo;
use futures_util::future::join_all;
use mongodb::Database;

use super::{database, options, store};

/// Leaves what an older version has left: the records without a word of a feed.
async fn forget_feeds(server: &SharedMongo) {
    let database = database(server).await;
    for name in ["feed", "feed_arrivals", "feed_aside", "feed_carried"] {
        let all = database.collection::<Document>(name).delete_many(doc! {}).await;
        all.expect("the server answers");
    }
}

async fn start(server: &SharedMongo) -> Arc<MongoStore> {
    let options = MongoOptions {
        // Ends sooner what a killed start has left behind.
        write_timeout: Duration::from_secs(3),
        ..options(server)
    };
    MongoStore::connect(&server.uri(), options)
        .await
        .expect("the server answers")
}

/// How far the carrying over is.
async fn carried(database: &Database) -> Option<Document> {
    let marks = database.collection::<Document>("feed_carried");
    marks.find_one(doc! {}).await.expect("the server answers")
}

/// What waits for places, in the order in which it gets them.
async fn arrived(store: &MongoStore) -> Vec<FeedEntry> {
    let arrivals = store
        .arrivals(Partitions::ALL, 100_000)
        .await
        .expect("the server answers");
    arrivals.into_iter().flat_map(|arrival| arrival.entries).collect()
}

/// Messages, reports and events of some tenants, from the latest to the earliest. Returns what is told of them.
async fn receive(store: &MongoStore, tenants: &[TenantId], count: usize) -> Vec<FeedEntry> {
    let (mut messages, mut reports, mut events) = (Vec::new(), Vec::new(), Vec::new());
    // Nothing is told of these.
    let mut accepted = Vec::new();
    for (n, tenant) in (0..count).rev().zip(tenants.iter().cycle()) {
        let time = n as u64 * 3;
        let message: Message = inbound(*tenant, &format!("wamid.{n}")).with(|message| {
            message.accepted.created_at = at(time);
            message.delivery.timeline[0].at = at(time);
        });
        let sent = outbound(*tenant);
        let mut report = status_record(sent.key(), EvidenceStatus::Read);
        report.reported.received_at = at(time + 1);
        let event = WebhookEvent {
            received_at: at(time + 2),
            ..event(*tenant)
        };
        messages.push(message);
        accepted.push(sent);
        reports.push(report);
        events.push(event);
    }
    let entries = messages.iter().map(FeedEntry::of_message);
    let entries = entries.chain(reports.iter().map(FeedEntry::of_report));
    let mut entries: Vec<FeedEntry> = entries.chain(events.iter().filter_map(FeedEntry::of_event)).collect();
    entries.sort_by_key(|entry| entry.at);
    events.push(event_bare());
    store.accept(accepted).await;
    for received in store.receive(messages.into_iter().map(Into::into).collect()).await {
        received.expect("the server answers");
    }
    store.record_statuses(&reports).await;
    store.record(&events).await.expect("the server answers");
    entries
}

#[tokio::test]
async fn what_was_received_before_there_were_feeds_gets_its_entries_in_the_order_of_time() {
    let Some((store, server)) = store().await else { return };
    let expected = receive(&store, &[tenant_id(), tenant_id()], 40).await;
    forget_feeds(&server).await;
    assert_eq!(arrived(&store).await, []);
    let store = start(&server).await;
    assert_eq!(arrived(&store).await, expected);
    // Later starts find it done, also when everything has its place and was forgotten.
    for name in ["feed_arrivals", "feed"] {
        let collection = database(&server).await.collection::<Document>(name);
        collection.delete_many(doc! {}).await.expect("the server answers");
    }
    assert_eq!(arrived(start(&server).await.as_ref()).await, []);
}

#[tokio::test]
async fn where_feeds_have_begun_nothing_is_carried_over() {
    let Some((store, server)) = store().await else { return };
    let expected = receive(&store, &[tenant_id()], 3).await.len();
    let marks = database(&server).await.collection::<Document>("feed_carried");
    marks.delete_many(doc! {}).await.expect("the server answers");
    assert_eq!(arrived(start(&server).await.as_ref()).await.len(), expected);
}

#[tokio::test]
async fn a_start_that_is_killed_and_starts_beside_it_leave_each_entry_once() {
    let Some((store, server)) = store().await else { return };
    let expected = receive(&store, &[tenant_id(), tenant_id(), tenant_id()], 800).await;
    forget_feeds(&server).await;
    let database = database(&server).await;
    let mut kills = 0;
    let mut mark = carried(&database).await;
    // Each pair is killed soon after it has written something, once at its next step and once in it.
    while kills < 8 {
        let starting = join_all([start(&server), start(&server)]);
        let moved = async {
            while carried(&database).await == mark {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            tokio::time::sleep(Duration::from_millis(kills * 7)).await;
        };
        tokio::select! {
            biased;
            () = moved => kills += 1,
            _ = starting => break,
        }
        mark = carried(&database).await;
    }
    assert!(kills > 1, "none was killed between two portions");
    assert_eq!(arrived(start(&server).await.as_ref()).await, expected);
}
