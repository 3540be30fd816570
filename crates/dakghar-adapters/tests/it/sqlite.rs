//! The embedded backend: the suites that every backend passes, and what only a file can suffer.

mod faults;
mod leaving;
mod many;
mod opening;
mod queue;

use std::sync::Arc;

use dakghar_adapters::sqlite::{SqliteOptions, SqliteQueue, SqliteSource, SqliteStore};
use dakghar_core::ports::{EventStore, MessageStore, TenantStore};
use dakghar_testkit::WallClock;
use dakghar_testkit::conformance::{QueueUnderTest, SourceUnderTest};
use tempfile::TempDir;

/// A store in a new folder.
fn open() -> (Arc<SqliteStore>, TempDir) {
    let dir = tempfile::tempdir().expect("a folder");
    let store = SqliteStore::open(dir.path(), &SqliteOptions::default()).expect("opens");
    (store, dir)
}

async fn messages() -> (Arc<dyn MessageStore>, TempDir) {
    let (store, dir) = open();
    (store, dir)
}

async fn tenants() -> (Arc<dyn TenantStore>, TempDir) {
    let (store, dir) = open();
    (store, dir)
}

async fn events() -> (Arc<dyn EventStore>, TempDir) {
    let (store, dir) = open();
    (store, dir)
}

async fn messages_and_events() -> ((Arc<dyn MessageStore>, Arc<dyn EventStore>), TempDir) {
    let (store, dir) = open();
    ((store.clone(), store), dir)
}

async fn source() -> (SourceUnderTest, TempDir) {
    let dir = tempfile::tempdir().expect("a folder");
    // As a command opens it, so that it can be opened to leave it without being closed.
    let options = SqliteOptions {
        lock_exclusive: false,
        ..SqliteOptions::default()
    };
    let store = SqliteStore::open(dir.path(), &options).expect("opens");
    let path = dir.path().to_owned();
    let under_test = SourceUnderTest {
        messages: store.clone(),
        tenants: store.clone(),
        events: store,
        open: Box::new(move || SqliteSource::open(&path).expect("opens")),
    };
    (under_test, dir)
}

async fn queue_over_messages() -> (QueueUnderTest, TempDir) {
    let (store, dir) = open();
    let queue = Arc::new(SqliteQueue::new(store.clone(), Arc::new(WallClock)));
    (
        QueueUnderTest {
            queue,
            messages: Some(store),
        },
        dir,
    )
}

dakghar_testkit::message_store_suite!(messages);
dakghar_testkit::tenant_store_suite!(tenants);
dakghar_testkit::event_store_suite!(events);
dakghar_testkit::erasure_suite!(messages_and_events);
dakghar_testkit::migration_source_suite!(source);

mod suite_of_the_queue {
    use super::queue_over_messages;

    dakghar_testkit::send_queue_suite!(queue_over_messages);
}
