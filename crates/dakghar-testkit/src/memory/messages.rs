//! Messages and threads.

use async_trait::async_trait;
use dakghar_core::domain::page::MessageQuery;
use dakghar_core::domain::{
    Conversation, ConversationId, ConversationTouch, Direction, IdempotencyKey, Message, MessageId, MessageKey,
    PhoneNumberId, Status, TenantId, Timestamp, Wamid,
};
use dakghar_core::ports::{Acceptance, MessageStore, Received, ReceivedMessage, Save, Saved, StoreError};

use super::{MemoryStore, State, first};

impl State {
    pub(super) fn accept(&mut self, message: Message) -> Acceptance {
        if let Some(idempotency) = &message.accepted.idempotency {
            let key = (message.accepted.tenant_id, idempotency.key.clone());
            if let Some(first) = self.by_key.get(&key).map(|id| &self.messages[id]) {
                return Acceptance::Replay {
                    message_id: first.accepted.id,
                    status: first.delivery.status,
                    fingerprint: first.accepted.idempotency.as_ref().expect("it has a key").fingerprint,
                };
            }
            self.by_key.insert(key, message.accepted.id);
        }
        self.messages.insert(message.accepted.id, message);
        Acceptance::Stored
    }

    pub(super) fn receive(&mut self, message: Message) -> Received {
        if let Some(wamid) = &message.delivery.wamid {
            let key = (message.accepted.phone_number_id.clone(), wamid.clone());
            if let Some(first) = self.received.get(&key) {
                return Received::Duplicate(self.messages.get(first).map(Message::key));
            }
            self.received.insert(key, message.accepted.id);
        }
        self.messages.insert(message.accepted.id, message);
        Received::New
    }

    fn message(&self, key: MessageKey) -> Option<&Message> {
        self.messages
            .get(&key.message_id)
            .filter(|message| message.accepted.tenant_id == key.tenant_id)
    }

    fn save(&mut self, Save { key, delivery }: &Save) -> Saved {
        let stored = self.messages.get_mut(&key.message_id);
        let Some(stored) = stored.filter(|stored| stored.key() == *key) else {
            return Saved::Stale;
        };
        if stored.delivery.version != delivery.version {
            return Saved::Stale;
        }
        stored.delivery = delivery.clone();
        stored.delivery.version += 1;
        Saved::Done
    }

    fn touch(&mut self, touch: &ConversationTouch) {
        let thread = self.conversations.entry(touch.id).or_insert_with(|| touch.opening());
        if (touch.at, touch.message_id) > (thread.last_message_at, thread.last_message_id) {
            thread.last_message_at = touch.at;
            thread.last_message_id = touch.message_id;
        }
        if touch.direction == Direction::Inbound {
            thread.last_inbound_at = thread.last_inbound_at.max(Some(touch.at));
        }
    }

    fn of_tenant(&self, tenant_id: &TenantId) -> impl DoubleEndedIterator<Item = &Message> {
        self.messages
            .values()
            .filter(move |message| message.accepted.tenant_id == *tenant_id)
    }

    fn erase(&mut self, tenant_id: &TenantId, limit: u32) -> u64 {
        let mut left = limit;
        let mut is_erased = |owner: Option<TenantId>| {
            let erased = left > 0 && owner == Some(*tenant_id);
            left -= u32::from(erased);
            erased
        };
        self.messages
            .retain(|_, message| !is_erased(Some(message.accepted.tenant_id)));
        self.conversations
            .retain(|_, thread| !is_erased(Some(thread.tenant_id)));
        self.events.retain(|_, event| !is_erased(event.tenant_id));
        self.by_key.retain(|_, id| self.messages.contains_key(id));
        self.received.retain(|_, id| self.messages.contains_key(id));
        u64::from(limit - left)
    }
}

/// Whether every filter that is set matches.
fn matches(message: &Message, query: &MessageQuery) -> bool {
    fn is<T: PartialEq>(wanted: Option<&T>, actual: Option<&T>) -> bool {
        wanted.is_none() || wanted == actual
    }
    is(query.direction.as_ref(), Some(&message.accepted.direction))
        && is(query.status.as_ref(), Some(&message.delivery.status))
        && is(query.kind.as_ref(), Some(&message.accepted.content.kind))
        && is(query.peer_id.as_ref(), message.accepted.peer_id.as_ref())
        && is(query.phone_number_id.as_ref(), Some(&message.accepted.phone_number_id))
        && is(
            query.conversation_id.as_ref(),
            message.delivery.conversation_id.as_ref(),
        )
        && query.since.is_none_or(|since| message.accepted.created_at >= since)
        && query.until.is_none_or(|until| message.accepted.created_at < until)
        && query.before.is_none_or(|before| message.accepted.id < before)
}

#[async_trait]
impl MessageStore for MemoryStore {
    async fn accept(&self, batch: Vec<Message>) -> Vec<Result<Acceptance, StoreError>> {
        self.with_each(batch, State::accept)
    }

    async fn receive(&self, batch: Vec<ReceivedMessage>) -> Vec<Result<Received, StoreError>> {
        self.with_each(batch, |state, ReceivedMessage { message, touch }| {
            let received = state.receive(message);
            if let Some(touch) = touch.and_then(|touch| received.touch(touch)) {
                state.touch(&touch);
            }
            received
        })
    }

    async fn load(&self, keys: &[MessageKey]) -> Vec<Result<Option<Message>, StoreError>> {
        self.with_each(keys.to_vec(), |state, key| state.message(key).cloned())
    }

