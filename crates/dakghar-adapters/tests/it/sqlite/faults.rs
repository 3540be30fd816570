//! What a machine does to a file: it stops in the middle, its disk fills up, its disk lies.
//!
//! The victim is this test program itself, started once more with [`VICTIM_DIR`] set.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use dakghar_adapters::sqlite::{SqliteOptions, SqliteStore};
use dakghar_core::domain::{MessageId, MessageKey, TenantId};
use dakghar_core::ports::{MessageStore, StoreError, StoreHealth};
use dakghar_testkit::samples::{outbound, tenant_id};
use dakghar_testkit::servers::skip_without;
use uuid::Uuid;

/// The folder of the victim's store.
const VICTIM_DIR: &str = "DAKGHAR_TEST_SQLITE_VICTIM_DIR";
/// The first message id that the victim uses, so that several victims of one store do not collide.
const VICTIM_FIRST_ID: &str = "DAKGHAR_TEST_SQLITE_VICTIM_FIRST_ID";

fn victim_tenant() -> TenantId {
    TenantId::from_uuid(Uuid::from_u128(7))
}

fn victim_message(number: u128) -> MessageKey {
    MessageKey {
        tenant_id: victim_tenant(),
        message_id: MessageId::from_uuid(Uuid::from_u128(number)),
    }
}

fn open_store(dir: &Path) -> Arc<SqliteStore> {
    SqliteStore::open(dir, &SqliteOptions::default()).expect("opens")
}

