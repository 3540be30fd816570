//! The stores on MongoDB, for installations of many machines.
//!
//! Every write waits for a majority with its journal, and every batch is one command. A message, a conversation, a tenant
//! and an event are one document each; what is told of one in the feed is written with it in one
//! transaction, or, of a change of a message, announced before it. What a message
//! may become is decided in the core; this folder only keeps the result under optimistic versioning.
//!
//! A write whose answer is lost is looked up before anybody is told that it failed: an insert by its id, a save by
//! the random id it leaves in the document.

mod aging;
mod announcements;
mod apps;
mod audit;
mod callbacks;
mod clock;
mod collections;
mod connect;
mod contents;
mod conversations;
mod deletes;
mod departures;
mod documents;
mod endpoints;
mod erasure;
mod events;
mod failure;
mod feed;
mod forgotten;
mod health;
mod holds;
mod indexes;
mod inserts;
mod installation;
mod listeners;
mod lists;
mod messages;
mod operators;
mod opt_outs;
mod options;
mod pages;
mod people_erased;
mod promises;
mod reads;
mod redrives;
mod replaces;
mod sharing;
mod signups;
mod statuses;
mod target;
mod tenants;
mod timers;
mod transactions;
mod updates;

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use bson::RawDocumentBuf;
use mongodb::{Collection, Database};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio_util::task::AbortOnDropHandle;

pub use clock::MongoClock;
pub use connect::ConnectError;
pub use options::MongoOptions;

use announcements::Announcements;
use audit::AuditLog;
use collections::RETENTION;
use failure::Failure;
use promises::Promises;

/// Messages, tenants and events in one MongoDB database.
#[derive(Debug)]
pub struct MongoStore {
    database: Database,
    messages: Collection<RawDocumentBuf>,
    conversations: Collection<RawDocumentBuf>,
    statuses: Collection<RawDocumentBuf>,
    events: Collection<RawDocumentBuf>,
    feed: Collection<RawDocumentBuf>,
    feed_arrivals: Collection<RawDocumentBuf>,
    feed_aside: Collection<RawDocumentBuf>,
    feed_attendants: Collection<RawDocumentBuf>,
    tenants: Collection<RawDocumentBuf>,
    redrives: Collection<RawDocumentBuf>,
    erasures: Collection<RawDocumentBuf>,
    opt_outs: Collection<RawDocumentBuf>,
    signups: Collection<RawDocumentBuf>,
    departures: Collection<RawDocumentBuf>,
    apps: Collection<RawDocumentBuf>,
    audit: AuditLog,
    operators: Collection<RawDocumentBuf>,
    installation: Collection<RawDocumentBuf>,
    endpoints: Collection<RawDocumentBuf>,
    callback_progress: Collection<RawDocumentBuf>,
    callback_exceptions: Collection<RawDocumentBuf>,
    callback_attempts: Collection<RawDocumentBuf>,
    place: String,
    options: MongoOptions,
    clock: Arc<MongoClock>,
    promises: Arc<Promises>,
    announcements: Mutex<Announcements>,
    /// Entries that have no place yet were written here.
    arrived: Notify,
    /// True when the conversations touched last were nearly all new.
    conversations_are_new: AtomicBool,
    /// True when there were repetitions among the messages received last.
    messages_repeat: AtomicBool,
    /// True when there were repetitions among the reports recorded last.
    statuses_repeat: AtomicBool,
    /// True when there were repetitions among the events recorded last.
    events_repeat: AtomicBool,
    _followers: Vec<AbortOnDropHandle<()>>,
}

impl MongoStore {
    /// The documents of the retention: the time by which age is judged, and how far contents were removed.
    fn retention(&self) -> Collection<RawDocumentBuf> {
        self.database.collection(RETENTION)
    }

    /// The server's clock.
    pub fn clock(&self) -> Arc<MongoClock> {
        self.clock.clone()
    }

    /// Where it is, for people: the servers and the database, without user and password.
    pub fn place(&self) -> &str {
        &self.place
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
