//! The store that the suites are run against, through all its ports; and steps that many cases have in common.

use std::sync::Arc;

use dakghar_core::domain::callback::Advance;
use dakghar_core::domain::{ConversationId, ConversationTouch, Direction, Message, MessageId, MessageKey, Status};
use dakghar_core::domain::{ConversationKind, Place};
use dakghar_core::domain::{TenantId, Timestamp, WaId};
use dakghar_core::ports::{
    Acceptance, AppStore, ArrivalStore, AuditStore, CallbackStore, ConversationStore, DepartureStore, EndpointStore,
    Erasure, EventStore, FeedStore, HoldStore, InstallationStore, ListStore, ListenerStore, MessageStore,
    OperatorStore, OptOutStore, PersonErasureStore, Received, RedriveStore, Save, Saved, SignupStore, StatusStore,
    StoreHealth, TenantStore, TimerStore,
};

use crate::samples::{
    With as _, attempt_log, callback_exception_full, callback_progress, endpoint, outbound, phone_number_id,
};

/// One store, as each of its ports. A case tests one of them, and may need the others to get there.
#[derive(Clone)]
pub struct Stores {
    /// Messages.
    pub messages: Arc<dyn MessageStore>,
    /// Meta's reports on messages.
    pub statuses: Arc<dyn StatusStore>,
    /// The timers of messages.
    pub timers: Arc<dyn TimerStore>,
    /// Conversations.
    pub conversations: Arc<dyn ConversationStore>,
    /// Lists of messages.
    pub lists: Arc<dyn ListStore>,
    /// Tenants and numbers.
    pub tenants: Arc<dyn TenantStore>,
    /// Events kept as they came.
    pub events: Arc<dyn EventStore>,
    /// The feeds of tenants.
    pub feed: Arc<dyn FeedStore>,
    /// What has no place in a feed yet, where the store does not give places itself.
    pub arrivals: Option<Arc<dyn ArrivalStore>>,
    /// The processes that take webhooks.
    pub listeners: Arc<dyn ListenerStore>,
    /// Apps at Meta.
    pub apps: Arc<dyn AppStore>,
    /// Keys of operators.
    pub operators: Arc<dyn OperatorStore>,
    /// What people said about being written to.
    pub opt_outs: Arc<dyn OptOutStore>,
    /// The secrets of the installation.
    pub installation: Arc<dyn InstallationStore>,
    /// Endpoints of tenants.
    pub endpoints: Arc<dyn EndpointStore>,
    /// How far endpoints are.
    pub callbacks: Arc<dyn CallbackStore>,
    /// Redrives of dead letters.
    pub redrives: Arc<dyn RedriveStore>,
    /// The audit log.
    pub audit: Arc<dyn AuditStore>,
    /// The hold of all sending.
    pub holds: Arc<dyn HoldStore>,
    /// The state of the store.
    pub health: Arc<dyn StoreHealth>,
    /// Erasing a tenant's data.
    pub erasure: Arc<dyn Erasure>,
    /// Erasures of people.
    pub person_erasures: Arc<dyn PersonErasureStore>,
    /// Signups of tenants.
    pub signups: Arc<dyn SignupStore>,
    /// Departures of tenants.
    pub departures: Arc<dyn DepartureStore>,
}

impl Stores {
    /// All ports of this store.
    pub fn of<S>(store: Arc<S>) -> Self
    where
        S: MessageStore
            + StatusStore
            + TimerStore
            + ConversationStore
            + ListStore
            + TenantStore
            + EventStore
            + FeedStore
            + ListenerStore
            + AppStore
            + AuditStore
            + OperatorStore
            + OptOutStore
            + InstallationStore
            + EndpointStore
            + CallbackStore
            + RedriveStore
            + PersonErasureStore
            + SignupStore
            + DepartureStore
            + HoldStore
            + StoreHealth
            + Erasure
            + 'static,
    {
        Self {
            messages: store.clone(),
            statuses: store.clone(),
            timers: store.clone(),
            conversations: store.clone(),
            lists: store.clone(),
            tenants: store.clone(),
            events: store.clone(),
            feed: store.clone(),
            arrivals: None,
            listeners: store.clone(),
            apps: store.clone(),
            operators: store.clone(),
            opt_outs: store.clone(),
            installation: store.clone(),
            endpoints: store.clone(),
            callbacks: store.clone(),
            redrives: store.clone(),
            audit: store.clone(),
            holds: store.clone(),
            health: store.clone(),
            erasure: store.clone(),
            person_erasures: store.clone(),
            signups: store.clone(),
            departures: store,
        }
    }
}