/// The victim: accepts messages from four tasks and prints the number of each that it may promise, or the error.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn victim() {
    let Ok(dir) = std::env::var(VICTIM_DIR) else { return };
    let first: u128 = std::env::var(VICTIM_FIRST_ID).map_or(1, |text| text.parse().expect("a number"));
    let store = open_store(Path::new(&dir));
    let tasks = (0..4).map(|task| {
        let store = store.clone();
        tokio::spawn(async move {
            for step in 0.. {
                let number = first + step * 4 + task;
                let mut message = outbound(victim_tenant());
                message.accepted.id = victim_message(number).message_id;
                let line = match store.accept(vec![message]).await.remove(0) {
                    Ok(_) => format!("accepted {number}"),
                    Err(error) => format!("error {error}"),
                };
                if writeln!(std::io::stdout(), "{line}").is_err() {
                    return;
                }
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.expect("no panic");
    }
}

/// Starts the victim; `wrapper` is a program, with arguments, that runs it.
fn start_victim(dir: &Path, first: u128, wrapper: &[&str]) -> Child {
    let this = std::env::current_exe().expect("a path");
    let mut command = match wrapper {
        [] => Command::new(&this),
        [program, args @ ..] => {
            let mut command = Command::new(program);
            command.args(args).arg(&this);
            command
        }
    };
    command
        .args(["--exact", "sqlite::faults::victim", "--nocapture"])
        .env(VICTIM_DIR, dir)
        .env(VICTIM_FIRST_ID, first.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        // A wrapper that is killed leaves the victim alive: both are killed together.
        .process_group(0)
        .spawn()
        .expect("starts")
}

fn kill(victim: &Child) {
    let group = format!("-{}", victim.id());
    let killed = Command::new("kill").args(["-KILL", "--", &group]).status();
    assert!(killed.is_ok_and(|status| status.success()), "the victim lives");
}

/// Reads the victim's lines until `enough` says so or it ends; then kills it. Answers what it promised.
fn watch(mut victim: Child, mut enough: impl FnMut(&str, usize) -> bool) -> Vec<u128> {
    let mut promised = Vec::new();
    let mut lines = BufReader::new(victim.stdout.take().expect("piped")).lines();
    for line in lines.by_ref() {
        let line = line.expect("text");
        if let Some(number) = line.strip_prefix("accepted ") {
            promised.push(number.parse().expect("a number"));
        }
        if enough(&line, promised.len()) {
            kill(&victim);
            break;
        }
    }
    // What it promised before it died counts as well.
    for line in lines.map_while(Result::ok) {
        promised.extend(
            line.strip_prefix("accepted ")
                .and_then(|number| number.parse::<u128>().ok()),
        );
    }
    victim.wait().expect("ends");
    promised
}

async fn assert_all_present(store: &SqliteStore, promised: &[u128]) {
    let keys: Vec<_> = promised.iter().map(|number| victim_message(*number)).collect();
    let loaded = store.load(&keys).await;
    let lost: Vec<_> = promised
        .iter()
        .zip(&loaded)
        .filter_map(|(number, message)| (*message == Ok(None)).then_some(number))
        .collect();
    assert!(lost.is_empty(), "promised and lost: {lost:?}");
}

#[tokio::test]
async fn what_was_promised_survives_being_killed() {
    const ROUNDS: u128 = 12;
    let dir = tempfile::tempdir().expect("a folder");
    let mut promised = Vec::new();
    for round in 0..ROUNDS {
        let victim = start_victim(dir.path(), 1 + round * 1_000_000, &[]);
        let until = 10 + 40 * usize::try_from(round).expect("small");
        promised.extend(watch(victim, |_, count| count >= until));
        let store = open_store(dir.path());
        assert_all_present(&store, &promised).await;
        assert_eq!(store.integrity_check().await, Ok(Vec::new()));
        // Sometimes the log is taken over by the next one, sometimes not.
        if round % 2 == 0 {
            store.close().await;
        }
    }
    assert!(promised.len() > 1000, "only {} were promised", promised.len());
}

/// True if a program can be run here.
fn is_installed(program: &str) -> bool {
    let found = Command::new(program)
        .arg("-V")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    found.is_ok_and(|status| status.success())
}

/// One fsync fails, as on a dying disk. What was promised before is there, nothing is promised
/// after, and no second fsync is tried: it would succeed without having written anything.
#[tokio::test]
async fn after_a_failed_fsync_nothing_more_is_promised() {
    if !is_installed("strace") {
        return skip_without("strace");
    }
    let dir = tempfile::tempdir().expect("a folder");
    open_store(dir.path()).close().await;
    // The one failure is not repeated: only a writer that stops by itself stays stopped.
    let wrapper = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fdatasync,fsync"];
    let inject = ["-e", "inject=fdatasync,fsync:error=EIO:when=40"];
    let victim = start_victim(dir.path(), 1, &[&wrapper[..], &inject[..]].concat());
    let mut errors = 0;
    let mut promised_after = 0;
    let promised = watch(victim, |line, count| {
        if line.starts_with("error ") {
            assert!(line.contains("nothing more is written until a restart"), "{line}");
            errors += 1;
        // A line about an earlier commit may come late: its task can be slow to print.
        } else if line.starts_with("accepted ") && errors > 100 {
            promised_after += 1;
        }
        errors >= 200 || count >= 10_000
    });
    if promised.is_empty() {
        return skip_without("a strace that may trace");
    }
    assert!(errors > 0, "the failed fsync went unnoticed");
    assert_eq!(promised_after, 0, "promises after a failed fsync");
    assert_all_present(&open_store(dir.path()), &promised).await;
}

/// A file system of a few megabytes in memory; `None` where that is not allowed.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount(megabytes: u32) -> Option<Self> {
        let dir = tempfile::tempdir().expect("a folder");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={megabytes}m"), "tmpfs"])
            .arg(dir.path())
            .stderr(Stdio::null())
            .status();
        mounted.is_ok_and(|status| status.success()).then_some(Self(dir))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.path()).status();
    }
}

#[tokio::test]
async fn a_full_disk_is_said_and_reading_goes_on_and_space_helps() {
    let Some(disk) = SmallDisk::mount(8) else {
        return skip_without("the right to mount a small file system");
    };
    let ballast = disk.path().join("ballast");
    std::fs::write(&ballast, vec![1; 3 << 20]).expect("writes");
    let store = open_store(disk.path());
    let tenant = tenant_id();
    let mut accepted = Vec::new();
    let error = loop {
        let batch: Vec<_> = (0..50).map(|_| outbound(tenant)).collect();
        let keys: Vec<_> = batch.iter().map(dakghar_core::domain::Message::key).collect();
        match store.accept(batch).await.remove(0) {
            Ok(_) => accepted.extend(keys),
            Err(error) => break error,
        }
        assert!(accepted.len() < 1_000_000, "the disk never filled up");
    };
    assert!(matches!(error, StoreError::Full(_)), "{error}");
    // What is too little for fifty messages may be enough for one.
    while store.ping().await.is_ok() {
        let message = outbound(tenant);
        let key = message.key();
        let is_accepted = store.accept(vec![message]).await.remove(0).is_ok();
        accepted.extend(is_accepted.then_some(key));
        assert!(accepted.len() < 1_000_000, "the disk never filled up");
    }
    let loaded = store.load(&accepted).await;
    assert!(loaded.iter().all(|loaded| matches!(loaded, Ok(Some(_)))));

    std::fs::remove_file(&ballast).expect("deletes");
    store.accept(vec![outbound(tenant)]).await.remove(0).expect("accepted");
    assert_eq!(store.ping().await, Ok(()));
    let loaded = store.load(&accepted).await;
    assert!(loaded.iter().all(|loaded| matches!(loaded, Ok(Some(_)))));
    assert_eq!(store.integrity_check().await, Ok(Vec::new()));
}
