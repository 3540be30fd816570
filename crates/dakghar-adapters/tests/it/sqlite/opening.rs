//! Who may open the file, in which state, and what the operator is told otherwise.

use std::fs::{self, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use dakghar_adapters::sqlite::{OpenError, SqliteOptions, SqliteStore};
use dakghar_core::ports::{MessageStore, StoreError, StoreHealth};
use dakghar_testkit::samples::{outbound, tenant_id};

use super::open;

fn reopen(path: &Path) -> Result<Arc<SqliteStore>, OpenError> {
    SqliteStore::open(path, &SqliteOptions::default())
}

/// Runs SQL on the file as another program would.
fn execute(file: &Path, sql: &str) {
    let conn = rusqlite::Connection::open(file).expect("opens");
    conn.execute_batch(sql).expect("runs");
}

async fn fill(store: &SqliteStore, count: usize) {
    let tenant = tenant_id();
    let batch = (0..count).map(|_| outbound(tenant)).collect();
    for answer in store.accept(batch).await {
        answer.expect("accepted");
    }
}

#[tokio::test]
async fn the_file_is_for_its_owner_only() {
    let (store, dir) = open();
    fill(&store, 1).await;
    for name in ["dakghar.sqlite3", "dakghar.sqlite3-wal", "dakghar.sqlite3.lock"] {
        let mode = fs::metadata(dir.path().join(name))
            .expect("exists")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[tokio::test]
async fn a_missing_folder_is_created() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("a/b/store.db");
    let store = reopen(&file).expect("opens");
    assert_eq!(store.file(), file);
    fill(&store, 1).await;
}

#[tokio::test]
async fn two_servers_never_share_a_file() {
    let (first, dir) = open();
    let refused = reopen(dir.path());
    assert!(matches!(refused, Err(OpenError::InUse { .. })));
    // A command may work beside the server.
    let command = SqliteStore::open(
        dir.path(),
        &SqliteOptions {
            lock_exclusive: false,
            ..SqliteOptions::default()
        },
    )
    .expect("opens");
    fill(&command, 1).await;
    drop((first, command));
    reopen(dir.path()).expect("the lock ends with its holder");
}

#[tokio::test]
async fn closing_leaves_one_whole_file() {
    let (store, dir) = open();
    let tenant = tenant_id();
    let message = outbound(tenant);
    store.accept(vec![message.clone()]).await.remove(0).expect("accepted");
    store.close().await;
    assert!(!dir.path().join("dakghar.sqlite3-wal").exists());
    let refused = store.load(&[message.key()]).await;
    assert!(matches!(refused[..], [Err(StoreError::Unavailable(_))]), "{refused:?}");
    let refused = store.accept(vec![outbound(tenant)]).await;
    assert!(matches!(refused[..], [Err(StoreError::Unavailable(_))]), "{refused:?}");
    drop(store);

    let store = reopen(dir.path()).expect("opens");
    assert_eq!(store.load(&[message.key()]).await, [Ok(Some(message))]);
}

#[tokio::test]
async fn the_file_of_a_newer_release_is_refused() {
    let (store, dir) = open();
    let file = store.file().to_owned();
    store.close().await;
    drop(store);
    execute(&file, "PRAGMA user_version = 999");
    match reopen(dir.path()) {
        Err(error @ OpenError::NewerSchema { found: 999, .. }) => {
            assert!(error.to_string().contains("newer release"), "{error}");
        }
        other => panic!("{:?}", other.map(|_| ())),
    }
}

#[tokio::test]
async fn the_file_of_another_program_is_refused() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("theirs.db");
    execute(&file, "CREATE TABLE theirs (x)");
    assert!(matches!(reopen(&file), Err(OpenError::Foreign { .. })));
}

/// Fills a store, closes it and damages the file.
async fn damaged(damage: impl FnOnce(&Path)) -> Result<Arc<SqliteStore>, OpenError> {
    let (store, dir) = open();
    fill(&store, 500).await;
    store.close().await;
    let file = store.file().to_owned();
    drop(store);
    damage(&file);
    let opened = reopen(dir.path());
    if let Err(error @ OpenError::Damaged { .. }) = &opened {
        assert!(error.to_string().contains("put a backup in its place"), "{error}");
    }
    opened
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused() {
    let opened = damaged(|file| fs::write(file, "not a database at all, but long enough to look at").expect("writes"));
    assert!(matches!(opened.await, Err(OpenError::Damaged { .. })));
}

#[tokio::test]
async fn a_file_that_was_cut_off_is_refused() {
    let opened = damaged(|file| {
        let bytes = fs::metadata(file).expect("exists").len();
        let cut = OpenOptions::new().write(true).open(file).expect("opens");
        cut.set_len(bytes / 2).expect("cuts");
    });
    assert!(matches!(opened.await, Err(OpenError::Damaged { .. })));
}

fn flip_bytes_in_the_middle(file: &Path) {
    let mut file = OpenOptions::new().read(true).write(true).open(file).expect("opens");
    let middle = file.metadata().expect("exists").len() / 4096 / 2 * 4096;
    let mut bytes = [0; 64];
    file.seek(SeekFrom::Start(middle)).expect("seeks");
    file.read_exact(&mut bytes).expect("reads");
    for byte in &mut bytes {
        *byte ^= 0xff;
    }
    file.seek(SeekFrom::Start(middle)).expect("seeks");
    file.write_all(&bytes).expect("writes");
}

#[tokio::test]
async fn flipped_bytes_are_found_by_the_integrity_check() {
    let store = damaged(flip_bytes_in_the_middle)
        .await
        .expect("opens after a clean end");
    match store.integrity_check().await {
        Ok(problems) => assert!(!problems.is_empty()),
        Err(error) => assert!(matches!(error, StoreError::Corrupt(_)), "{error}"),
    }
}

#[tokio::test]
async fn flipped_bytes_are_found_at_the_start_after_an_unclean_end() {
    let opened = damaged(|file| {
        // A log that is left behind is what an unclean end looks like.
        let conn = rusqlite::Connection::open(file).expect("opens");
        conn.execute_batch("UPDATE write_probe SET writes = 9").expect("writes");
        let log = file.with_file_name("dakghar.sqlite3-wal");
        let kept = fs::read(&log).expect("reads");
        drop(conn);
        fs::write(log, kept).expect("writes");
        flip_bytes_in_the_middle(file);
    });
    assert!(matches!(opened.await, Err(OpenError::Damaged { .. })));
}

#[tokio::test]
async fn a_whole_file_has_no_problems() {
    let (store, _dir) = open();
    fill(&store, 100).await;
    assert_eq!(store.integrity_check().await, Ok(Vec::new()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_foreign_writer_is_waited_for() {
    let (store, _dir) = open();
    let other = rusqlite::Connection::open(store.file()).expect("opens");
    other.execute_batch("BEGIN IMMEDIATE").expect("locks");
    let message = outbound(tenant_id());
    let accepting = {
        let (store, message) = (store.clone(), message.clone());
        tokio::spawn(async move { store.accept(vec![message]).await.remove(0) })
    };
    // Reading does not wait for anybody.
    assert_eq!(store.load(&[message.key()]).await, [Ok(None)]);
    other.execute_batch("COMMIT").expect("unlocks");
    accepting.await.expect("no panic").expect("accepted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_foreign_writer_that_does_not_let_go_is_an_error_and_then_over() {
    let (store, _dir) = open();
    let other = rusqlite::Connection::open(store.file()).expect("opens");
    other.execute_batch("BEGIN IMMEDIATE").expect("locks");
    let message = outbound(tenant_id());
    let refused = store.accept(vec![message.clone()]).await;
    assert!(matches!(refused[..], [Err(StoreError::Unavailable(_))]), "{refused:?}");
    assert!(matches!(store.ping().await, Err(StoreError::Unavailable(_))));
    other.execute_batch("ROLLBACK").expect("unlocks");
    store.accept(vec![message]).await.remove(0).expect("accepted");
    assert_eq!(store.ping().await, Ok(()));
}