    async fn save(&self, batch: &[Save]) -> Vec<Result<Saved, StoreError>> {
        self.with_each(batch, State::save)
    }

    async fn touch_conversations(&self, batch: &[ConversationTouch]) -> Result<(), StoreError> {
        self.with(|state| batch.iter().for_each(|touch| state.touch(touch)))
    }

    async fn find_by_wamid(
        &self,
        refs: &[(TenantId, PhoneNumberId, Wamid)],
    ) -> Result<Vec<Option<MessageKey>>, StoreError> {
        self.with(|state| {
            let find = |(tenant_id, number, wamid): &(TenantId, PhoneNumberId, Wamid)| {
                state
                    .of_tenant(tenant_id)
                    .find(|message| {
                        message.accepted.direction == Direction::Outbound
                            && message.accepted.phone_number_id == *number
                            && (message.delivery.wamid.as_ref() == Some(wamid)
                                || message.delivery.wamids.contains(wamid))
                    })
                    .map(Message::key)
            };
            refs.iter().map(find).collect()
        })
    }

    async fn find_by_idempotency_key(
        &self,
        tenant_id: &TenantId,
        key: &IdempotencyKey,
    ) -> Result<Option<Message>, StoreError> {
        self.with(|state| {
            let id = state.by_key.get(&(*tenant_id, key.clone()))?;
            state.messages.get(id).cloned()
        })
    }

    async fn due(&self, until: Timestamp, status: Option<Status>, limit: u32) -> Result<Vec<Message>, StoreError> {
        self.with(|state| {
            let mut due: Vec<&Message> = state
                .messages
                .values()
                .filter(|message| message.accepted.direction == Direction::Outbound)
                .filter(|message| message.delivery.wake_at.is_some_and(|at| at <= until))
                .filter(|message| status.is_none_or(|status| message.delivery.status == status))
                .collect();
            due.sort_by_key(|message| message.delivery.wake_at);
            first(due.into_iter().cloned(), limit)
        })
    }

    async fn wake_held(
        &self,
        tenant_id: &TenantId,
        phone_number_id: Option<&PhoneNumberId>,
        at: Timestamp,
    ) -> Result<u64, StoreError> {
        self.with(|state| {
            let mut count = 0;
            for message in state.messages.values_mut() {
                if message.accepted.tenant_id == *tenant_id
                    && message.delivery.status == Status::Held
                    && phone_number_id.is_none_or(|number| message.accepted.phone_number_id == *number)
                {
                    message.delivery.wake_at = Some(at);
                    message.delivery.version += 1;
                    count += 1;
                }
            }
            count
        })
    }

    async fn statuses_flow(
        &self,
        message: &MessageKey,
        phone_number_id: &PhoneNumberId,
        called_after: Timestamp,
    ) -> Result<bool, StoreError> {
        self.with(|state| {
            state.of_tenant(&message.tenant_id).any(|message| {
                message.accepted.phone_number_id == *phone_number_id
                    && message.delivery.called_at.is_some_and(|at| at > called_after)
                    && message.delivery.status_seen_at.is_some()
            })
        })
    }

    async fn list(&self, tenant_id: &TenantId, query: &MessageQuery) -> Result<Vec<Message>, StoreError> {
        self.with(|state| {
            let found = state
                .of_tenant(tenant_id)
                .rev()
                .filter(|message| matches(message, query));
            first(found.cloned(), query.limit)
        })
    }

    async fn dead_letters(
        &self,
        tenant_id: Option<&TenantId>,
        before: Option<MessageId>,
        limit: u32,
    ) -> Result<Vec<Message>, StoreError> {
        self.with(|state| {
            let found = state
                .messages
                .values()
                .rev()
                .filter(|message| message.delivery.status.is_dead_letter())
                .filter(|message| tenant_id.is_none_or(|tenant_id| message.accepted.tenant_id == *tenant_id))
                .filter(|message| before.is_none_or(|before| message.accepted.id < before));
            first(found.cloned(), limit)
        })
    }

    async fn count_unsettled(&self, tenant_id: &TenantId, limit: u32) -> Result<u32, StoreError> {
        self.with(|state| {
            let unsettled = state
                .of_tenant(tenant_id)
                .filter(|message| message.delivery.status.is_unsettled());
            u32::try_from(first(unsettled, limit).len()).unwrap_or(limit)
        })
    }

    async fn conversations(
        &self,
        tenant_id: &TenantId,
        before: Option<(Timestamp, ConversationId)>,
        limit: u32,
    ) -> Result<Vec<Conversation>, StoreError> {
        self.with(|state| {
            let position = |thread: &Conversation| (thread.last_message_at, thread.id);
            let mut threads: Vec<&Conversation> = state
                .conversations
                .values()
                .filter(|thread| thread.tenant_id == *tenant_id)
                .filter(|thread| before.is_none_or(|before| position(thread) < before))
                .collect();
            threads.sort_by_key(|thread| std::cmp::Reverse(position(thread)));
            first(threads.into_iter().cloned(), limit)
        })
    }

    async fn conversation(
        &self,
        tenant_id: &TenantId,
        id: &ConversationId,
    ) -> Result<Option<Conversation>, StoreError> {
        self.with(|state| {
            let thread = state.conversations.get(id);
            thread.filter(|thread| thread.tenant_id == *tenant_id).cloned()
        })
    }

    async fn erase(&self, tenant_id: &TenantId, limit: u32) -> Result<u64, StoreError> {
        self.with(|state| state.erase(tenant_id, limit))
    }
}
