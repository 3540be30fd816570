//! Both ends of a move from the embedded to the distributed backend.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use dakghar_adapters::local::RandomIds;
use dakghar_adapters::mongo::{MongoOptions, MongoStore};
use dakghar_adapters::sqlite::{OpenError, SqliteSource};
use dakghar_core::app::migrating::Migrator;
use dakghar_core::domain::Secret;

use super::keys;
use crate::config::keys::Keys;
use crate::config::{Backend, Config};
use crate::secrets::MASTER_KEY_FILE;

/// The time that MongoDB may take for a page of records, or for counting all of them.
const MIGRATION_TIMEOUT: Duration = Duration::from_mins(2);
/// The time that MongoDB may take to be reachable.
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);

/// Both ends of a migration.
pub struct MigrationEnds {
    /// The use case.
    pub migrator: Migrator,
    /// The same with a vault that knows the present master key only.
    pub strict: Migrator,
    /// The database file that is left.
    pub file: PathBuf,
    /// The file that is left beside it in the end.
    pub mark: PathBuf,
    /// The file of the generated master key, if there is one and it is not the key that was configured.
    pub key_file: Option<PathBuf>,
    /// True if the key in that file opens what is in the source.
    pub does_key_file_open: bool,
    /// True if the configured master key is the generated one in the folder.
    pub is_key_in_folder: bool,
}

/// Opens an embedded installation to leave it, and the store it moves to. With `is_dry_run` nothing is created there.
pub async fn wire_migration(config: &Config, folder: &Path, is_dry_run: bool) -> anyhow::Result<MigrationEnds> {
    let Backend::Distributed { mongo_uri, .. } = &config.storage.backend else {
        bail!("MONGO_URI is not set");
    };
    let master_key = config.keys.master_key.as_ref();
    let metrics = Arc::default();
    let source = open_source(folder)?;
    if source.is_held().await? {
        bail!(
            "all sending of {} is held, and a hold does not move: `dakghar release` it, and start the new installation \
             with --hold",
            source.file().display()
        );
    }
    let target = connect_target(mongo_uri, is_dry_run).await?;
    let file = source.file().to_owned();
    let mark = source.mark();
    let folder = file.parent().unwrap_or(Path::new("."));
    let origin = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let migrator = Migrator {
        source,
        successor: target.place().to_owned(),
        clock: target.clock(),
        vault: Arc::new(keys::vault(&config.keys, master_key, &metrics)?.vault),
        ids: Arc::new(RandomIds::new(target.clock())),
        target,
        origin: origin.display().to_string(),
    };
    let present_only = Keys {
        master_key_previous: None,
        previous: None,
        ..config.keys.clone()
    };
    let key_file = folder.join(MASTER_KEY_FILE);
    let key_in_folder = std::fs::read_to_string(&key_file).ok();
    let is_key_in_folder =
        key_in_folder.as_deref().map(str::trim) == master_key.map(Secret::reveal) && master_key.is_some();
    let other_key = key_in_folder.filter(|_| !is_key_in_folder);
    let does_key_file_open = match &other_key {
        Some(key) => does_open(&migrator, key.trim()).await,
        None => false,
    };
    Ok(MigrationEnds {
        strict: Migrator {
            vault: Arc::new(keys::vault(&present_only, master_key, &metrics)?.vault),
            ..migrator.clone()
        },
        migrator,
        file,
        mark,
        key_file: other_key.map(|_| key_file),
        does_key_file_open,
        is_key_in_folder,
    })
}

fn open_source(folder: &Path) -> anyhow::Result<Arc<SqliteSource>> {
    SqliteSource::open(folder).map_err(|error| match error {
        OpenError::InUse { .. } => {
            anyhow::anyhow!("{error}. Stop it first: nothing may change while the installation is copied.")
        }
        error => error.into(),
    })
}

async fn connect_target(mongo_uri: &Secret, is_dry_run: bool) -> anyhow::Result<Arc<MongoStore>> {
    let options = MongoOptions {
        connect_patience: CONNECT_PATIENCE,
        write_timeout: MIGRATION_TIMEOUT,
        reread_timeout: MIGRATION_TIMEOUT,
        read_timeout: MIGRATION_TIMEOUT,
        prepare: !is_dry_run,
        ..MongoOptions::default()
    };
    Ok(MongoStore::connect(mongo_uri.reveal(), options).await?)
}

/// True if this master key opens what is in the source.
async fn does_open(migrator: &Migrator, master_key: &str) -> bool {
    let Ok(vault) = keys::local_vault(&Secret::new(master_key)) else {
        return false;
    };
    let by_this_key = Migrator {
        vault: Arc::new(vault),
        ..migrator.clone()
    };
    by_this_key.check_key().await.is_ok()
}
