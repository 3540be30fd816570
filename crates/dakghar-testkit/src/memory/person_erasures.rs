//! Erasures of people.

use async_trait::async_trait;
use dakghar_core::domain::erasure::{ErasurePlace, PersonErasure};
use dakghar_core::domain::page::{Listed, PageLimit};
use dakghar_core::domain::{Conversation, ConversationKind, ErasureId, MessageId, TenantId};
use dakghar_core::ports::{PersonErased, PersonErasureStore, PersonPortion, Remains, Saved, StoreError};

use super::{MemoryStore, State, first, page_of};

impl State {
    /// Everything of a place in one portion: maps in memory are as large as a test.
    fn erase_person(&mut self, portion: &PersonPortion) -> PersonErased {
        let PersonPortion {
            person,
            tenant_id,
            before,
            ..
        } = portion;
        let mut done = PersonErased::default();
        match portion.place {
            ErasurePlace::Messages | ErasurePlace::GroupMessages => {
                let is_sender = portion.place == ErasurePlace::GroupMessages;
                let own = self.messages.values().filter(|message| {
                    let accepted = &message.accepted;
                    let peer = accepted.peer_id.as_ref().is_some_and(|id| person.ids().contains(id));
                    let sender = accepted.sender.as_deref().is_some_and(|text| person.has(text));
                    let is_theirs = if is_sender { sender } else { peer };
                    is_theirs && accepted.tenant_id == *tenant_id && accepted.created_at < *before
                });
                let (open, settled): (Vec<_>, Vec<_>) = own.partition(|message| message.delivery.status.is_unsettled());
                done.open = open.iter().map(|message| message.accepted.id).collect();
                let settled: Vec<MessageId> = settled.iter().map(|message| message.accepted.id).collect();
                done.erased = settled.len() as u64;
                self.messages.retain(|id, _| !settled.contains(id));
                self.statuses
                    .retain(|_, status| !settled.contains(&status.key.message_id));
                self.by_key.retain(|_, id| !settled.contains(id));
                self.received.retain(|_, id| !settled.contains(id));
            }
            ErasurePlace::Reports => {
                let count = self.statuses.len();
                self.statuses.retain(|_, status| {
                    let reported = &status.reported;
                    let participant = reported.evidence.participant.as_deref();
                    let is_theirs = participant.is_some_and(|text| person.has(text))
                        || person.are_named_in(&status.raw)
                        || status.frame.as_deref().is_some_and(|text| person.are_named_in(text));
                    !(is_theirs && status.key.tenant_id == *tenant_id && reported.received_at < *before)
                });
                done.erased = (count - self.statuses.len()) as u64;
            }
            ErasurePlace::Events | ErasurePlace::Unrouted => {
                let owner = (portion.place == ErasurePlace::Events).then_some(*tenant_id);
                let count = self.events.len();
                self.events.retain(|_, event| {
                    let is_theirs = event.tenant_id == owner && person.are_named_in(&event.raw);
                    !(is_theirs && event.received_at < *before)
                });
                done.erased = (count - self.events.len()) as u64;
            }
            ErasurePlace::Conversations => {
                done.erased = self.forget_conversations(portion) + self.forget_person_in_opt_outs(portion);
            }
            ErasurePlace::Answers => done.erased = self.empty_answers(tenant_id),
            ErasurePlace::File => {}
        }
        done
    }

    fn forget_conversations(&mut self, portion: &PersonPortion) -> u64 {
        let is_theirs = |record: &Conversation| {
            record.tenant_id == portion.tenant_id
                && record.kind == ConversationKind::Person
                && record.ids().any(|id| portion.person.ids().contains(id))
        };
        let mut changed = 0;
        self.conversations.retain(|_, record| {
            if !is_theirs(record) {
                return true;
            }
            changed += 1;
            if record.last_message_at < portion.before {
                return false;
            }
            record.also = Vec::new();
            record.name = None;
            record.first_message_at = Some(record.last_message_at);
            true
        });
        changed
    }

    fn empty_answers(&mut self, tenant_id: &TenantId) -> u64 {
        let mut emptied = 0;
        let callbacks = &mut self.callbacks;
        for progress in callbacks.progress.values_mut() {
            progress.version += u64::from(progress.tenant_id == *tenant_id);
        }
        for exception in callbacks.exceptions.values_mut() {
            let is_theirs = exception.placed.entry.tenant_id == *tenant_id;
            if let Some(last) = exception.last.as_mut().filter(|_| is_theirs) {
                emptied += u64::from(last.answer.take().is_some());
            }
        }
        for log in callbacks.attempts.values_mut() {
            if log.tenant_id == *tenant_id {
                let had = log.attempts.iter_mut().map(|attempt| attempt.answer.take());
                emptied += u64::from(had.flatten().count() > 0);
            }
        }
        emptied
    }
}

#[async_trait]
impl PersonErasureStore for MemoryStore {
    async fn insert_erasure(&self, erasure: &PersonErasure) -> Result<(), StoreError> {
        self.with(|state| {
            state.erasures.entry(erasure.id).or_insert_with(|| erasure.clone());
        })
    }

    async fn save_erasure(&self, erasure: &PersonErasure) -> Result<Saved, StoreError> {
        self.with(|state| match state.erasures.get_mut(&erasure.id) {
            Some(stored) if stored.version == erasure.version => {
                *stored = PersonErasure {
                    version: erasure.version + 1,
                    ..erasure.clone()
                };
                Saved::Done
            }
            _ => Saved::Stale,
        })
    }

    async fn find_erasure(&self, tenant_id: &TenantId, id: &ErasureId) -> Result<Option<PersonErasure>, StoreError> {
        self.with(|state| {
            let found = state.erasures.get(id).cloned();
            found.filter(|erasure| erasure.tenant_id == *tenant_id)
        })
    }

    async fn list_erasures(
        &self,
        tenant_id: &TenantId,
        before: Option<ErasureId>,
        limit: PageLimit,
    ) -> Result<Listed<PersonErasure>, StoreError> {
        self.with(|state| {
            let own = state.erasures.values().rev();
            let own = own.filter(|erasure| erasure.tenant_id == *tenant_id);
            let found = own.filter(|erasure| before.is_none_or(|before| erasure.id < before));
            page_of(found.cloned(), limit)
        })
    }

    async fn due_erasures(&self, limit: u32) -> Result<Vec<PersonErasure>, StoreError> {
        self.with(|state| {
            let open = state.erasures.values().filter(|erasure| erasure.is_open());
            let mut due: Vec<PersonErasure> = open.cloned().collect();
            due.sort_by_key(|erasure| erasure.updated_at);
            first(due.into_iter(), limit)
        })
    }

    async fn erase_person(&self, portion: &PersonPortion) -> Result<PersonErased, StoreError> {
        self.with(|state| state.erase_person(portion))
    }

    async fn clear_remains(&self) -> Result<Remains, StoreError> {
        self.with(|_| Remains::None)
    }
}
