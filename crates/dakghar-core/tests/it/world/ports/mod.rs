//! The ports of one life of a process: the memory ports at the far end of a wire.

mod announcing;
mod audit;
mod callbacks;
mod clock;
mod conversations;
mod departures;
mod events;
mod feed;
mod graph;
mod keys;
mod listeners;
mod lists;
mod messages;
mod opt_outs;
mod pacer;
pub mod queue;
mod redrives;
mod signups;
mod spool;
mod statuses;
mod tenants;
mod timers;
mod whole;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use dakghar_core::domain::{MessageKey, TenantId};
use dakghar_core::ports::{ArrivalStore, OutcomeSpool, Ports, StoreError};
use dakghar_core::traces::Traces;
use dakghar_testkit::TestClock;
use dakghar_testkit::memory::{
    MemoryDisk, MemoryNumbers, MemoryOnboarding, MemoryPacer, MemoryQuota, MemoryReceivers, MemoryStore, MemoryTokens,
    NoNews, installation_secrets, vault_over,
};
use futures_util::FutureExt as _;
use parking_lot::Mutex;

use super::executor::Life;
use super::meta::Meta;
use super::process::{Gateways, owner};
use super::signal::Signal;
use super::wire::Wire;
use crate::promises::Promises;

pub use clock::{NearClock, SeededIds, Walls};
pub use listeners::UNREADABLE;
pub use queue::{RedisQueue, TableQueue};

/// What all processes share.
#[derive(Clone)]
pub struct Shared {
    pub wire: Wire,
    pub clock: Arc<TestClock>,
    pub walls: Arc<Walls>,
    pub ids: Arc<SeededIds>,
    pub store: Arc<MemoryStore>,
    /// The disk of the machine on which all processes are.
    pub disk: Arc<MemoryDisk>,
    pub redis: Arc<RedisQueue>,
    pub pacer: Arc<MemoryPacer>,
    pub quota: Arc<MemoryQuota>,
    pub meta: Arc<Meta>,
    /// Who is called back.
    pub receivers: Arc<MemoryReceivers>,
    /// What Meta says of access tokens.
    pub tokens: MemoryTokens,
    /// Meta's side of connecting numbers.
    pub onboarding: MemoryOnboarding,
    pub gateways: Arc<Gateways>,
    pub promises: Arc<Promises>,
    /// Tenants whose records nobody can read.
    pub unreadable: Arc<Mutex<BTreeSet<TenantId>>>,
    /// Messages that nobody can read.
    pub unreadable_messages: Arc<Mutex<BTreeSet<MessageKey>>>,
    /// Tenants whose entries cannot be placed.
    pub poisoned: Arc<Mutex<BTreeSet<TenantId>>>,
    /// Since when lives have seen that something is announced, by their uptime.
    pub announced: Arc<Mutex<Announced>>,
    /// Tells that a message may have become due.
    pub queued: Signal,
}

/// Since when lives have seen what is announced, by their uptime.
pub type Announced = BTreeMap<(Life, Arc<str>), Duration>;

/// What one life of a process calls the world with.
#[derive(Clone)]
pub struct Near {
    pub shared: Shared,
    pub life: Life,
    pub clock: Arc<NearClock>,
}

/// Where a process finds its due messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueKind {
    /// In the table of messages: the embedded backend.
    Table,
    /// In a server beside the store, a minute ahead: the distributed one.
    Redis,
}

/// The ports of this life.
pub fn ports(shared: &Shared, life: Life, queue: QueueKind) -> Ports {
    let clock = Arc::new(NearClock::new(shared, life));
    let near = Near {
        shared: shared.clone(),
        life,
        clock: clock.clone(),
    };
    Ports {
        messages: Arc::new(near.clone()),
        statuses: Arc::new(near.clone()),
        timers: Arc::new(near.clone()),
        conversations: Arc::new(near.clone()),
        lists: Arc::new(near.clone()),
        tenants: Arc::new(near.clone()),
        events: Arc::new(near.clone()),
        feed: Arc::new(near.clone()),
        arrivals: (queue == QueueKind::Redis).then(|| Arc::new(near.clone()) as Arc<dyn ArrivalStore>),
        news: Arc::new(NoNews),
        listeners: Arc::new(near.clone()),
        apps: shared.store.clone(),
        operators: shared.store.clone(),
        installation: shared.store.clone(),
        endpoints: shared.store.clone(),
        callbacks: Arc::new(near.clone()),
        receivers: shared.receivers.clone(),
        redrives: Arc::new(near.clone()),
        audit: Arc::new(near.clone()),
        holds: shared.store.clone(),
        store_health: Arc::new(near.clone()),
        erasure: Arc::new(near.clone()),
        opt_outs: Arc::new(near.clone()),
        person_erasures: shared.store.clone(),
        signups: Arc::new(near.clone()),
        departures: Arc::new(near.clone()),
        queue: match queue {
            QueueKind::Table => Arc::new(TableQueue::new(near.clone())),
            QueueKind::Redis => Arc::new(queue::RedisClient::new(near.clone())),
        },
        pacer: Arc::new(near.clone()),
        quota: shared.quota.clone(),
        spool: (queue == QueueKind::Redis).then(|| {
            shared.disk.begin(&owner(life));
            Arc::new(near.clone()) as Arc<dyn OutcomeSpool>
        }),
        messages_api: Arc::new(near.clone()),
        numbers_api: Arc::new(MemoryNumbers::default()),
        tokens_api: Arc::new(shared.tokens.clone()),
        onboarding_api: Arc::new(shared.onboarding.clone()),
        webhooks: shared.meta.clone(),
        vault: vault_over(Arc::new(near.clone())),
        secrets: installation_secrets(),
        clock,
        sleeper: Arc::new(near),
        ids: shared.ids.clone(),
        metrics: Arc::default(),
        traces: Traces::default(),
    }
}

/// The answer of a memory port, which never waits.
pub fn at_once<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().expect("memory ports answer at once")
}

/// What a caller is told of a store that did not answer.
fn away() -> StoreError {
    StoreError::Unavailable("the simulated store is away".into())
}
