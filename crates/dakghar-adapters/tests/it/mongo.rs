//! The MongoDB stores against a real server: the conformance suites, and what only MongoDB has.

mod commands;
mod faults;
mod migration;
mod plans;
mod profiler;
mod shifted_time;
mod startup;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bson::{Document, doc};
use dakghar_adapters::mongo::{MongoOptions, MongoStore};
use dakghar_core::domain::{Message, MessageKey};
use dakghar_core::ports::MessageStore;
use dakghar_testkit::conformance::{Breakable, Stores, TargetUnderTest};
use dakghar_testkit::servers::{Mongo, Server, SharedMongo, are_installed};
use futures_util::future::BoxFuture;
use mongodb::Database;

/// A store in a database of its own on the shared server; `None` where MongoDB is not installed.
async fn store() -> Option<(Arc<MongoStore>, SharedMongo)> {
    if !are_installed(&[Server::Mongo]) {
        return None;
    }
    let server = Mongo::shared().await;
    let store = MongoStore::connect(&server.uri(), options(&server))
        .await
        .expect("the server answers");
    Some((store, server))
}

fn options(server: &SharedMongo) -> MongoOptions {
    MongoOptions {
        database: server.database().to_owned(),
        // What a busy machine needs now and then is not what is tested here.
        read_timeout: Duration::from_mins(1),
        write_timeout: Duration::from_mins(1),
        ..MongoOptions::default()
    }
}

/// The database behind a store, past the store.
async fn database(server: &SharedMongo) -> Database {
    let client = mongodb::Client::with_uri_str(server.uri())
        .await
        .expect("the server answers");
    client.database(server.database())
}

/// Asserts that these messages are stored as they are.
async fn assert_stored(store: &MongoStore, messages: &[Message]) {
    for chunk in messages.chunks(500) {
        let keys: Vec<MessageKey> = chunk.iter().map(Message::key).collect();
        let loaded = store.load(&keys).await;
        for (message, loaded) in chunk.iter().zip(loaded) {
            assert_eq!(loaded.as_ref(), Ok(&Some(message.clone())));
        }
    }
}

/// A message of another shape, of a later version, or with a value that means nothing, in turn.
async fn breakable() -> Option<(Breakable, SharedMongo)> {
    let (store, server) = store().await?;
    let messages = database(&server).await.collection::<Document>("messages");
    let breaks = AtomicUsize::new(0);
    let break_it = move |key: MessageKey| {
        let messages = messages.clone();
        let broken = match breaks.fetch_add(1, Ordering::Relaxed) % 4 {
            0 => doc! { "$set": { "unknownOutcome": "sometimes" } },
            1 => doc! { "$set": { "schemaVersion": 99 } },
            2 => doc! { "$set": { "strikes": "+919111111111" } },
            _ => doc! { "$unset": { "priority": 1 } },
        };
        Box::pin(async move {
            let update = messages.update_one(doc! { "_id": key.message_id.to_string() }, broken);
            assert_eq!(update.await.expect("the server answers").modified_count, 1);
        }) as BoxFuture<'static, ()>
    };
    let break_it = Box::new(break_it);
    let under_test = Breakable {
        stores: Stores::of(store),
        break_it,
    };
    Some((under_test, server))
}

async fn stores() -> Option<(Stores, SharedMongo)> {
    store().await.map(|(store, server)| (Stores::of(store), server))
}

async fn target() -> Option<(TargetUnderTest, SharedMongo)> {
    store().await.map(|(store, server)| {
        let under_test = TargetUnderTest {
            target: store.clone(),
            stores: Stores::of(store),
        };
        (under_test, server)
    })
}

mod conformance {
    dakghar_testkit::message_store_suite!(super::super::stores);
    dakghar_testkit::timer_store_suite!(super::super::stores);
    dakghar_testkit::conversation_store_suite!(super::super::stores);
    dakghar_testkit::list_store_suite!(super::super::stores);
    dakghar_testkit::tenant_store_suite!(super::super::stores);
    dakghar_testkit::event_store_suite!(super::super::stores);
    dakghar_testkit::store_health_suite!(super::super::stores);
    dakghar_testkit::erasure_suite!(super::super::stores);
    dakghar_testkit::unreadable_suite!(super::super::breakable);
    dakghar_testkit::migration_target_suite!(super::super::target);
}
