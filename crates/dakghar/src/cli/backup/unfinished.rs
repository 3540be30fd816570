//! The folder in which a backup is made before it has its name.

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use super::files::sync;

/// A folder beside the one to be made, locked by this process. A backup that was killed leaves it, and never half a backup
/// under its name; the next one under that name begins with it.
pub(super) struct Unfinished {
    path: PathBuf,
    // Held until the folder has its name.
    _lock: File,
}

impl Unfinished {
    /// Makes it, or empties the one that a killed backup left.
    pub(super) fn begin(folder: &Path) -> anyhow::Result<Self> {
        let name = folder.file_name().context("the folder of the backup has no name")?;
        let path = parent(folder).join(format!(".{}.unfinished", name.to_string_lossy()));
        let cannot = || format!("{} cannot be made", path.display());
        match DirBuilder::new().mode(0o700).create(&path) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error).with_context(cannot),
            _ => {}
        }
        let lock = File::open(&path).with_context(cannot)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => bail!("another backup is making {} now", folder.display()),
            Err(TryLockError::Error(error)) => return Err(error).with_context(cannot),
        }
        // The other one may have ended between the two lines above, and then what is locked is its whole backup.
        let is_same = path
            .metadata()
            .is_ok_and(|found| lock.metadata().is_ok_and(|locked| found.ino() == locked.ino()));
        if !is_same {
            bail!("another backup has just made {}", folder.display());
        }
        for left in fs::read_dir(&path).with_context(cannot)? {
            fs::remove_file(left.with_context(cannot)?.path()).with_context(cannot)?;
        }
        Ok(Self { path, _lock: lock })
    }

    /// Returns where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Gives it its name, durably.
    pub(super) fn finish(self, folder: &Path) -> anyhow::Result<()> {
        let moved = fs::rename(&self.path, folder).and_then(|()| sync(parent(folder)));
        moved.with_context(|| format!("{} cannot be made", folder.display()))
    }

    /// Removes it after a failure.
    pub(super) fn discard(self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// The folder that a path is in.
pub(super) fn parent(folder: &Path) -> &Path {
    let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty());
    parent.unwrap_or(Path::new("."))
}
