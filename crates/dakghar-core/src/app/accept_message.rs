//! Accepts a message: after the answer it is durable and will reach exactly one final state.
//!
//! A number with a backlog gives the message its slot before the commit, any other one after it, on the way into the
//! queue. The process may die between slot and commit, which wastes a slot, and between commit and queue, which leaves a
//! queued message without a job, and its timer brings it back. The answer needs neither slot nor queue.

use std::sync::Arc;

use super::App;
use super::backlogs::Backlogs;
use super::commits::{Enqueue, flatten};
use crate::domain::message::timeline::{TimelineEntry, TimelineEvent};
use crate::domain::message::{Accepted, Delivery, Direction, Idempotency, Message, Status};
use crate::domain::send_request::SendRequest;
use crate::domain::tenant::{PhoneNumber, SharedTenant};
use crate::domain::{ErrorCode, MessageId, Problem, Timestamp};
use crate::group_commit::GroupCommit;
use crate::ports::{Acceptance, JobKey, Ports, QueueEntry, SlotAsk, StoreError};

/// A message on its way into the store.
pub(super) struct AcceptCommit {
    message: Message,
    per_second: f64,
}

/// What the caller is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcceptedMessage {
    /// Our id of the message; under a repeated key, that of the first one.
    pub message_id: MessageId,
    /// Its present status.
    pub status: Status,
    /// Whether it was accepted before under the same key; nothing was sent now.
    pub duplicate: bool,
}

impl App {
    /// Accepts one message of the tenant.
    pub async fn accept_message(
        &self,
        tenant: &SharedTenant,
        request: SendRequest,
    ) -> Result<AcceptedMessage, Problem> {
        let number = tenant.number(request.from.as_ref()).ok_or_else(|| {
            Problem::field(
                ErrorCode::PhoneNumberNotFound,
                "/from",
                "the tenant has no such phone number id",
            )
        })?;
        check_recipient(&request, number)?;
        if let Some(overdue) = &request.overdue {
            return self
                .find_repeated(tenant, &request)
                .await?
                .ok_or_else(|| overdue.clone());
        }
        let message = self.new_message(tenant, number, request);
        let (message_id, status) = (message.accepted.id, message.delivery.status);
        let fingerprint = message
            .accepted
            .idempotency
            .as_ref()
            .map(|idempotency| idempotency.fingerprint);
        let commit = AcceptCommit {
            message,
            per_second: number.planned_per_second(),
        };
        match flatten(self.commits().accept.submit(commit).await)? {
            Acceptance::Stored => Ok(AcceptedMessage {
                message_id,
                status,
                duplicate: false,
            }),
            Acceptance::Replay {
                message_id,
                status,
                fingerprint: first,
            } => repeated(message_id, status, fingerprint == Some(first)),
        }
    }

    /// What was accepted under the request's key, if it was used before.
    async fn find_repeated(
        &self,
        tenant: &SharedTenant,
        request: &SendRequest,
    ) -> Result<Option<AcceptedMessage>, Problem> {
        let Some(key) = &request.idempotency_key else {
            return Ok(None);
        };
        let first = self.ports().messages.find_by_idempotency_key(&tenant.id, key).await?;
        first
            .map(|first| {
                let fingerprint = first.accepted.idempotency.map(|idempotency| idempotency.fingerprint);
                repeated(
                    first.accepted.id,
                    first.delivery.status,
                    fingerprint == Some(request.fingerprint),
                )
            })
            .transpose()
    }

