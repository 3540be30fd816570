//! The stores on MongoDB, for installations of many machines.
//!
//! Every write waits for a majority with its journal, and every batch is one command. Nothing here needs a
//! transaction: a message, a thread, a tenant and an event are one document each. What a message may become is
//! decided in the core; this folder only keeps the result under optimistic versioning.
//!
//! A write whose answer is lost is looked up before anybody is told that it failed: an insert by its id, a save by
//! the random id it leaves in the document.

mod clock;
mod collections;
mod connect;
mod documents;
mod events;
mod failure;
mod indexes;
mod inserts;
mod messages;
mod promises;
mod reads;
mod sharing;
mod target;
mod tenants;
mod updates;

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use bson::{RawDocumentBuf, doc};
use dakghar_core::ports::StoreError;
use mongodb::{Collection, Database};
use tokio_util::task::AbortOnDropHandle;

pub use clock::MongoClock;
pub use connect::{ConnectError, MongoOptions};

use collections::HEALTH;
use failure::Failure;
use promises::Promises;

/// Messages, tenants and events in one MongoDB database.
#[derive(Debug)]
pub struct MongoStore {
    database: Database,
    messages: Collection<RawDocumentBuf>,
    conversations: Collection<RawDocumentBuf>,
    events: Collection<RawDocumentBuf>,
    tenants: Collection<RawDocumentBuf>,
    place: String,
    options: MongoOptions,
    clock: Arc<MongoClock>,
    promises: Arc<Promises>,
    /// Whether the threads touched last were nearly all new.
    threads_are_new: AtomicBool,
    /// Whether there were repetitions among the messages received last.
    messages_repeat: AtomicBool,
    _followers: Vec<AbortOnDropHandle<()>>,
}

impl MongoStore {
    /// The server's clock.
    pub fn clock(&self) -> Arc<MongoClock> {
        self.clock.clone()
    }

    /// Where it is, for people: the servers and the database, without user and password.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// Whether the store keeps its promises: every index is there, no migration into it is under way, and a write
    /// reaches a majority. The error says what is wrong.
    pub async fn check_ready(&self) -> Result<(), StoreError> {
        self.promises.look().await?;
        self.refuse_half_an_installation().await?;
        let health = self.database.collection::<RawDocumentBuf>(HEALTH);
        let write = health
            .update_one(doc! { "_id": "write" }, doc! { "$currentDate": { "at": true } })
            .upsert(true);
        match self.bounded(self.options.write_timeout, async { write.await }).await {
            Ok(_) => Ok(()),
            // Two processes created the document at the same time; the other one's write is as good a proof.
            Err(failure) if failure.is_duplicate_key() => Ok(()),
            Err(failure) => Err(failure.to_store_error()),
        }
    }

    /// Runs an operation for at most `limit`. The driver has no such bound of its own once a connection is used.
    async fn bounded<T>(
        &self,
        limit: Duration,
        operation: impl Future<Output = mongodb::error::Result<T>> + Send,
    ) -> Result<T, Failure> {
        match tokio::time::timeout(limit, operation).await {
            Ok(result) => result.map_err(Failure::Driver),
            Err(_) => Err(Failure::TimedOut(limit)),
        }
    }
}
