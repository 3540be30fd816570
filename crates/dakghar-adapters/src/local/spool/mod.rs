//! Outcomes in files of `DATA_DIR`, one file for each start of a process.
//!
//! A process holds the lock of its file as long as it lives; a file that nobody has locked was left behind. The file gets
//! its name only when it is locked, so nobody takes a new one for an old one. It is for the owner only.

mod record;

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use dakghar_core::ports::{OutcomeSpool, SpoolError, SpooledOutcome};
use parking_lot::Mutex;

/// The first bytes of every file. A later format begins with others.
const HEADER: &[u8] = b"DKSPOOL1";
const PREFIX: &str = "outcomes-";
const SUFFIX: &str = ".spool";
/// The most bytes that one process keeps. An outcome has some 300, or 6,000 with long texts of an error.
pub const FILE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The outcomes that this process keeps, and those that others have left behind in the same folder.
pub struct FileSpool {
    folder: PathBuf,
    name: Arc<str>,
    own: Arc<Mutex<Own>>,
}

/// The file of this process.
struct Own {
    path: PathBuf,
    file: File,
    /// Its length, without what a failed write may have left.
    bytes: u64,
    /// Outcomes that the store has not taken.
    unsettled: usize,
    is_broken: bool,
}

impl FileSpool {
    /// Makes the file of this process in the folder, which is made if it is missing. `id` differs for every start of a
    /// process, whatever its machine.
    pub fn start(folder: &Path, id: &str) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let name = format!("{PREFIX}{id}{SUFFIX}");
        let (aside, path) = (folder.join(format!(".{name}")), folder.join(&name));
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&aside)?;
        let named = file.lock().and_then(|()| {
            file.write_all(HEADER)?;
            file.sync_all()?;
            fs::rename(&aside, &path)?;
            File::open(folder)?.sync_all()
        });
        if let Err(error) = named {
            let _ = fs::remove_file(&aside);
            return Err(error);
        }
        let own = Own {
            path,
            file,
            bytes: HEADER.len() as u64,
            unsettled: 0,
            is_broken: false,
        };
        Ok(Self {
            folder: folder.to_owned(),
            name: name.into(),
            own: Arc::new(Mutex::new(own)),
        })
    }
}

impl Own {
    fn keep(&mut self, outcomes: &[SpooledOutcome]) -> Result<(), SpoolError> {
        if self.is_broken {
            return Err(SpoolError::Broken("its file cannot be trusted any more".into()));
        }
        let mut bytes = Vec::with_capacity(outcomes.len() * 512);
        for outcome in outcomes {
            record::append(&mut bytes, outcome);
        }
        let length = self.bytes + bytes.len() as u64;
        if length > FILE_BYTES_MAX as u64 {
            return Err(SpoolError::Full("this process keeps 16 MiB of them".into()));
        }
        let written = self
            .file
            .seek(SeekFrom::Start(self.bytes))
            .and_then(|_| self.file.write_all(&bytes));
        if let Err(error) = written {
            // Half an outcome would hide those behind it.
            self.is_broken = self.file.set_len(self.bytes).is_err();
            return Err(match error.kind() {
                ErrorKind::StorageFull | ErrorKind::QuotaExceeded => SpoolError::Full(text(&error)),
                _ => SpoolError::Broken(text(&error)),
            });
        }
        // Once this has failed nobody knows what is on the disk, and the next success would say nothing about it.
        self.file.sync_data().map_err(|error| {
            self.is_broken = true;
            SpoolError::Broken(text(&error))
        })?;
        self.bytes = length;
        self.unsettled += outcomes.len();
        Ok(())
    }

    fn settle(&mut self, count: usize) {
        self.unsettled = self.unsettled.saturating_sub(count);
        if self.unsettled == 0 && self.bytes > HEADER.len() as u64 && !self.is_broken {
            match self.file.set_len(HEADER.len() as u64) {
                Ok(()) => self.bytes = HEADER.len() as u64,
                // It is replayed, which is harmless.
                Err(_) => self.is_broken = true,
            }
        }
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        if self.unsettled == 0 {
            // What stays is looked at by the next start.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Reads a file that nobody has locked.
fn read(path: &Path, part: &str) -> Result<Vec<SpooledOutcome>, SpoolError> {
    let unreadable = |error: io::Error| SpoolError::Unreadable(text(&error));
    let mut file = match File::open(path) {
        // Another process was faster.
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        opened => opened.map_err(unreadable)?,
    };
    let mut bytes = Vec::new();
    let whole = (&mut file).take(FILE_BYTES_MAX as u64).read_to_end(&mut bytes);
    whole.map_err(unreadable)?;
    let Some(outcomes) = bytes.strip_prefix(HEADER) else {
        let error = "it is not of the format of this release";
        return Err(SpoolError::Unreadable(error.into()));
    };
    let found = record::read(outcomes);
    let outcomes = found.outcomes.len();
    if found.damaged > 0 {
        let bytes = found.damaged;
        tracing::warn!(
            part,
            bytes,
            outcomes,
            "a file of Meta's answers is damaged; those before and behind the damage are stored"
        );
    }
    if found.torn > 0 {
        let bytes = found.torn;
        tracing::warn!(
            part,
            bytes,
            outcomes,
            "the end of a file of Meta's answers is torn, as after a crash; what is before it is stored"
        );
    }
    Ok(found.outcomes)
}

/// True if no living process has the file.
fn is_left_behind(path: &Path) -> bool {
    let Ok(file) = File::open(path) else { return false };
    // Where files cannot be locked, no process could make one of its own either.
    file.try_lock().is_ok()
}

fn list(folder: &Path, own: &str) -> io::Result<Vec<Arc<str>>> {
    let mut parts = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let Some(name) = name.to_str() else { continue };
        let is_part = name.starts_with(PREFIX) && name.ends_with(SUFFIX) && name != own;
        if is_part && is_left_behind(&folder.join(name)) {
            parts.push(Arc::from(name));
        }
    }
    parts.sort();
    Ok(parts)
}

fn text(error: &io::Error) -> Arc<str> {
    error.to_string().into()
}

/// Runs on a thread on which waiting for a disk holds nobody else up.
async fn on_disk<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    #[expect(clippy::disallowed_methods, reason = "one write and one look at a time")]
    let working = tokio::task::spawn_blocking(work);
    working.await.expect("it does not panic, and nobody stops it")
}

#[async_trait]
impl OutcomeSpool for FileSpool {
    async fn keep(&self, outcomes: &[SpooledOutcome]) -> Result<(), SpoolError> {
        let (own, outcomes) = (self.own.clone(), outcomes.to_vec());
        on_disk(move || own.lock().keep(&outcomes)).await
    }

    async fn settle(&self, count: usize) {
        let own = self.own.clone();
        on_disk(move || own.lock().settle(count)).await;
    }

    async fn left_behind(&self) -> Result<Vec<Arc<str>>, SpoolError> {
        let (folder, own) = (self.folder.clone(), self.name.clone());
        let listed = on_disk(move || list(&folder, &own)).await;
        listed.map_err(|error| SpoolError::Unreadable(text(&error)))
    }

    async fn read(&self, part: &str) -> Result<Vec<SpooledOutcome>, SpoolError> {
        let (path, part) = (self.folder.join(part), part.to_owned());
        on_disk(move || read(&path, &part)).await
    }

    async fn forget(&self, part: &str) -> Result<(), SpoolError> {
        let path = self.folder.join(part);
        on_disk(move || match fs::remove_file(path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(SpoolError::Unreadable(text(&error))),
            _ => Ok(()),
        })
        .await
    }
}
