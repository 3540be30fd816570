//! Erasing what belongs to a tenant.

use async_trait::async_trait;
use dakghar_core::domain::amendment::KEPT_LONGER;
use dakghar_core::domain::message::LetterClass;
use dakghar_core::domain::webhook::tells_contents;
use dakghar_core::domain::{Conversation, Message, TenantId, Timestamp, WebhookEvent};
use dakghar_core::ports::{Aged, AgedPortion, ErasedPortion, Erasure, StoreError};

use super::{MemoryStore, State};

impl State {
    fn erase(&mut self, tenant_id: &TenantId, limit: u32) -> u64 {
        let mut left = limit;
        let mut is_erased = |owner: Option<TenantId>| {
            let erased = left > 0 && owner == Some(*tenant_id);
            left -= u32::from(erased);
            erased
        };
        self.messages
            .retain(|_, message| !is_erased(Some(message.accepted.tenant_id)));
        self.statuses.retain(|_, status| !is_erased(Some(status.key.tenant_id)));
        self.conversations
            .retain(|_, conversation| !is_erased(Some(conversation.tenant_id)));
        self.events.retain(|_, event| !is_erased(event.tenant_id));
        self.erasures.retain(|_, erasure| !is_erased(Some(erasure.tenant_id)));
        self.signups.retain(|_, signup| !is_erased(Some(signup.tenant_id)));
        self.redrives.retain(|_, redrive| !is_erased(redrive.tenant_id));
        self.opt_outs.retain(|_, said| !is_erased(Some(said.tenant_id)));
        self.callbacks.erase(|owner| is_erased(Some(owner)));
        self.endpoints
            .retain(|_, endpoint| !is_erased(Some(endpoint.tenant_id)));
        self.feeds.erase(tenant_id);
        self.by_key.retain(|_, id| self.messages.contains_key(id));
        self.received.retain(|_, id| self.messages.contains_key(id));
        u64::from(limit - left)
    }
}

/// The first `limit` of the places behind `from`, with whether they are old; and where the next ones begin.
fn walk(places: impl Iterator<Item = (String, bool)>, portion: &AgedPortion) -> (Vec<String>, Option<String>) {
    let from = portion.from.clone().unwrap_or_default();
    let seen: Vec<_> = places
        .filter(|(place, _)| *place > from)
        .take(portion.limit as usize)
        .collect();
    let is_full = seen.len() == portion.limit as usize;
    let next = seen.last().filter(|_| is_full).map(|(place, _)| place.clone());
    let old = seen.into_iter().filter(|(_, is_old)| *is_old).map(|(place, _)| place);
    (old.collect(), next)
}

impl State {
    fn old_messages(&self, portion: &AgedPortion) -> (Vec<String>, Option<String>) {
        let all = self.messages.values();
        let own = all.filter(|message| Some(message.accepted.tenant_id) == portion.tenant_id);
        let is_walked = |message: &&Message| match portion.kind {
            Aged::Contents { .. } => message.accepted.content.removed_at.is_none(),
            _ => true,
        };
        let own = own.filter(is_walked);
        let is_old = |message: &Message| {
            let delivery = &message.delivery;
            let class = LetterClass::of(delivery.status, delivery.dead_reason);
            let is_meant = match portion.kind {
                Aged::DeadLetters(wanted) => class == Some(wanted),
                Aged::Contents { .. } => !delivery.status.is_unsettled(),
                _ => class.is_none() && !delivery.status.is_unsettled(),
            };
            is_meant && delivery.updated_at < portion.before
        };
        walk(
            own.map(|message| (message.accepted.id.to_string(), is_old(message))),
            portion,
        )
    }

    fn erase_aged(&mut self, portion: &AgedPortion) -> ErasedPortion {
        let owner = portion.tenant_id;
        let before = portion.before;
        let (old, next) = match portion.kind {
            Aged::Messages | Aged::DeadLetters(_) | Aged::Contents { .. } => self.old_messages(portion),
            Aged::Conversations => {
                let own = self
                    .conversations
                    .values()
                    .filter(|conversation| Some(conversation.tenant_id) == owner);
                let is_old = |conversation: &Conversation| {
                    let mut messages = self.messages.values();
                    conversation.last_message_at < before
                        && !messages.any(|message| message.conversation() == Some(conversation.id))
                };
                let mut places: Vec<_> = own.map(|own| (own.id.to_string(), is_old(own))).collect();
                places.sort();
                walk(places.into_iter(), portion)
            }
            Aged::Events | Aged::Written => {
                let is_meant = |event: &WebhookEvent| {
                    portion.kind == Aged::Events || tells_contents(&event.field, event.amends.is_some(), &event.raw)
                };
                let own = self.events.values().filter(|event| event.tenant_id == owner);
                let is_old = |event: &WebhookEvent| match event.amends {
                    Some(_) => event.received_at < before - KEPT_LONGER,
                    None => event.received_at < before,
                };
                let places = own.map(|event| (event.id.to_string(), is_meant(event) && is_old(event)));
                walk(places, portion)
            }
            Aged::Feed => {
                return ErasedPortion {
                    erased: owner.map_or(0, |owner| self.feeds.erase_aged(owner, before, portion.limit)),
                    next: None,
                };
            }
        };
        let is_old = |place: String| old.contains(&place);
        match portion.kind {
            Aged::Messages | Aged::DeadLetters(_) => self.messages.retain(|id, _| !is_old(id.to_string())),
            Aged::Conversations => self.conversations.retain(|id, _| !is_old(id.to_string())),
            Aged::Contents { removed_at } => {
                let old = self.messages.iter_mut().filter(|(id, _)| is_old(id.to_string()));
                for (_, message) in old {
                    message.accepted.content.remove(removed_at);
                    message.delivery.version += 1;
                }
            }
            Aged::Events | Aged::Written => self.events.retain(|id, _| !is_old(id.to_string())),
            Aged::Feed => {}
        }
        self.statuses
            .retain(|_, status| self.messages.contains_key(&status.key.message_id));
        self.by_key.retain(|_, id| self.messages.contains_key(id));
        self.received.retain(|_, id| self.messages.contains_key(id));
        ErasedPortion {
            erased: old.len() as u64,
            next,
        }
    }
}

#[async_trait]
impl Erasure for MemoryStore {
    async fn erase(&self, tenant_id: &TenantId, limit: u32) -> Result<u64, StoreError> {
        self.with(|state| state.erase(tenant_id, limit))
    }

    async fn left_behind(&self, limit: u32) -> Result<Vec<TenantId>, StoreError> {
        self.with(|state| {
            let named = state.callbacks.tenants();
            let gone = named.into_iter().filter(|id| !state.tenants.contains_key(id));
            gone.take(limit as usize).collect()
        })
    }

    async fn erase_aged(&self, portion: &AgedPortion) -> Result<ErasedPortion, StoreError> {
        self.with(|state| state.erase_aged(portion))
    }

    async fn retention_time(&self) -> Result<Option<Timestamp>, StoreError> {
        self.with(|state| state.retention_time)
    }

    async fn keep_retention_time(&self, at: Timestamp) -> Result<(), StoreError> {
        self.with(|state| state.retention_time = state.retention_time.max(Some(at)))
    }
}
