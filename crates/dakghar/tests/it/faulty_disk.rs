//! Disks that are full, broken or slow, as far as this machine lets a test make one.

use std::io::Read as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A file system in memory, of a size that can be used up.
pub struct SmallDisk {
    folder: tempfile::TempDir,
}

impl SmallDisk {
    /// Mounts it; the error says why that is not possible here.
    pub fn mount(megabytes: u32) -> Result<Self, String> {
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

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Uses up what is left.
    pub fn fill(&self) {
        let ballast = format!("of={}", self.path().join("ballast").display());
        // It fails when nothing is left, as it should.
        let _ = Command::new("dd")
            .args(["if=/dev/zero", &ballast, "bs=64k"])
            .stderr(Stdio::null())
            .status();
    }

    /// Gives back what [`SmallDisk::fill`] used up.
    pub fn free(&self) {
        std::fs::remove_file(self.path().join("ballast")).expect("the ballast is there");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

/// A process whose system calls are tampered with, until this is dropped.
pub struct Tampered {
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
pub fn spoil_fsync(pid: u32) -> Result<Tampered, String> {
    tamper(pid, "error=EIO")
}

/// Every fsync of the process takes longer.
pub fn slow_down_fsync(pid: u32, by: Duration) -> Result<Tampered, String> {
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
