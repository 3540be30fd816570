//! The disk under MongoDB is full, broken or slow, as far as this machine lets a test make one: F13 to F15.

use std::io::Read as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use dakghar_testkit::servers::Mongo;

use super::{begin, count, refusals, start};
use crate::chaos::installation::{Setup, Store};
use crate::chaos::report::Row;
use crate::chaos::{seconds, sleep_s};

#[tokio::test(flavor = "multi_thread")]
async fn f13_the_disk_is_full() {
    let row = Row::new("F13", "disk of MongoDB full");
    let disk = match SmallDisk::mount(600) {
        Ok(disk) => disk,
        Err(reason) => return row.cannot(&reason),
    };
    let mongo = Mongo::start_in(disk.path(), &[]).await;
    let (mut installation, load) = begin(Setup::of(&["api", "worker"]).store(Store::One(Box::new(mongo)))).await;
    disk.fill();
    sleep_s(15).await;
    let readiness = installation.get("/readyz").await;
    assert_eq!(readiness["status"], "not_ready", "{readiness}");
    let refused = load.counts().refusals;
    disk.free();
    // A mongod that cannot write its journal ends itself.
    let has_ended = !installation.mongo().is_running();
    installation.mongo().restart().await;
    installation.mongo().writable().await;
    let (verdict, loaded) = count(&installation, load).await;
    let what = if has_ended {
        "mongod ended itself"
    } else {
        "mongod went on"
    };
    let figure = format!("{what}; refused {refused:?}; {}", refusals(&loaded));
    row.finish(&verdict, &figure);
}

#[tokio::test(flavor = "multi_thread")]
async fn f14_fsync_fails() {
    let row = Row::new("F14", "fsync of mongod fails");
    let (mut installation, load) = start().await;
    let strace = match spoil_fsync(installation.mongo().pid()) {
        Ok(strace) => strace,
        Err(reason) => return row.cannot(&reason),
    };
    sleep_s(5).await;
    let has_ended = !installation.mongo().is_running();
    drop(strace);
    installation.mongo().restart().await;
    installation.mongo().writable().await;
    let (verdict, loaded) = count(&installation, load).await;
    assert!(has_ended, "mongod goes on after a failed fsync");
    let figure = format!("mongod ended itself; {}", refusals(&loaded));
    row.finish(&verdict, &figure);
}

#[tokio::test(flavor = "multi_thread")]
async fn f15_fsync_is_slow() {
    let row = Row::new("F15", "fsync of mongod takes 500 ms");
    let (mut installation, load) = start().await;
    let strace = match slow_down_fsync(installation.mongo().pid(), Duration::from_millis(500)) {
        Ok(strace) => strace,
        Err(reason) => return row.cannot(&reason),
    };
    load.forget_latencies();
    let before = load.promised();
    tokio::time::sleep(seconds(20)).await;
    let (accepted, latencies) = (load.promised() - before, load.latencies());
    drop(strace);
    let (verdict, loaded) = count(&installation, load).await;
    let figure = format!(
        "{accepted} accepted meanwhile, p50 {:.1?}, p99 {:.1?}; {}",
        latencies.percentile(50),
        latencies.percentile(99),
        refusals(&loaded)
    );
    row.finish(&verdict, &figure);
}

/// A file system in memory, of a size that can be used up.
struct SmallDisk {
    folder: tempfile::TempDir,
}

impl SmallDisk {
    /// Mounts it; the error says why that is not possible here.
    fn mount(megabytes: u32) -> Result<Self, String> {
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let size = format!("size={megabytes}m");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "none"])
            .arg(folder.path())
            .output()
            .map_err(|error| format!("cannot run mount: {error}"))?;
        if mounted.status.success() {
            Ok(Self { folder })
        } else {
            let why = String::from_utf8_lossy(&mounted.stderr);
            Err(format!("cannot mount a file system in memory: {}", why.trim()))
        }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Uses up what is left.
    fn fill(&self) {
        let ballast = format!("of={}", self.path().join("ballast").display());
        // It fails when nothing is left, as it should.
        let _ = Command::new("dd")
            .args(["if=/dev/zero", &ballast, "bs=64k"])
            .stderr(Stdio::null())
            .status();
    }

    /// Gives back what [`SmallDisk::fill`] used up.
    fn free(&self) {
        std::fs::remove_file(self.path().join("ballast")).expect("the ballast is there");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

/// A process whose system calls are tampered with, until this is dropped.
struct Tampered {
    strace: Child,
}

impl Drop for Tampered {
    fn drop(&mut self) {
        // Told to end it lets the process go; killed it might take it along.
        let _ = Command::new("sh")
            .args(["-c", "kill -s TERM \"$1\"", "sh", &self.strace.id().to_string()])
            .status();
        let _ = self.strace.wait();
    }
}

/// Every fsync of the process fails.
fn spoil_fsync(pid: u32) -> Result<Tampered, String> {
    tamper(pid, "error=EIO")
}

/// Every fsync of the process takes longer.
fn slow_down_fsync(pid: u32, by: Duration) -> Result<Tampered, String> {
    tamper(pid, &format!("delay_enter={}", by.as_micros()))
}

fn tamper(pid: u32, how: &str) -> Result<Tampered, String> {
    const CALLS: &str = "fsync,fdatasync";
    let mut strace = Command::new("strace")
        .args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={CALLS}")])
        .args(["-e", &format!("inject={CALLS}:{how}"), "-p", &pid.to_string()])
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("cannot run strace: {error}"))?;
    // It attaches to every thread. Where that is forbidden it complains and ends at once; when the process ends, as
    // it may by what is done to it, it ends without a word.
    std::thread::sleep(Duration::from_secs(1));
    let mut complaint = String::new();
    if !matches!(strace.try_wait(), Ok(None))
        && let Some(mut stderr) = strace.stderr.take()
    {
        stderr
            .read_to_string(&mut complaint)
            .map_err(|error| error.to_string())?;
    }
    if complaint.is_empty() {
        Ok(Tampered { strace })
    } else {
        Err(complaint.trim().to_owned())
    }
}
