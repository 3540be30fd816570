//! What a client or Meta is told is durable, and stays so.

use dakghar_core::app::AcceptedMessage;
use dakghar_core::domain::webhook::WebhookPart;
use dakghar_core::domain::{ErrorCode, MessageKey, Problem, TenantId, Timestamp};
use dakghar_core::ports::EventStore as _;

use super::{Check, Promises, State, broken, describe, must};
use crate::world::ports::{Shared, at_once};
use crate::world::seen::Seen;

/// A key names one message for ever.
pub(super) fn remember_key(state: &mut State, seen: &Seen) -> Check {
    let Some(key) = seen.idempotency_key() else {
        return Ok(());
    };
    let place = (seen.key().tenant_id, key.to_owned());
    let first = state.by_key.entry(place).or_insert_with(|| seen.key());
    must(*first == seen.key(), "a key names one message", || describe(seen))
}

impl Promises {
    /// A client was answered. `text` is what it asked to be sent.
    pub fn client_answered(
        &self,
        shared: &Shared,
        tenant: TenantId,
        key: Option<&str>,
        text: &str,
        answer: &Result<AcceptedMessage, Problem>,
    ) {
        let mut guard = self.state.lock();
        let state = &mut *guard;
        let told = || format!("{tenant} {key:?} {text}: {answer:?}");
        let of_key = key.and_then(|key| state.by_key.get(&(tenant, key.to_owned())).copied());
        let check = match answer {
            Ok(accepted) => {
                let message_id = accepted.message_id;
                let stored = shared.look(MessageKey {
                    tenant_id: tenant,
                    message_id,
                });
                let is_what_was_asked = stored.as_ref().is_some_and(|stored| stored.body().contains(text));
                let is_of_key = key.is_none() || of_key.is_some_and(|of_key| of_key.message_id == message_id);
                must(stored.is_some(), "what was accepted is stored", told)
                    .and_then(|()| must(is_what_was_asked, "what was accepted is what was asked for", told))
                    .and_then(|()| must(is_of_key, "a key names one message", told))
            }
            Err(problem) if problem.code == ErrorCode::IdempotencyKeyConflict => {
                let first = of_key.and_then(|key| shared.look(key));
                let is_other = first.is_some_and(|first| !first.body().contains(text));
                must(is_other, "a key conflicts with another request only", told)
            }
            Err(_) => Ok(()),
        };
        self.note(state, check);
    }

    /// A tenant asked for another one's message, and should have been told that there is none.
    pub fn refused_to_stranger(&self, key: MessageKey, answer: Option<&Result<Seen, Problem>>) {
        let is_refused = !matches!(answer, Some(Ok(_)));
        let check = must(is_refused, "a tenant finds its own messages only", || {
            format!("{key:?} by another")
        });
        self.note(&mut self.state.lock(), check);
    }

    /// Meta posted these parts, and nobody took them.
    pub fn webhook_refused(&self, at: Timestamp, parts: &[WebhookPart]) {
        let mut state = self.state.lock();
        for part in parts {
            if let WebhookPart::Status(report) = part {
                state.refused.entry(report.wamid.clone()).or_insert(at);
            }
        }
    }

    /// Meta was told that this webhook was taken.
    pub fn webhook_answered(&self, shared: &Shared, parts: &[WebhookPart]) {
        for part in parts {
            let check = self.check_part(shared, part);
            self.note(&mut self.state.lock(), check);
        }
    }

    fn check_part(&self, shared: &Shared, part: &WebhookPart) -> Check {
        let told = || format!("{part:?}");
        let Some(number) = part.phone_number_id() else {
            return Ok(());
        };
        let owner = at_once(dakghar_core::ports::TenantStore::owners_of_numbers(
            &*shared.store,
            std::slice::from_ref(number),
        ));
        let owner = owner.first().and_then(|owner| owner.clone().ok().flatten());
        match part {
            WebhookPart::Message(inbound) => {
                let is_it = |seen: &&Seen| {
                    !seen.is_outbound() && seen.wamid() == Some(&inbound.wamid) && seen.number() == number
                };
                let all = self.all(&shared.store);
                let found: Vec<&Seen> = all.iter().filter(is_it).collect();
                let is_once = found.len() == 1 && owner == Some(found[0].key().tenant_id);
                must(
                    is_once,
                    "a received message is stored once, for the owner of its number",
                    told,
                )
            }
            WebhookPart::Status(report) => {
                let about = self.state.lock().by_wamid.get(&report.wamid).copied();
                let stored = about.and_then(|(key, _)| shared.look(key));
                // Whoever has the number now: the callback data is bound to the number it was sent from.
                let is_of_number = stored.as_ref().is_some_and(|stored| stored.number() == number);
                let Some((_, attempt)) = about.filter(|_| report.opaque.is_some() && is_of_number) else {
                    return keeps_event(shared, owner, &report.raw)
                        .map_or_else(|| broken("evidence is kept", told), Ok);
                };
                let is_merged = stored.as_ref().is_some_and(|stored| {
                    let mut timeline = stored.timeline().iter();
                    timeline.any(|entry| {
                        entry.attempt == Some(attempt) && entry.detail.as_deref() == Some(report.status.as_str())
                    })
                });
                must(is_merged, "evidence that was answered is merged", told)
            }
            WebhookPart::Other(other) => keeps_event(shared, owner, &other.raw)
                .map_or_else(|| broken("an event that was answered is kept", told), Ok),
        }
    }
}

/// Nothing, if an event with this text is kept for this tenant or for nobody.
fn keeps_event(shared: &Shared, owner: Option<TenantId>, raw: &str) -> Option<()> {
    [owner.as_ref(), None]
        .into_iter()
        .flat_map(|owner| {
            at_once(shared.store.list(owner, None, super::ALL))
                .expect("no outage")
                .items
        })
        .any(|event| *event.raw == *raw)
        .then_some(())
}
