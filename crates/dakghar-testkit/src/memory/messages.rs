//! Messages.

use async_trait::async_trait;
use dakghar_core::domain::listening::CallSpan;
use dakghar_core::domain::page::Paged;
use dakghar_core::domain::{Direction, FeedEntry, IdempotencyKey, Message, MessageKey, PhoneNumberId, TenantId, Wamid};
use dakghar_core::ports::{
    Acceptance, LOAD_BYTES_MAX, MessageStore, Received, ReceivedMessage, Save, Saved, StoreError,
};

use super::{MemoryStore, State};

impl State {
    pub(super) fn accept(&mut self, message: Message) -> Acceptance {
        if self.message(message.key()).is_some() {
            return Acceptance::Stored;
        }
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

    /// A new one is told in the feed.
    fn receive_and_tell(&mut self, message: Message) -> Received {
        let entry = FeedEntry::of_message(&message);
        let received = self.receive(message);
        if received == Received::New {
            self.feeds.tell(entry);
        }
        received
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

    pub(super) fn save(&mut self, Save { key, delivery, entry }: &Save) -> Saved {
        let stored = self.messages.get_mut(&key.message_id);
        let Some(stored) = stored.filter(|stored| stored.key() == *key) else {
            return Saved::Stale;
        };
        if stored.delivery.version != delivery.version {
            return Saved::Stale;
        }
        stored.delivery = delivery.clone();
        stored.delivery.version += 1;
        if let Some(entry) = entry {
            self.feeds.tell(entry.clone());
        }
        Saved::Done
    }

    pub(super) fn of_tenant(&self, tenant_id: &TenantId) -> impl DoubleEndedIterator<Item = &Message> {
        self.messages
            .values()
            .filter(move |message| message.accepted.tenant_id == *tenant_id)
    }
}

#[async_trait]
impl MessageStore for MemoryStore {
    async fn accept(&self, batch: Vec<Message>) -> Vec<Result<Acceptance, StoreError>> {
        self.with_each(batch, State::accept)
    }

    async fn receive(&self, batch: Vec<ReceivedMessage>) -> Vec<Result<Received, StoreError>> {
        self.with_each(batch, |state, ReceivedMessage { message, touch }| {
            let received = state.receive_and_tell(message);
            if let Some(touch) = touch.and_then(|touch| received.touch(touch)) {
                state.touch(&touch);
            }
            received
        })
    }

    async fn load(&self, keys: &[MessageKey]) -> Vec<Result<Option<Message>, StoreError>> {
        let mut bytes = 0;
        let loaded = self.with_each(keys.to_vec(), |state, key| {
            if bytes >= LOAD_BYTES_MAX {
                return Err(StoreError::NotReadYet);
            }
            let message = state.message(key).cloned();
            bytes += message.as_ref().map_or(0, Paged::bytes);
            Ok(message)
        });
        loaded.into_iter().map(Result::flatten).collect()
    }

    async fn save(&self, batch: &[Save]) -> Vec<Result<Saved, StoreError>> {
        self.with_each(batch, State::save)
    }

    async fn find_by_wamid(&self, refs: &[(PhoneNumberId, Wamid)]) -> Result<Vec<Option<MessageKey>>, StoreError> {
        self.with(|state| {
            let find = |(number, wamid): &(PhoneNumberId, Wamid)| {
                let newest_first = state.messages.values().rev();
                newest_first
                    .filter(|message| {
                        message.accepted.direction == Direction::Outbound
                            && message.accepted.phone_number_id == *number
                            && (message.delivery.wamid.as_ref() == Some(wamid)
                                || message.delivery.wamids.contains(wamid))
                    })
                    .max_by_key(|message| message.accepted.id)
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

    async fn statuses_arrived(
        &self,
        message: &MessageKey,
        phone_number_id: &PhoneNumberId,
        calls: CallSpan,
    ) -> Result<bool, StoreError> {
        self.with(|state| {
            state.of_tenant(&message.tenant_id).any(|message| {
                let key = message.key();
                let first = state.reports(&key).map(|status| status.reported.received_at).min();
                let mut seen = [message.delivery.status_seen_at, first].into_iter();
                message.accepted.phone_number_id == *phone_number_id
                    && seen.any(|seen_at| calls.is_shown_by(message.delivery.called_at, seen_at))
            })
        })
    }
}
