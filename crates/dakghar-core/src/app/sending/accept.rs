//! Accepts messages. Once the client has the answer, the message is durable and will reach exactly one final state.
//!
//! If its number has a backlog, the message gets its slot before the commit; otherwise after the commit, on the way
//! into the queue. The answer needs neither slot nor queue.
//!
//! The process may die in between. Between slot and commit, a slot is wasted. Between commit and queue, a queued
//! message has no job, and its timer brings it back.

use std::sync::Arc;

use super::consent::{Ask, Consent, Unwanted};
use super::withdrawing::Withdrawing;
use crate::app::commits::accept::{AcceptCommit, Accepts};
use crate::app::failure::Failure;
use crate::app::messages::{Messages, merge_reports};
use crate::app::outcomes::{OutcomeWait, Outcomes};
use crate::app::waiting::{Waiting, WaitingPlace};
use crate::domain::message::Origin;
use crate::domain::message::{
    Accepted, Delivery, Direction, Idempotency, Message, Status, TimelineEntry, TimelineEvent,
};
use crate::domain::send_request::SendRequest;
use crate::domain::tenant::SharedTenant;
use crate::domain::{ErrorCode, MessageId, MessageKey, PhoneNumber, Problem, Tenant};
use crate::ports::{Acceptance, Clock, IdGenerator, MessageStore, Ports, StatusStore, StoreError};

/// The answer to an accepted request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcceptedMessage {
    /// Our id of the message; for a repeated key, the id of the first one.
    pub message_id: MessageId,
    /// Its present status.
    pub status: Status,
    /// True if it was accepted before under the same key; nothing is sent for this request.
    pub duplicate: bool,
    /// The number that it goes to, if the client left out the country code.
    pub to: Option<Arc<str>>,
}

/// Accepts messages of tenants.
pub struct Accepting {
    messages: Arc<dyn MessageStore>,
    statuses: Arc<dyn StatusStore>,
    pub(super) accepts: Accepts,
    pub(super) waiting: Arc<Waiting>,
    consent: Consent,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdGenerator>,
    outcomes: Arc<Outcomes>,
    withdrawing: Arc<Withdrawing>,
    attempts_max: u32,
}

/// The part of an answer that is known before the request is stored.
#[derive(Clone, Copy)]
pub(super) struct Entered {
    message_id: MessageId,
    status: Status,
    fingerprint: Option<[u8; 32]>,
}

impl Accepting {
    pub(in crate::app) fn new(
        ports: &Ports,
        accepts: Accepts,
        waiting: Arc<Waiting>,
        messages: Messages,
        attempts_max: u32,
    ) -> Self {
        Self {
            messages: ports.messages.clone(),
            statuses: ports.statuses.clone(),
            accepts,
            waiting,
            consent: Consent::new(ports),
            clock: ports.clock.clone(),
            ids: ports.ids.clone(),
            outcomes: messages.outcomes().clone(),
            withdrawing: Arc::new(Withdrawing::new(ports, messages)),
            attempts_max,
        }
    }

    /// Who takes back what was not confirmed.
    pub const fn withdrawing(&self) -> &Arc<Withdrawing> {
        &self.withdrawing
    }

    /// Accepts one message of the tenant.
    pub async fn accept(&self, tenant: &SharedTenant, request: SendRequest) -> Result<AcceptedMessage, Failure> {
        let to = request.to.was_national.then(|| request.to.text.clone());
        let accepted = self.accept_as_read(tenant, request, |_| ()).await?;
        Ok(AcceptedMessage { to, ..accepted })
    }

    /// Does the same for somebody who then waits for what becomes of the message. There is nothing to wait for if that is
    /// not known soon, or too many wait already.
    pub async fn accept_watched(
        &self,
        tenant: &SharedTenant,
        request: SendRequest,
    ) -> Result<(AcceptedMessage, Option<OutcomeWait>), Failure> {
        let is_for_later = request.send_at.is_some();
        let mut wait = None;
        let watch = |key| wait = self.outcomes.wait_for(key);
        let accepted = self.accept_as_read(tenant, request, watch).await?;
        if accepted.duplicate {
            wait = self.outcomes.wait_for_stored(MessageKey {
                tenant_id: tenant.id,
                message_id: accepted.message_id,
            });
        }
        let is_open = matches!(
            accepted.status,
            Status::Held | Status::InDoubt | Status::Cancelled | Status::Expired | Status::Dead
        );
        Ok((accepted, wait.filter(|_| !is_for_later && !is_open)))
    }

