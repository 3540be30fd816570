//! A file that is opened to leave it: who is kept away, and what is left behind.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use dakghar_adapters::sqlite::{OpenError, SqliteOptions, SqliteSource, SqliteStore};
use dakghar_core::domain::Message;
use dakghar_core::domain::migration::{Kind, Record, Retirement};
use dakghar_core::ports::{MessageStore, MigrationSource, StoreError};
use dakghar_testkit::samples::{at, outbound, tenant_id};

use super::open;

fn command(path: &Path) -> Result<Arc<SqliteStore>, OpenError> {
    let options = SqliteOptions {
        lock_exclusive: false,
        ..SqliteOptions::default()
    };
    SqliteStore::open(path, &options)
}

async fn store_one(store: &SqliteStore) -> Result<(), StoreError> {
    let mut answers = store.accept(vec![outbound(tenant_id())]).await;
    answers.remove(0).map(drop)
}

fn retirement() -> Retirement {
    Retirement {
        migration_id: "0123456789abcdef".into(),
        successor: "MongoDB at mongo-1:27017, database dakghar".into(),
        at: at(5),
    }
}

#[tokio::test]
async fn what_is_not_there_is_not_created() {
    let dir = tempfile::tempdir().expect("a folder");
    for path in [
        dir.path().to_owned(),
        dir.path().join("nowhere"),
        dir.path().join("a/b.db"),
    ] {
        let refused = SqliteSource::open(&path).err().expect("there is nothing");
        assert!(matches!(refused, OpenError::Missing { .. }), "{refused}");
    }
    assert_eq!(fs::read_dir(dir.path()).expect("a folder").count(), 0);
}

#[tokio::test]
async fn a_server_and_a_migration_exclude_each_other() {
    let (server, dir) = open();
    store_one(&server).await.expect("stored");
    assert!(matches!(SqliteSource::open(dir.path()), Err(OpenError::InUse { .. })));
    drop(server);

    let source = SqliteSource::open(dir.path()).expect("opens");
    assert!(matches!(SqliteSource::open(dir.path()), Err(OpenError::InUse { .. })));
    let refused = SqliteStore::open(dir.path(), &SqliteOptions::default());
    assert!(matches!(refused, Err(OpenError::InUse { .. })));
    drop(source);
    SqliteStore::open(dir.path(), &SqliteOptions::default()).expect("nobody left it");
}

#[tokio::test(flavor = "multi_thread")]
async fn not_even_a_command_writes_meanwhile() {
    let (server, dir) = open();
    store_one(&server).await.expect("stored");
    drop(server);
    let source = SqliteSource::open(dir.path()).expect("opens");
    let beside = command(dir.path()).expect("may look");
    let refused = store_one(&beside).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    assert_eq!(MigrationSource::count(&*source, Kind::Messages).await, Ok(1));
    drop(source);
    store_one(&beside).await.expect("nobody holds it any more");
}

#[tokio::test]
async fn what_was_left_is_opened_by_nobody_but_a_migration() {
    let (server, dir) = open();
    store_one(&server).await.expect("stored");
    drop(server);
    let source = SqliteSource::open(dir.path()).expect("opens");
    source.retire(&retirement()).await.expect("the folder can be written");
    let mark = source.mark();
    assert_eq!(mark, dir.path().join("MIGRATED"));
    drop(source);
    for refused in [
        command(dir.path()),
        SqliteStore::open(dir.path(), &SqliteOptions::default()),
    ] {
        let text = refused.err().expect("it was left").to_string();
        for part in ["mongo-1:27017", "MIGRATED", "second time"] {
            assert!(text.contains(part), "{text}");
        }
    }
    let source = SqliteSource::open(dir.path()).expect("opens");
    assert_eq!(source.retirement().await, Ok(Some(retirement())));
    drop(source);
    // A person who goes back deletes the mark, as it says.
    let text = fs::read_to_string(&mark).expect("a text");
    assert!(text.contains("delete this file"), "{text}");
    fs::remove_file(&mark).expect("it is there");
    let server = SqliteStore::open(dir.path(), &SqliteOptions::default()).expect("opens");
    store_one(&server).await.expect("stored");
}

#[tokio::test]
async fn a_mark_that_cannot_be_understood_counts_too() {
    let (server, dir) = open();
    drop(server);
    fs::write(dir.path().join("MIGRATED"), "").expect("written");
    assert!(matches!(command(dir.path()), Err(OpenError::Retired { .. })));
}

#[tokio::test]
async fn large_messages_make_short_pages() {
    let (server, dir) = open();
    let tenant = tenant_id();
    let large = "x".repeat(1024 * 1024);
    let messages: Vec<Message> = (0..20)
        .map(|_| {
            let mut message = outbound(tenant);
            message.accepted.content.body = large.as_str().into();
            message
        })
        .collect();
    for answer in server.accept(messages.clone()).await {
        answer.expect("stored");
    }
    drop(server);
    let source = SqliteSource::open(dir.path()).expect("opens");
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let page = source
            .page(Kind::Messages, after.as_ref(), 1_000)
            .await
            .expect("answers");
        assert!(page.records.len() < 10, "{} megabytes at once", page.records.len());
        let Some(end) = page.end else { break };
        after = Some(end);
        seen.extend(page.records);
    }
    let expected: Vec<Record> = messages
        .into_iter()
        .map(|message| Record::Message(Box::new(message)))
        .collect();
    assert!(seen == expected, "every one once, in the order of acceptance");
}
