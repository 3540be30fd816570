//! Outcomes in files: torn, spoiled, too many, without room, and on a disk that fails.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use dakghar_adapters::local::FileSpool;
use dakghar_core::domain::GraphRefusal;
use dakghar_core::domain::message::{Receipt, SendOutcome};
use dakghar_core::ports::{OutcomeSpool, SpoolError, SpooledOutcome};
use dakghar_testkit::conformance::SpoolUnderTest;
use dakghar_testkit::samples;
use dakghar_testkit::servers::skip_without;
use tempfile::TempDir;

async fn spool() -> (SpoolUnderTest, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("data");
    let starts = AtomicU32::new(0);
    let start = move || {
        let id = starts.fetch_add(1, Ordering::Relaxed).to_string();
        Arc::new(FileSpool::start(&folder, &id).unwrap()) as Arc<dyn OutcomeSpool>
    };
    (SpoolUnderTest { start: Box::new(start) }, dir)
}

dakghar_testkit::outcome_spool_suite!(spool);

fn accepted(n: u32) -> SpooledOutcome {
    SpooledOutcome {
        key: samples::outbound(samples::tenant().id).key(),
        epoch: 1,
        attempt: n,
        answered_at: samples::at(1),
        outcome: SendOutcome::Accepted {
            wamid: samples::wamid(&n.to_string()),
            known_as: Vec::new(),
            receipt: Receipt::default(),
        },
    }
}

/// The file of a process.
fn file(dir: &Path, id: &str) -> PathBuf {
    dir.join(format!("outcomes-{id}.spool"))
}

/// What three outcomes look like on the disk, and where each ends.
async fn three(dir: &Path) -> (Vec<SpooledOutcome>, Vec<u8>, Vec<usize>) {
    let outcomes: Vec<_> = (1..=3).map(accepted).collect();
    let spool = FileSpool::start(dir, "whole").unwrap();
    let path = file(dir, "whole");
    let mut ends = vec![std::fs::read(&path).unwrap().len()];
    for outcome in &outcomes {
        spool.keep(std::slice::from_ref(outcome)).await.unwrap();
        ends.push(std::fs::read(&path).unwrap().len());
    }
    let bytes = std::fs::read(&path).unwrap();
    spool.settle(3).await;
    (outcomes, bytes, ends)
}

async fn read_as(dir: &Path, bytes: &[u8]) -> Result<Vec<SpooledOutcome>, SpoolError> {
    std::fs::write(file(dir, "torn"), bytes).unwrap();
    let spool = FileSpool::start(dir, "reader").unwrap();
    assert_eq!(
        spool.left_behind().await.unwrap(),
        [Arc::<str>::from("outcomes-torn.spool")]
    );
    spool.read("outcomes-torn.spool").await
}

#[tokio::test]
async fn a_torn_end_costs_only_what_is_torn() {
    let dir = tempfile::tempdir().unwrap();
    let (outcomes, bytes, ends) = three(dir.path()).await;
    for length in (ends[0]..=bytes.len()).step_by(5).chain(ends.clone()) {
        let whole = ends[1..].iter().filter(|end| **end <= length).count();
        let read = read_as(dir.path(), &bytes[..length]).await;
        assert_eq!(read.unwrap(), outcomes[..whole], "{length} of {}", bytes.len());
    }
    // As after a crash of a machine, which may leave zeros where something was to be written.
    for length in (ends[0]..bytes.len()).step_by(7) {
        let whole = ends[1..].iter().filter(|end| **end <= length).count();
        let mut zeros = bytes[..length].to_vec();
        zeros.resize(bytes.len() + 100, 0);
        assert_eq!(
            read_as(dir.path(), &zeros).await.unwrap(),
            outcomes[..whole],
            "{length}"
        );
    }
}

#[tokio::test]
async fn what_was_spoiled_is_not_believed_and_costs_only_itself() {
    let dir = tempfile::tempdir().unwrap();
    let (outcomes, bytes, ends) = three(dir.path()).await;
    for place in (ends[0]..bytes.len()).step_by(3) {
        let mut spoiled = bytes.clone();
        spoiled[place] ^= 1;
        let hit = ends[1..].iter().filter(|end| **end <= place).count();
        let mut others = outcomes.clone();
        others.remove(hit);
        assert_eq!(read_as(dir.path(), &spoiled).await.unwrap(), others, "{place}");
    }
    // What is between two of them may be anything, and of any length.
    let anything = [&bytes[..ends[1]], &b"{".repeat(100_000), &bytes[ends[1]..]].concat();
    assert_eq!(read_as(dir.path(), &anything).await.unwrap(), outcomes);
    let later = [b"DKSPOOL2", &bytes[8..]].concat();
    let read = read_as(dir.path(), &later).await;
    assert!(
        matches!(read, Err(SpoolError::Unreadable(_))),
        "a later format: {read:?}"
    );
    assert!(file(dir.path(), "torn").exists());
}

#[tokio::test]
async fn files_are_private_and_empty_ones_go() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("data");
    let spool = FileSpool::start(&folder, "a").unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&folder), mode(&file(&folder, "a"))), (0o700, 0o600));
    drop(spool);
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0);
    assert!(FileSpool::start(Path::new("/dev/null/data"), "a").is_err());
}

