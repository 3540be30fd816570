//! The embedded backend: one SQLite file, for one process.

use std::sync::Arc;

use dakghar_adapters::local::SystemClock;
use dakghar_adapters::local::{LocalPacer, LocalQuota};
use dakghar_adapters::sqlite::{SqliteOptions, SqliteQueue, SqliteStore};

use super::backing::{Backing, Beside, Outer};
use super::purpose::Purpose;
use crate::config::Config;
use crate::secrets;

/// Opens the file in `DATA_DIR`, which is made if it is missing.
pub(super) async fn open(config: &Config, purpose: Purpose, outer: Outer) -> anyhow::Result<Backing> {
    let options = SqliteOptions {
        lock_exclusive: purpose != Purpose::Command,
        ..SqliteOptions::default()
    };
    secrets::make_data_dir(&config.storage.data_dir)?;
    let store = SqliteStore::open(&config.storage.data_dir, &options)?;
    let name = format!("embedded (SQLite, {})", store.file().display());
    let clock = Arc::new(SystemClock::start());
    let queue = SqliteQueue::new(store.clone(), clock.clone());
    let quota = Arc::new(LocalQuota::new(clock.clone()));
    let beside = Beside {
        queue: Arc::new(queue),
        pacer: Arc::new(LocalPacer::new()),
        quota,
        news: store.clone(),
        clock,
    };
    Ok(Backing {
        ports: outer.ports(&store, beside, purpose).await?,
        name,
        commits_max: 1,
    })
}

/// Reads the whole file and returns the problems found in it.
pub async fn integrity_check(config: &Config) -> anyhow::Result<Vec<String>> {
    let options = SqliteOptions {
        lock_exclusive: false,
        ..SqliteOptions::default()
    };
    let store = SqliteStore::open(&config.storage.data_dir, &options)?;
    Ok(store.integrity_check().await?)
}
