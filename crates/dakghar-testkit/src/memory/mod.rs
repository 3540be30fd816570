//! The ports over plain maps, simple enough to be obviously right. For tests of what stands on the ports.
//!
//! Nothing survives the process, and nothing is fast: the maps are searched from end to end.

mod apps;
mod audit;
mod callbacks;
mod conversations;
mod departures;
mod endpoints;
mod erasure;
mod events;
mod feed;
mod health;
mod holds;
mod installation;
mod keys;
mod listeners;
mod lists;
mod messages;
mod migration;
mod news;
mod numbers;
mod onboarding;
mod operators;
mod opt_outs;
mod pacer;
mod person_erasures;
mod queue;
mod quota;
mod receivers;
mod redrives;
mod signups;
mod spool;
mod statuses;
mod tenants;
mod timers;
mod tokens;

use std::collections::BTreeMap;
use std::sync::Arc;

use dakghar_core::domain::audit::{AuditChain, AuditRecord};
use dakghar_core::domain::departure::Departure;
use dakghar_core::domain::hold::SendingHold;
use dakghar_core::domain::installation::SealedSecrets;
use dakghar_core::domain::listening::Listener;
use dakghar_core::domain::message::StatusRecord;
use dakghar_core::domain::meta_app::MetaApp;
use dakghar_core::domain::migration::{Migration, Retirement};
use dakghar_core::domain::page::{Listed, PageFill, PageLimit, Paged};
use dakghar_core::domain::redrive::Redrive;
use dakghar_core::domain::signup::Signup;
use dakghar_core::domain::{
    ApiKeyId, AppId, Conversation, ConversationId, DepartureId, Endpoint, EndpointId, ErasureId, EventId,
    IdempotencyKey, Message, MessageId, OperatorKey, OptOut, OptOutKey, PersonErasure, PhoneNumberId, RedriveId,
    SignupId, Tenant, TenantId, Timestamp, Wamid, WebhookEvent,
};
use dakghar_core::ports::StoreError;
use parking_lot::Mutex;

pub use keys::{MemoryKeys, installation_secrets, vault, vault_over, with_token};
pub use news::{NewsAmong, NoNews, ProcessNews};
pub use numbers::MemoryNumbers;
pub use onboarding::MemoryOnboarding;
pub use pacer::MemoryPacer;
pub use queue::MemoryQueue;
pub use quota::MemoryQuota;
pub use receivers::{Asked, MemoryReceivers, Posted};
pub use spool::{MemoryDisk, MemorySpool};
pub use tokens::MemoryTokens;

/// All store ports in memory, and both ends of a migration.
#[derive(Default)]
pub struct MemoryStore {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    messages: BTreeMap<MessageId, Message>,
    by_key: BTreeMap<(TenantId, IdempotencyKey), MessageId>,
    received: BTreeMap<(PhoneNumberId, Wamid), MessageId>,
    conversations: BTreeMap<ConversationId, Conversation>,
    tenants: BTreeMap<TenantId, Tenant>,
    /// By the ids of the reports.
    statuses: BTreeMap<String, StatusRecord>,
    events: BTreeMap<EventId, WebhookEvent>,
    feeds: feed::Feeds,
    callbacks: callbacks::Callbacks,
    listeners: BTreeMap<Arc<str>, Listener>,
    redrives: BTreeMap<RedriveId, Redrive>,
    erasures: BTreeMap<ErasureId, PersonErasure>,
    signups: BTreeMap<SignupId, Signup>,
    departures: BTreeMap<DepartureId, Departure>,
    apps: BTreeMap<AppId, MetaApp>,
    opt_outs: BTreeMap<(TenantId, OptOutKey), OptOut>,
    operator_keys: BTreeMap<ApiKeyId, OperatorKey>,
    installation: BTreeMap<String, SealedSecrets>,
    audit: BTreeMap<u64, AuditRecord>,
    audit_chain: AuditChain,
    endpoints: BTreeMap<EndpointId, Endpoint>,
    sending_hold: Option<SendingHold>,
    retention_time: Option<Timestamp>,
    /// Of this store as a target.
    migration: Option<Migration>,
    /// Of this store as a source.
    retirement: Option<Retirement>,
    outage: Option<StoreError>,
    hangs: bool,
    stopped: Option<String>,
}

impl MemoryStore {
    /// An empty store, to be used as any of the store ports.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// An empty store whose entries get their places later, as one that several processes write to at once.
    pub fn with_arrivals() -> Arc<Self> {
        let store = Self::new();
        store.state.lock().feeds.has_arrivals = true;
        store
    }

    /// True if entries get their places later.
    pub fn has_arrivals(&self) -> bool {
        self.state.lock().feeds.has_arrivals
    }

    /// From now on every method fails with this error and changes nothing; `None` ends that.
    pub fn fail_with(&self, outage: Option<StoreError>) {
        self.state.lock().outage = outage;
    }

    /// From now on a check of its health has no end.
    pub fn hang(&self) {
        self.state.lock().hangs = true;
    }

    /// From now on it says that it has stopped for good.
    pub fn stop(&self, why: &str) {
        self.state.lock().stopped = Some(why.to_owned());
    }

    /// The result of `step` on the state, unless there is an outage.
    fn with<T>(&self, step: impl FnOnce(&mut State) -> T) -> Result<T, StoreError> {
        let mut state = self.state.lock();
        match &state.outage {
            Some(error) => Err(error.clone()),
            None => Ok(step(&mut state)),
        }
    }

    /// As [`MemoryStore::with`], once for each item.
    fn with_each<I, T>(
        &self,
        items: impl IntoIterator<Item = I>,
        mut step: impl FnMut(&mut State, I) -> T,
    ) -> Vec<Result<T, StoreError>> {
        let mut state = self.state.lock();
        items
            .into_iter()
            .map(|item| match &state.outage {
                Some(error) => Err(error.clone()),
                None => Ok(step(&mut state, item)),
            })
            .collect()
    }
}

/// The first page of a list.
fn page_of<T: Paged>(items: impl Iterator<Item = T>, limit: PageLimit) -> Listed<T> {
    let mut page = PageFill::new(limit);
    for item in items {
        if page.is_full() {
            return page.more();
        }
        page.push(item);
    }
    page.end()
}

/// The first `limit` items.
fn first<T>(items: impl Iterator<Item = T>, limit: u32) -> Vec<T> {
    items.take(limit as usize).collect()
}