#[tokio::test]
async fn a_process_keeps_so_much_and_no_more() {
    let dir = tempfile::tempdir().unwrap();
    let spool = FileSpool::start(dir.path(), "a").unwrap();
    let long = SpooledOutcome {
        outcome: SendOutcome::Refused(GraphRefusal {
            http_status: 400,
            code: 1,
            subcode: None,
            message: "\u{1f600}".repeat(100_000).into(),
            details: Some("x".repeat(1_000_000).into()),
            is_transient: None,
            retry_after: None,
            fbtrace_id: None,
        }),
        ..accepted(1)
    };
    let batch = vec![long; 512];
    let mut kept = 0;
    let full = loop {
        match spool.keep(&batch).await {
            Ok(()) => kept += batch.len(),
            Err(error) => break error,
        }
    };
    assert!(matches!(full, SpoolError::Full(_)), "{full:?}");
    let bytes = std::fs::metadata(file(dir.path(), "a")).unwrap().len();
    assert!(kept > 4_000 && bytes <= 16 * 1024 * 1024, "{kept} in {bytes} bytes");
    // What fits still does, and everything is there.
    spool.keep(&[accepted(7)]).await.unwrap();
    drop(spool);
    let next = FileSpool::start(dir.path(), "b").unwrap();
    let read = next.read("outcomes-a.spool").await.unwrap();
    assert_eq!((read.len(), read.last().unwrap().attempt), (kept + 1, 7));
}

/// Set to a folder in the process that is traced.
const TRACED: &str = "DAKGHAR_TEST_TRACED_SPOOL";

/// Runs a test in a process of its own under strace, which writes to `log`. `None` if there is no strace.
fn traced(test: &str, folder: &Path, log: &Path, options: &[&str]) -> Option<ExitStatus> {
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-y", "-s", "0", "-o"]).arg(log).args(options);
    strace.arg(std::env::current_exe().expect("this test"));
    strace.args(["--exact", test]).env(TRACED, folder);
    // Its output tells what a panic in the process was about.
    match strace.status() {
        Ok(status) => Some(status),
        Err(_) => {
            skip_without("strace");
            None
        }
    }
}

/// Does the work with a spool in the folder, on the only thread that waits for a disk.
fn with_a_spool<T>(folder: &Path, work: impl AsyncFnOnce(&FileSpool) -> T) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .max_blocking_threads(1)
        .build()
        .unwrap();
    runtime.block_on(async { work(&FileSpool::start(folder, "a").unwrap()).await })
}

#[test]
fn a_file_its_name_and_every_outcome_are_on_the_disk_before_they_count() {
    const NAME: &str = "spool::a_file_its_name_and_every_outcome_are_on_the_disk_before_they_count";
    if let Ok(folder) = std::env::var(TRACED) {
        return with_a_spool(Path::new(&folder), async |spool| {
            spool.keep(&[accepted(1)]).await.unwrap();
        });
    }
    let dir = tempfile::tempdir().unwrap();
    let (folder, log) = (dir.path().join("data"), dir.path().join("strace"));
    let calls = "trace=write,fsync,fdatasync,rename,renameat,renameat2";
    let Some(status) = traced(NAME, &folder, &log, &["-e", calls]) else {
        return;
    };
    assert!(status.success(), "{status}");
    let log = std::fs::read_to_string(&log).unwrap();
    let folder = folder.canonicalize().unwrap().display().to_string();
    let (aside, named) = (
        format!("<{folder}/.outcomes-a.spool>"),
        format!("<{folder}/outcomes-a.spool>"),
    );
    let mut lines = log.lines();
    for (call, of) in [
        ("write(", &*aside),
        ("fsync(", &*aside),
        ("rename", "outcomes-a.spool"),
        ("fsync(", &*format!("<{folder}>")),
        ("write(", &*named),
        ("fdatasync(", &*named),
    ] {
        let found = lines.any(|line| line.contains(call) && line.contains(of));
        assert!(found, "no {call} of {of} in its place:\n{log}");
    }
}

#[test]
fn a_file_that_the_disk_did_not_keep_is_not_trusted_again() {
    const NAME: &str = "spool::a_file_that_the_disk_did_not_keep_is_not_trusted_again";
    if let Ok(folder) = std::env::var(TRACED) {
        return with_a_spool(Path::new(&folder), async |spool| {
            for n in 1..=2 {
                let kept = spool.keep(&[accepted(n)]).await;
                assert!(matches!(kept, Err(SpoolError::Broken(_))), "{n}: {kept:?}");
            }
        });
    }
    let dir = tempfile::tempdir().unwrap();
    let fails_once = ["-e", "trace=fdatasync", "-e", "inject=fdatasync:error=EIO:when=1"];
    let log = dir.path().join("strace");
    let Some(status) = traced(NAME, &dir.path().join("data"), &log, &fails_once) else {
        return;
    };
    assert!(status.success(), "{status}");
    let log = std::fs::read_to_string(&log).unwrap();
    assert_eq!(log.matches("EIO").count(), 1, "{log}");
}
