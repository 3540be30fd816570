//! Dakghar's needs from the world, as small traits. Each method is one atomic step of the thing behind it.
//!
//! Ports take batches: requests that arrive while one commit is being written form the next commit.

pub mod clock;
pub mod keys;
pub mod meta;
pub mod migration;
pub mod news;
pub mod pacer;
pub mod pair_lines;
pub mod queue;
pub mod quota;
pub mod receivers;
pub mod spool;
pub mod store;
pub mod traces;

use std::sync::Arc;

pub use clock::{Clock, IdGenerator, Sleeper};
pub use keys::{DATA_KEY_BYTES, DataKey, KeyContext, KeyError, KeyId, KeyOwner, KeyService};
pub use meta::{
    ACCOUNT_NUMBERS_MAX, AppAccess, AppSync, Bearer, CreditShare, MessagesApi, NoAnswer, NumberAsk, NumberCall,
    NumberCallFailure, NumbersApi, OnboardingApi, PassedAnswer, PassedCall, PassedMethod, PassedRequest, SendCall,
    SignatureCheck, TokenUnknown, TokensApi, WebhookCodec, WebhookOverride,
};
pub use migration::{MigrationSource, MigrationTarget, SourcePage};
pub use news::FeedNews;
pub use pacer::{Pacer, SlotAsk};
pub use pair_lines::{PairAsk, PairLines};
pub use queue::{DUE_COUNTED_MAX, Disposition, DueWork, Job, JobKey, JobKind, Queue, QueueEntry, QueueError};
pub use quota::{CallAsk, Grant, QuotaAsk, TenantQuota};
pub use receivers::{CallbackAnswer, CallbackCall, CallbackOutcome, ReceiverQuery, ReceiverText, Receivers};
pub use spool::{OutcomeSpool, SpoolError, SpooledOutcome};
pub use store::{
    Acceptance, Aged, AgedPortion, AppStore, Appended, ArrivalStore, ArrivalsWaiting, Attendant, AuditStore,
    AuditedChange, CallbackStore, Carried, ConversationStore, DUE_BYTES_MAX, DepartureStore, EndpointInserted,
    EndpointStore, ErasedPortion, Erasure, EventStore, ExceptionsAsked, FeedStore, GoneEndpoints, HoldStore,
    InstallationStore, LOAD_BYTES_MAX, ListStore, ListenerStore, MessageStore, OperatorStore, OptOutStore,
    PersonErased, PersonErasureStore, PersonPortion, REPORTS_MAX, Received, ReceivedMessage, RedriveStore, Remains,
    Save, Saved, SignupStore, StatusStore, StoreError, StoreHealth, TenantSaved, TenantStore, TimerStore, Walked,
};
pub use traces::SpanExporter;

use crate::metrics::Metrics;
use crate::traces::Traces;
use crate::vault::{InstallationSecrets, Vault};

/// The world, as ports.
#[derive(Clone)]
pub struct Ports {
    /// Messages.
    pub messages: Arc<dyn MessageStore>,
    /// Meta's reports on messages.
    pub statuses: Arc<dyn StatusStore>,
    /// The timers of messages.
    pub timers: Arc<dyn TimerStore>,
    /// Conversations.
    pub conversations: Arc<dyn ConversationStore>,
    /// What people said about being written to.
    pub opt_outs: Arc<dyn OptOutStore>,
    /// Lists of messages.
    pub lists: Arc<dyn ListStore>,
    /// Tenants and numbers.
    pub tenants: Arc<dyn TenantStore>,
    /// Events kept as they came.
    pub events: Arc<dyn EventStore>,
    /// The feeds of tenants.
    pub feed: Arc<dyn FeedStore>,
    /// What has no place in a feed yet. `None` where the store gives places itself.
    pub arrivals: Option<Arc<dyn ArrivalStore>>,
    /// Which feeds have grown.
    pub news: Arc<dyn FeedNews>,
    /// The receivers of endpoints.
    pub receivers: Arc<dyn Receivers>,
    /// How far endpoints are.
    pub callbacks: Arc<dyn CallbackStore>,
    /// The processes that take webhooks, and when they did not.
    pub listeners: Arc<dyn ListenerStore>,
    /// Apps at Meta.
    pub apps: Arc<dyn AppStore>,
    /// Keys of operators.
    pub operators: Arc<dyn OperatorStore>,
    /// The secrets of the installation, sealed.
    pub installation: Arc<dyn InstallationStore>,
    /// Endpoints of tenants.
    pub endpoints: Arc<dyn EndpointStore>,
    /// Redrives of dead letters.
    pub redrives: Arc<dyn RedriveStore>,
    /// The audit log.
    pub audit: Arc<dyn AuditStore>,
    /// The hold of all sending.
    pub holds: Arc<dyn HoldStore>,
    /// The state of the store.
    pub store_health: Arc<dyn StoreHealth>,
    /// Erasing a tenant's data.
    pub erasure: Arc<dyn Erasure>,
    /// Erasures of people.
    pub person_erasures: Arc<dyn PersonErasureStore>,
    /// Signups of tenants.
    pub signups: Arc<dyn SignupStore>,
    /// Departures of tenants.
    pub departures: Arc<dyn DepartureStore>,
    /// The schedule that wakes workers.
    pub queue: Arc<dyn Queue>,
    /// The pace of every number.
    pub pacer: Arc<dyn Pacer>,
    /// The requests and calls of each tenant.
    pub quota: Arc<dyn TenantQuota>,
    /// Where Meta's answers are kept while the store does not take them. `None` where nothing is sent, and where the store
    /// is on the same disk: what fails the one fails the other.
    pub spool: Option<Arc<dyn OutcomeSpool>>,
    /// Meta's messages endpoint.
    pub messages_api: Arc<dyn MessagesApi>,
    /// Meta's endpoints of numbers beside that.
    pub numbers_api: Arc<dyn NumbersApi>,
    /// Meta's word on access tokens.
    pub tokens_api: Arc<dyn TokensApi>,
    /// Meta's endpoints for connecting numbers.
    pub onboarding_api: Arc<dyn OnboardingApi>,
    /// Meta's webhooks.
    pub webhooks: Arc<dyn WebhookCodec>,
    /// The secrets of tenants, sealed and opened.
    pub vault: Arc<Vault>,
    /// The secrets of the installation, which every process has open.
    pub secrets: Arc<InstallationSecrets>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Waiting.
    pub sleeper: Arc<dyn Sleeper>,
    /// Ids and randomness.
    pub ids: Arc<dyn IdGenerator>,
    /// What this process counts about itself.
    pub metrics: Arc<Metrics>,
    /// Where its traces go.
    pub traces: Traces,
}
