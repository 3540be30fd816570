//! The embedded backend: messages, tenants, events and the queue in one SQLite file.
//!
//! For one machine and one server process; administration commands may open the file beside it. Read in this order:
//! [`open`] (the file), `writer` and `readers` (how work gets to it), `rows` (what a message looks like in it), then
//! one file per port. The queue is the message table itself: [`SqliteQueue`] reads which messages are due and keeps in
//! memory only which of them are out. [`SqliteSource`] is the file opened in order to leave it.
//!
//! Not here: any decision about delivery, and any secret in clear.

mod aging;
mod apps;
mod audit;
mod backup;
mod callbacks;
mod cells;
mod checked;
mod checkpoint;
mod connection;
mod contents;
mod conversations;
mod departures;
mod endpoints;
mod erasure;
mod events;
mod failure;
mod feed;
mod grown;
mod health;
mod holds;
mod installation;
mod key_uses;
mod listeners;
mod lists;
mod messages;
mod migrations;
mod news;
pub mod open;
mod operators;
mod opt_outs;
mod owners;
mod people_erased;
#[cfg(test)]
mod plans;
mod queue;
mod readers;
mod records;
mod redrives;
mod retirement;
mod rows;
mod schema;
mod secrets;
mod signups;
mod source;
mod statuses;
mod tenants;
mod texts;
mod timers;
mod walk;
mod writer;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use dakghar_core::ports::StoreError;

pub use backup::{BackupContents, FileMeasure, back_up, measure, restore};
pub use open::OpenError;
pub use queue::SqliteQueue;
pub use source::SqliteSource;

use crate::told::Told;
use checkpoint::Checkpointer;
use readers::Readers;
use writer::Writer;

/// Connections that serve delivery, unless the options say otherwise.
const DELIVERY_READERS_DEFAULT: u32 = 4;
/// Connections that serve lists. They are apart, so that slow lists never delay delivery.
const LIST_READERS: u32 = 4;

/// Options for opening a store.
#[derive(Clone, Debug)]
pub struct SqliteOptions {
    /// Refuse to open a file that another server uses, and keep other servers away. Off for administration commands,
    /// which may work beside a server.
    pub lock_exclusive: bool,
    /// Connections that read for delivery, 1 to 64.
    pub readers: u32,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self {
            lock_exclusive: true,
            readers: DELIVERY_READERS_DEFAULT,
        }
    }
}

/// Messages, tenants and events in one file.
pub struct SqliteStore {
    file: PathBuf,
    writer: Writer,
    delivery: Readers,
    lists: Readers,
    told: Arc<Told>,
    lock: Option<File>,
}

impl SqliteStore {
    /// Opens the file, or [`open::FILE_NAME`] in the directory, and creates it as needed. With the exclusive lock it also
    /// changes an older schema, after a copy of the file. Blocks for as long as that takes.
    pub fn open(dir_or_file: &Path, options: &SqliteOptions) -> Result<Arc<Self>, OpenError> {
        let file = open::file_of(dir_or_file);
        backup::refuse_unfinished(&file)?;
        open::create(&file)?;
        retirement::refuse(&file)?;
        let lock = options.lock_exclusive.then(|| open::lock(&file)).transpose()?;
        let conn = checked::open_checked(&file, lock.as_ref())?;
        let sql_error = |source| OpenError::sqlite(&file, source);
        let delivery = Readers::open(&file, options.readers.clamp(1, 64)).map_err(sql_error)?;
        let lists = Readers::open(&file, LIST_READERS).map_err(sql_error)?;
        let beside = connection::open_writer(&file).map_err(sql_error)?;
        let told = Arc::<Told>::default();
        let writer = Checkpointer::start(beside)
            .and_then(|checkpointer| Writer::start(conn, checkpointer, told.clone()))
            .map_err(|source| OpenError::Io {
                path: file.clone(),
                source,
            })?;
        Ok(Arc::new(Self {
            file,
            writer,
            delivery,
            lists,
            told,
            lock,
        }))
    }

    /// True if no other process writes to the file but for administration.
    const fn is_alone(&self) -> bool {
        self.lock.is_some()
    }

    /// The database file.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Reads the whole file and returns what is wrong with it; nothing when it is whole. Takes minutes for a large
    /// file, and delays nobody.
    pub async fn integrity_check(&self) -> Result<Vec<String>, StoreError> {
        self.lists
            .run(|conn| Ok(checked::problems(conn, "integrity_check")?))
            .await
    }

    /// Finishes what was asked for, moves everything into the one file and closes it. What is asked for later is
    /// answered with [`StoreError::Unavailable`].
    pub async fn close(&self) {
        self.delivery.close().await;
        self.lists.close().await;
        self.writer.close().await;
    }
}