    async fn accept_as_read(
        &self,
        tenant: &SharedTenant,
        request: SendRequest,
        entering: impl FnOnce(MessageKey) + Send,
    ) -> Result<AcceptedMessage, Failure> {
        let number = Self::number_of(tenant, &request)?;
        if let Some(refusal) = Self::refusal_of_new(tenant, number, &request) {
            let repeated = self.find_repeated(tenant, &request).await?;
            return Ok(repeated.ok_or(refusal)?);
        }
        if let Some(unwanted) = self.unwanted(tenant, &[(number, &request)]).await?.pop().flatten() {
            let repeated = self.find_repeated(tenant, &request).await?;
            return Ok(repeated.ok_or_else(|| unwanted.to_problem())?);
        }
        let place = match self.waiting.enter(tenant).await {
            Ok(place) => place,
            Err(full) => return self.find_repeated(tenant, &request).await?.ok_or(full),
        };
        let (commit, entered) = self.entering(tenant, number, request, place);
        // Before it is stored: from then on any worker may send it.
        entering(MessageKey {
            tenant_id: tenant.id,
            message_id: entered.message_id,
        });
        let stored = self.accepts.submit(commit).await??;
        self.answer(tenant, entered, stored).await
    }

    /// The number that sends it, if it is one of the tenant's that may send to this recipient.
    pub(super) fn number_of<'t>(tenant: &'t SharedTenant, request: &SendRequest) -> Result<&'t PhoneNumber, Problem> {
        let number = tenant.number(request.from.as_ref()).ok_or_else(|| {
            let message = match request.from {
                Some(_) => "the tenant has no such phone number id",
                None => "the tenant has no phone number yet: add or connect one",
            };
            Problem::field(ErrorCode::PhoneNumberNotFound, "/from", message)
        })?;
        check_recipient(request, number)?;
        Ok(number)
    }

    /// Why a request is not accepted unless it was before: its time is over, or its number is leaving.
    pub(super) fn refusal_of_new(tenant: &Tenant, number: &PhoneNumber, request: &SendRequest) -> Option<Problem> {
        if tenant.is_leaving(&number.phone_number_id) {
            let message = "it is leaving the gateway, which takes no more messages for it";
            return Some(Problem::field(ErrorCode::TenantLeaving, "/from", message));
        }
        request.overdue.clone()
    }

    /// Why requests may not be accepted, in their order, because of what the people wish whom they go to.
    pub(super) async fn unwanted(
        &self,
        tenant: &SharedTenant,
        requests: &[(&PhoneNumber, &SendRequest)],
    ) -> Result<Vec<Option<Unwanted>>, StoreError> {
        let asks = requests.iter().map(|(number, request)| {
            let (number, person) = (number.phone_number_id.clone(), Some(request.to.id.clone()));
            Ask::new(number, request.to.kind, person, request.terms)
        });
        self.consent.look(tenant, &asks.collect::<Vec<_>>()).await
    }

    /// Makes the message of a request: what goes into the store, and what the answer needs of it.
    pub(super) fn entering(
        &self,
        tenant: &SharedTenant,
        number: &PhoneNumber,
        request: SendRequest,
        place: Option<WaitingPlace>,
    ) -> (AcceptCommit, Entered) {
        let message = self.new_message(tenant, number, request);
        let idempotency = message.accepted.idempotency.as_ref();
        let entered = Entered {
            message_id: message.accepted.id,
            status: message.delivery.status,
            fingerprint: idempotency.map(|idempotency| idempotency.fingerprint),
        };
        let commit = AcceptCommit::new(message, number, place, self.withdrawing.clone());
        (commit, entered)
    }

    /// Says what became of a request that went into the store.
    pub(super) async fn answer(
        &self,
        tenant: &SharedTenant,
        entered: Entered,
        stored: Acceptance,
    ) -> Result<AcceptedMessage, Failure> {
        match stored {
            Acceptance::Stored => Ok(AcceptedMessage {
                message_id: entered.message_id,
                status: entered.status,
                duplicate: false,
                to: None,
            }),
            Acceptance::Replay {
                message_id,
                status,
                fingerprint: first,
            } => {
                let key = MessageKey {
                    tenant_id: tenant.id,
                    message_id,
                };
                let status = self.present(key, status).await?;
                Ok(repeated(message_id, status, entered.fingerprint == Some(first))?)
            }
        }
    }

    /// Returns the result of the first request with the same key, if the key was used before.
    pub(super) async fn find_repeated(
        &self,
        tenant: &SharedTenant,
        request: &SendRequest,
    ) -> Result<Option<AcceptedMessage>, Failure> {
        let Some(idempotency_key) = &request.idempotency_key else {
            return Ok(None);
        };
        let finding = self.messages.find_by_idempotency_key(&tenant.id, idempotency_key);
        let Some(first) = finding.await? else {
            return Ok(None);
        };
        let key = first.key();
        let fingerprint = first.accepted.idempotency.map(|idempotency| idempotency.fingerprint);
        let is_same = fingerprint == Some(request.fingerprint);
        let status = self.present(key, first.delivery.status).await?;
        Ok(Some(repeated(key.message_id, status, is_same)?))
    }

    /// The status of a message that is stored with this one.
    async fn present(&self, key: MessageKey, stored: Status) -> Result<Status, StoreError> {
        if !stored.is_derived() {
            return Ok(stored);
        }
        let found = self.messages.load(&[key]).await.into_iter().next().transpose()?;
        let Some(mut message) = found.flatten() else {
            return Ok(stored);
        };
        merge_reports(&*self.statuses, std::slice::from_mut(&mut message)).await?;
        Ok(message.delivery.status)
    }

    fn new_message(&self, tenant: &SharedTenant, number: &PhoneNumber, request: SendRequest) -> Message {
        let present = self.clock.present();
        let now = present.now;
        let accepted = Accepted {
            id: self.ids.message_id(),
            tenant_id: tenant.id,
            phone_number_id: number.phone_number_id.clone(),
            direction: Direction::Outbound,
            conversation_kind: request.to.kind,
            peer: Some(request.to.text),
            peer_id: Some(request.to.id),
            content: request.content,
            idempotency: request.idempotency_key.map(|key| Idempotency {
                key,
                fingerprint: request.fingerprint,
            }),
            metadata: request.metadata,
            client_opaque: request.client_opaque,
            priority: request.priority,
            unknown_outcome: request.unknown_outcome.unwrap_or(tenant.unknown_outcome),
            attempts_max: self.attempts_max,
            terms: request.terms,
            created_at: now,
            origin: Origin::Client,
            sender: None,
            trace: request.trace,
        };
        let mut delivery = Delivery::queued(now);
        delivery.expires_at = request.expires_at;
        // The requested time to send stands in for the slot until the commit gives it one.
        let send_at = request.send_at.filter(|send_at| !present.has_reached(*send_at));
        delivery.slot_at = send_at.map(|send_at| present.when(send_at));
        let mut accepted_entry = TimelineEntry::new(now, TimelineEvent::Accepted);
        accepted_entry.until = send_at;
        delivery.timeline.push(accepted_entry);
        let mut message = Message { accepted, delivery };
        // Under a hold that is probed, the message still goes to the gate, which lets a probe pass.
        if let Some(hold) = tenant.hold_of(number).filter(|hold| hold.reason.is_pause()) {
            message.hold(present, hold.reason);
        }
        message
    }
}

/// Answers a request whose key belongs to an earlier message.
fn repeated(message_id: MessageId, status: Status, is_same: bool) -> Result<AcceptedMessage, Problem> {
    if is_same {
        return Ok(AcceptedMessage {
            message_id,
            status,
            duplicate: true,
            to: None,
        });
    }
    Err(Problem::new(
        ErrorCode::IdempotencyKeyConflict,
        format!("The key belongs to message {message_id}, whose content is different."),
    ))
}

fn check_recipient(request: &SendRequest, number: &PhoneNumber) -> Result<(), Problem> {
    let refuse = |message: &str| Err(Problem::field(ErrorCode::InvalidTo, "/to", message));
    if request.to.has_placeholders && !number.simulated {
        return refuse("placeholders (x) stand for digits only while the number's access token is a mock_ one");
    }
    let own = number.display_phone_number.as_deref().unwrap_or_default();
    let own: String = own.chars().filter(char::is_ascii_digit).collect();
    if !own.is_empty() && own == request.to.id.as_str() {
        return refuse("is the number itself");
    }
    Ok(())
}