impl Stores {
    /// The same, with what has no place yet.
    #[must_use]
    pub fn with_arrivals(self, arrivals: Arc<dyn ArrivalStore>) -> Self {
        Self {
            arrivals: Some(arrivals),
            ..self
        }
    }
}

/// Accepts the messages, each of which must be new.
pub(super) async fn accept_all(stores: &Stores, messages: &[Message]) {
    for answer in stores.messages.accept(messages.to_vec()).await {
        assert_eq!(answer, Ok(Acceptance::Stored));
    }
}

/// Receives the messages, each of which must be new.
pub(super) async fn receive_all(stores: &Stores, messages: &[Message]) {
    for answer in stores
        .messages
        .receive(messages.iter().cloned().map(Into::into).collect())
        .await
    {
        assert_eq!(answer, Ok(Received::New));
    }
}

/// The stored message, if it is there.
pub(super) async fn load(stores: &Stores, key: MessageKey) -> Option<Message> {
    let mut loaded = stores.messages.load(&[key]).await;
    assert_eq!(loaded.len(), 1, "one answer for one key");
    loaded.remove(0).expect("the store answers")
}

/// Saves the message, which must be the present one, and raises its version.
pub(super) async fn save(stores: &Stores, message: &mut Message) {
    assert_eq!(stores.messages.save(&[Save::quiet(&*message)]).await, [Ok(Saved::Done)]);
    message.delivery.version += 1;
}

/// Stores the message as `Queued` with its other fields, then saves it with this status.
pub(super) async fn accept_as(stores: &Stores, status: Status, message: Message) -> Message {
    let mut message = message.with(|message| message.delivery.status = Status::Queued);
    accept_all(stores, std::slice::from_ref(&message)).await;
    message.delivery.status = status;
    save(stores, &mut message).await;
    message
}

/// Keeps of a new endpoint its progress, two exceptions and a log of attempts.
pub(super) async fn deliver(stores: &Stores, tenant: TenantId) {
    let endpoint_id = endpoint(tenant).id;
    let exceptions = [1, 2].map(|place| callback_exception_full(endpoint_id, tenant, Place::new(place)));
    let advance = Advance {
        progress: callback_progress(endpoint_id, tenant),
        exceptions: exceptions.to_vec(),
        over: Vec::new(),
        attempts: Some(attempt_log(endpoint_id, tenant, 2)),
    };
    assert_eq!(stores.callbacks.advance(&[advance]).await, [Ok(Saved::Done)]);
}

/// The ids, in their order.
pub(super) fn ids(messages: &[Message]) -> Vec<MessageId> {
    messages.iter().map(|message| message.accepted.id).collect()
}

/// A touch by a new message.
pub(super) fn touch(tenant: TenantId, wa_id: &WaId, at: Timestamp, direction: Direction) -> ConversationTouch {
    let Message { accepted, .. } = outbound(tenant);
    ConversationTouch {
        also: Vec::new(),
        name: None,
        kind: ConversationKind::Person,
        id: ConversationId::of(&tenant, &phone_number_id(), wa_id),
        tenant_id: tenant,
        phone_number_id: phone_number_id(),
        wa_id: wa_id.clone(),
        message_id: accepted.id,
        at,
        opens_window: direction == Direction::Inbound,
    }
}
