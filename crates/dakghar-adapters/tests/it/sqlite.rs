//! The embedded backend: the suites that every backend passes, and what only a file can suffer.

mod faults;
mod leaving;
mod many;
mod opening;
mod queue;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use dakghar_adapters::sqlite::{SqliteOptions, SqliteQueue, SqliteSource, SqliteStore};
use dakghar_core::domain::MessageKey;
use dakghar_testkit::WallClock;
use dakghar_testkit::conformance::{Breakable, QueueUnderTest, SourceUnderTest, Stores};
use futures_util::future::BoxFuture;
use tempfile::TempDir;

/// A store in a new folder.
fn open() -> (Arc<SqliteStore>, TempDir) {
    let dir = tempfile::tempdir().expect("a folder");
    let store = SqliteStore::open(dir.path(), &SqliteOptions::default()).expect("opens");
    (store, dir)
}

async fn stores() -> (Stores, TempDir) {
    let (store, dir) = open();
    (Stores::of(store), dir)
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
        stores: Stores::of(store),
        open: Box::new(move || SqliteSource::open(&path).expect("opens")),
    };
    (under_test, dir)
}

/// Breaks a message's columns in turn, as another program would.
async fn breakable() -> (Breakable, TempDir) {
    let (store, dir) = open();
    let file = store.file().to_owned();
    let breaks = AtomicUsize::new(0);
    let break_it = move |key: MessageKey| {
        let broken = match breaks.fetch_add(1, Ordering::Relaxed) % 4 {
            0 => "unknown_outcome = 'sometimes'",
            1 => "timeline = '[{\"at\": \"+919111111111\"}]'",
            2 => "strikes = -7",
            _ => "phone_number_id = ' '",
        };
        let conn = rusqlite::Connection::open(&file).expect("opens");
        let sql = format!("UPDATE messages SET {broken} WHERE id = ?");
        assert_eq!(conn.execute(&sql, [key.message_id.to_string()]).expect("runs"), 1);
        Box::pin(async {}) as BoxFuture<'static, ()>
    };
    let break_it = Box::new(break_it);
    let under_test = Breakable {
        stores: Stores::of(store),
        break_it,
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

dakghar_testkit::message_store_suite!(stores);
dakghar_testkit::timer_store_suite!(stores);
dakghar_testkit::conversation_store_suite!(stores);
dakghar_testkit::list_store_suite!(stores);
dakghar_testkit::tenant_store_suite!(stores);
dakghar_testkit::event_store_suite!(stores);
dakghar_testkit::store_health_suite!(stores);
dakghar_testkit::erasure_suite!(stores);
dakghar_testkit::unreadable_suite!(breakable);
dakghar_testkit::migration_source_suite!(source);

mod suite_of_the_queue {
    use super::queue_over_messages;

    dakghar_testkit::queue_suite!(queue_over_messages);
}
