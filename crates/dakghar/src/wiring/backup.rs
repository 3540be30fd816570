//! The embedded store, as the commands that copy it and put it back use it.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use dakghar_adapters::local::SystemClock;
use dakghar_adapters::sqlite;
use dakghar_core::domain::time::Timestamp;
use dakghar_core::ports::Clock as _;

/// A copy of a store.
pub struct Copied {
    /// When it was begun; what was written later is not in it.
    pub at: Timestamp,
    /// The steps that its schema has taken.
    pub schema: usize,
    /// The file.
    pub measure: Measure,
    /// The rows of each table, by name.
    pub rows: Vec<(String, u64)>,
}

/// By what a file is known again.
#[derive(Debug, PartialEq, Eq)]
pub struct Measure {
    /// Its size.
    pub bytes: u64,
    /// Its SHA-256, in hexadecimal.
    pub sha256: String,
}

impl From<&sqlite::FileMeasure> for Measure {
    fn from(measured: &sqlite::FileMeasure) -> Self {
        Self {
            bytes: measured.bytes,
            sha256: hex::encode(&measured.sha256),
        }
    }
}

/// Copies the store in a folder into a new file. `show` is told how far it is, of how much.
pub fn back_up(data_dir: &Path, copy: &Path, show: &dyn Fn(u64, u64)) -> anyhow::Result<Copied> {
    let at = now();
    let contents = sqlite::back_up(data_dir, copy, show)?;
    Ok(Copied {
        at,
        schema: contents.schema,
        measure: Measure::from(&contents.measure),
        rows: contents.rows,
    })
}

/// Reads a file whole.
pub fn measure(copy: &Path) -> anyhow::Result<Measure> {
    let measured = sqlite::measure(copy).with_context(|| format!("{} cannot be read", copy.display()))?;
    Ok(Measure::from(&measured))
}

/// Puts a copy in the place of the store in a folder, held from now on. Returns where the one that was there is kept.
pub fn restore(copy: &Path, data_dir: &Path, replaces: bool) -> anyhow::Result<Option<PathBuf>> {
    Ok(sqlite::restore(copy, data_dir, now(), replaces)?)
}

fn now() -> Timestamp {
    SystemClock::start().present().now
}
