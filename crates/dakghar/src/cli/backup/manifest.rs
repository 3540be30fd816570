//! What a backup says of itself.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};

use super::files::{SECRETS, STORE, copy_private, sync};
use crate::cli::output;
use crate::wiring::backup::{self, Copied, Measure};

/// The name of the manifest, in the folder of a backup.
const MANIFEST: &str = "manifest.json";
/// The form of the manifest. A change that older releases would misunderstand raises it.
const FORMAT: u32 = 1;

/// What is in a backup, and how to see that it is whole.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::cli) struct Manifest {
    format: u32,
    /// When it was begun; what was written later is not in it.
    pub taken_at: String,
    /// The release that made it.
    pub release: String,
    /// The steps that the schema of the store has taken.
    pub schema: usize,
    /// The size of the store's file.
    pub bytes: u64,
    sha256: String,
    /// The secrets that are in it.
    pub secrets: Vec<String>,
    /// The rows of each table.
    rows: Vec<Rows>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Rows {
    table: String,
    rows: u64,
}

impl Manifest {
    pub(super) fn new(copied: Copied, secrets: Vec<String>) -> Self {
        let rows = copied.rows.into_iter().map(|(table, rows)| Rows { table, rows });
        Self {
            format: FORMAT,
            taken_at: copied.at.to_string(),
            release: env!("CARGO_PKG_VERSION").to_owned(),
            schema: copied.schema,
            bytes: copied.measure.bytes,
            sha256: copied.measure.sha256,
            secrets,
            rows: rows.collect(),
        }
    }

    pub(super) fn write(&self, folder: &Path) -> anyhow::Result<()> {
        let file = folder.join(MANIFEST);
        let text = serde_json::to_string_pretty(self).expect("a manifest is JSON");
        let written = fs::write(&file, text + "\n")
            .and_then(|()| fs::set_permissions(&file, Permissions::from_mode(0o600)))
            .and_then(|()| sync(&file));
        written.with_context(|| format!("{} cannot be written", file.display()))
    }

    /// Reads the manifest of a backup, and compares the store with it byte by byte.
    pub(in crate::cli) fn of(folder: &Path) -> anyhow::Result<Self> {
        let file = folder.join(MANIFEST);
        let text = fs::read_to_string(&file).with_context(|| {
            format!(
                "{} cannot be read: that is not a folder that `dakghar backup` has made",
                file.display()
            )
        })?;
        let manifest: Self =
            serde_json::from_str(&text).with_context(|| format!("{} cannot be understood", file.display()))?;
        if manifest.format != FORMAT {
            bail!(
                "{} was made by a newer release ({}): restore it with that",
                folder.display(),
                manifest.release
            );
        }
        let store = folder.join(STORE);
        let Measure { bytes, sha256 } = backup::measure(&store)?;
        if (bytes, &sha256) != (manifest.bytes, &manifest.sha256) {
            bail!(
                "{} is damaged: it has {bytes} bytes with the SHA-256 {sha256}, and had {} with {} when it was made. Use \
                 another backup; nothing was changed.",
                store.display(),
                manifest.bytes,
                manifest.sha256
            );
        }
        Ok(manifest)
    }

    /// Puts back the secrets that are in the backup, where none are. Returns the names of those that another one stands
    /// in the way of.
    pub(in crate::cli) fn restore_secrets(&self, folder: &Path, data_dir: &Path) -> anyhow::Result<Vec<&str>> {
        let mut others = Vec::new();
        for name in self.secrets.iter().filter(|name| SECRETS.contains(&name.as_str())) {
            let (from, to) = (folder.join(name), data_dir.join(name));
            if !to.exists() {
                copy_private(&from, &to)?;
            } else if fs::read(&from)? != fs::read(&to)? {
                others.push(name.as_str());
            }
        }
        Ok(others)
    }

    pub(in crate::cli) fn print_rows(&self) {
        let with_rows = self.rows.iter().filter(|of| of.rows > 0);
        let rows: Vec<_> = with_rows
            .map(|of| vec![of.table.clone(), of.rows.to_string()])
            .collect();
        output::table(&["TABLE", "ROWS"], &rows);
    }
}
