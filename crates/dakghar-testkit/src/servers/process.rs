//! A server as a child process: started, killed, stopped, continued, started again on the same port and data.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::Server;
use crate::Port;

/// How long a server may take to answer; generous, because a test machine can be very busy.
const START_SECONDS_MAX: u64 = 90;
/// How often a server is started on another port when somebody else took the first one.
const PORTS_TRIED_MAX: usize = 5;

/// What a server must be told to run on `port` with its data in `folder`, and how to ask it whether it runs.
pub(super) trait Kind: Send + Sync {
    const SERVER: Server;

    fn arguments(&self, port: u16, folder: &Path) -> Vec<String>;

    /// Variables that it is started with, besides those of the test.
    fn environment(&self) -> &[(String, String)] {
        &[]
    }

    /// The process id that the server on this port reports; `None` while there is no answer.
    async fn answering_pid(port: u16) -> Option<u32>;
}

/// A running (or killed) server.
pub(super) struct Process<K> {
    kind: K,
    port: Port,
    folder: PathBuf,
    child: Child,
}

impl<K: Kind> Process<K> {
    /// Starts the server on a free port and waits until it answers. A guard kills it and removes `folder` when the
    /// process `owner` is gone, or the folder.
    pub(super) async fn start(mut kind: K, folder: &Path, owner: u32) -> Self {
        guard(folder, owner);
        let mut last_log = String::new();
        for _ in 0..PORTS_TRIED_MAX {
            let port = Port::claim();
            let mut process = Self {
                child: spawn(&kind, port.number(), folder),
                kind,
                port,
                folder: folder.to_owned(),
            };
            if process.is_ready().await {
                return process;
            }
            last_log = process.log();
            kind = process.kind;
        }
        panic!(
            "{} does not start; the end of its log:\n{last_log}",
            K::SERVER.program()
        );
    }

    pub(super) const fn port(&self) -> u16 {
        self.port.number()
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Kills the server as `kill -9` does and waits until it is gone.
    pub(super) fn kill(&mut self) {
        // An error means that it is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Sends a signal by its name, such as `STOP`.
    pub(super) fn signal(&self, name: &str) {
        let sent = Command::new("sh")
            .args(["-c", "kill -s \"$1\" \"$2\"", "sh", name, &self.pid().to_string()])
            .status();
        assert!(sent.is_ok_and(|status| status.success()), "cannot send SIG{name}");
    }

    /// Kills the server if it still runs and starts it on the same port and data.
    pub(super) async fn restart(&mut self) {
        self.kill();
        self.child = spawn(&self.kind, self.port(), &self.folder);
        assert!(self.is_ready().await, "does not start again:\n{}", self.log());
    }

    /// Waits for an answer of this very process; `false` when it ended instead.
    async fn is_ready(&mut self) -> bool {
        for _ in 0..START_SECONDS_MAX * 50 {
            if K::answering_pid(self.port()).await == Some(self.pid()) {
                return true;
            }
            if !matches!(self.child.try_wait(), Ok(None)) {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.kill();
        false
    }

    fn log(&self) -> String {
        let log = std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(15)..].join("\n")
    }
}

/// A library by which a program does not wait for its disk. Tests kill servers and no machines, and what a killed server has
/// written is there all the same; a disk that stalls under many servers makes a test fail for nothing. Where it is not
/// installed, the loader says so in the log and goes on.
pub(super) const WITHOUT_SYNC: &str = "libeatmydata.so.1";

/// The process that was started with this argument, for a server that does not tell its process id.
pub(super) fn pid_with_argument(wanted: &str) -> Option<u32> {
    let processes = std::fs::read_dir("/proc").ok()?.flatten();
    processes
        .filter_map(|process| process.file_name().to_str()?.parse::<u32>().ok())
        .find(|pid| {
            let arguments = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            arguments.split(|byte| *byte == 0).any(|one| one == wanted.as_bytes())
        })
}

fn spawn<K: Kind>(kind: &K, port: u16, folder: &Path) -> Child {
    let program = K::SERVER.program();
    let path = K::SERVER
        .find()
        .unwrap_or_else(|| panic!("{program} is not installed: run scripts/install-services.sh"));
    let log = File::options()
        .create(true)
        .append(true)
        .open(folder.join("log"))
        .expect("the folder of the server can be written");
    let child = Command::new(path)
        .args(kind.arguments(port, folder))
        .envs(kind.environment().iter().cloned())
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("a file handle can be copied"))
        .stderr(log)
        // Out of reach of a Ctrl-C that is meant for the tests; the guard sees to its end.
        .process_group(0)
        .spawn()
        .unwrap_or_else(|error| panic!("{program} cannot be started: {error}"));
    std::fs::write(folder.join("pid"), child.id().to_string()).expect("the folder of the server can be written");
    child
}

/// Ends the server and its data when the owner is gone, even when the owner was killed and could not clean up.
fn guard(folder: &Path, owner: u32) {
    // Where nobody collects dead processes, the dead owner still has its number.
    const SCRIPT: &str = "lives() { kill -0 \"$1\" 2>/dev/null && ! grep -qs '^State:.*Z' \"/proc/$1/status\"; }
        while lives \"$1\" && [ -d \"$2\" ]; do sleep 1; done
        [ -f \"$2/pid\" ] && kill -9 \"$(cat \"$2/pid\")\" 2>/dev/null
        rm -rf \"$2\"";
    let guard = Command::new("sh")
        .args(["-c", SCRIPT, "sh", &owner.to_string()])
        .arg(folder)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn();
    // Nobody waits for it: it ends by itself, later than this process or with it.
    drop(guard.expect("a shell can be started"));
}