    fn new_message(&self, tenant: &SharedTenant, number: &PhoneNumber, request: SendRequest) -> Message {
        let now = self.now();
        let accepted = Accepted {
            id: self.ports().ids.message_id(),
            tenant_id: tenant.id,
            phone_number_id: number.phone_number_id.clone(),
            direction: Direction::Outbound,
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
            attempts_max: self.settings().attempts_max,
            created_at: now,
        };
        let mut delivery = Delivery::queued(now);
        delivery.expires_at = request.expires_at;
        // A time to send is kept as the slot until the commit gives it one.
        delivery.slot_at = request.send_at.filter(|send_at| *send_at > now);
        let mut message = Message { accepted, delivery };
        message
            .delivery
            .timeline
            .push(TimelineEntry::new(now, TimelineEvent::Accepted));
        // A hold that only waits to be probed goes through the gate, which lets the probe pass.
        if let Some(hold) = tenant.hold_of(number).filter(|hold| hold.reason.is_pause()) {
            message.hold(now, hold.reason);
        }
        message
    }
}

/// The answer to a request whose key belongs to this message.
fn repeated(message_id: MessageId, status: Status, is_same: bool) -> Result<AcceptedMessage, Problem> {
    if is_same {
        return Ok(AcceptedMessage {
            message_id,
            status,
            duplicate: true,
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

/// One commit: slots for those whose number has a backlog, one write, and the way into the queue.
///
/// The commit itself sees to the queue, and not whoever asked for it: a client that hangs up meanwhile does not leave its
/// message to the timer.
pub(super) async fn commit(
    ports: Ports,
    backlogs: Arc<Backlogs>,
    enqueue: GroupCommit<Enqueue, ()>,
    batch: Vec<AcceptCommit>,
) -> Vec<Result<Acceptance, StoreError>> {
    let now = ports.clock.now();
    let window = ports.queue.window();
    let must_know = |ask: &SlotAsk| window.is_none() || backlogs.is_behind(&ask.phone_number_id, now);
    let (asks, later): (Vec<Option<SlotAsk>>, Vec<Option<SlotAsk>>) = batch
        .iter()
        .map(|commit| match slot_ask(commit, now) {
            Some(ask) if must_know(&ask) => (Some(ask), None),
            ask => (None, ask),
        })
        .unzip();
    let wanted: Vec<SlotAsk> = asks.iter().flatten().cloned().collect();
    let mut slots = backlogs.reserve(&*ports.pacer, &wanted, now).await.into_iter();
    let mut messages = Vec::with_capacity(batch.len());
    let mut entries = Vec::with_capacity(batch.len());
    for ((commit, ask), later) in batch.into_iter().zip(&asks).zip(later) {
        let mut message = commit.message;
        let slot = if ask.is_some() {
            slots.next()
        } else {
            message.delivery.slot_at
        };
        let is_released =
            message.delivery.status == Status::Queued && message.schedule(now, slot.unwrap_or(now), window);
        entries.push(is_released.then(|| Enqueue {
            entry: queue_entry(&message),
            slot: later,
        }));
        messages.push(message);
    }
    let answers = ports.messages.accept(messages).await;

    let mut unused = Vec::new();
    for ((answer, entry), ask) in answers.iter().zip(entries).zip(asks) {
        if *answer != Ok(Acceptance::Stored) {
            unused.extend(ask);
        } else if let Some(entry) = entry {
            enqueue.post(entry);
        }
    }
    if !unused.is_empty() {
        ports.pacer.refund(&unused).await;
    }
    answers
}

fn slot_ask(commit: &AcceptCommit, now: Timestamp) -> Option<SlotAsk> {
    let message = &commit.message;
    // A message for later must not reserve the number's whole time until then; the gate paces it when it is due.
    (message.delivery.status == Status::Queued && message.delivery.slot_at.is_none()).then(|| SlotAsk {
        phone_number_id: message.accepted.phone_number_id.clone(),
        per_second: commit.per_second,
        priority: message.accepted.priority,
        not_before: now,
    })
}

/// What the queue is told about a message: its place in time, and nothing of what it says.
pub(super) fn queue_entry(message: &Message) -> QueueEntry {
    QueueEntry {
        key: JobKey::Send(message.key()),
        phone_number_id: message.accepted.phone_number_id.clone(),
        slot_at: message.delivery.slot_at.unwrap_or(message.accepted.created_at),
        drive: message.delivery.drive,
        priority: message.accepted.priority,
    }
}
