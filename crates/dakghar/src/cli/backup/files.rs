//! The files in the folder of a backup.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::Context as _;

use crate::secrets::{MASTER_KEY_FILE, VERIFY_TOKEN_FILE};

/// The store.
pub(in crate::cli) const STORE: &str = "dakghar.sqlite3";
/// What was generated into `DATA_DIR`, and is in a backup if it was asked for.
pub(super) const SECRETS: [&str; 2] = [MASTER_KEY_FILE, VERIFY_TOKEN_FILE];

/// Copies a file with its mode, durably.
pub(super) fn copy_private(from: &Path, to: &Path) -> anyhow::Result<()> {
    let copied = fs::copy(from, to).and_then(|_| sync(to));
    copied.with_context(|| format!("{} cannot be copied to {}", from.display(), to.display()))
}

/// Makes a file or folder durable.
pub(super) fn sync(path: &Path) -> std::io::Result<()> {
    match fs::File::open(path)?.sync_all() {
        // Some file systems cannot do that for folders.
        Err(error) if error.kind() == ErrorKind::InvalidInput => Ok(()),
        synced => synced,
    }
}
