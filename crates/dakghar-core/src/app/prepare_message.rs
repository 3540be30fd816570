//! Prepares what is due for its call: whether it may go out now, its token, its thread.
//!
//! What may not go out is settled or put off here. Nothing else changes, so a crash leaves every message queued, and its
//! timer brings it back.

use std::collections::HashSet;
use std::time::Duration;

use futures_util::future::join_all;

use super::accept_message::queue_entry;
use super::commits::flatten;
use super::in_flight::InFlight;
use super::{App, Settings};
use crate::domain::message::lifecycle::NotClaimable;
use crate::domain::message::{DeadReason, Direction, Message};
use crate::domain::pacing::Admission;
use crate::domain::tenant::{PhoneNumber, SharedTenant};
use crate::domain::{ConversationTouch, ErrorCode, Hold, HoldReason, MessageKey, Problem, Secret, Status, Timestamp};
use crate::ports::{Disposition, Job, QueueError, SlotAsk, StoreError, VaultError};

/// How long a number on hold rests between two probes, by the reason of the hold.
const PROBE_CREDENTIALS: Duration = Duration::from_secs(60);
const PROBE_ACCOUNT: Duration = Duration::from_secs(3600);
/// How long a message whose number or tenant has all its calls under way stays at hand for the next place.
const PLACE_PATIENCE: Duration = Duration::from_millis(200);
/// How long it goes back into the queue for when no place was found in that time.
const PLACE_WAIT: Duration = Duration::from_millis(500);

/// A due message that passed the gate and is ready to be claimed.
#[derive(Debug)]
pub struct PreparedSend {
    /// As it will be once the claim is durable.
    pub(super) message: Message,
    pub(super) token: Secret,
    pub(super) job: Job,
    pub(super) in_flight: InFlight,
}

impl PreparedSend {
    /// What this is about, to look for one that brings the worker down.
    pub fn key(&self) -> (MessageKey, u32) {
        (self.job.key, self.job.drive)
    }
}

/// A due message whose number or tenant has all its calls under way. It is still queued, and kept at hand because
/// places are given back all the time: sending it back into the queue would cost several writes.
#[derive(Debug)]
pub struct WaitingSend {
    message: Message,
    job: Job,
    since: Timestamp,
}

impl WaitingSend {
    /// What this is about, to look for one that brings the worker down.
    pub fn key(&self) -> (MessageKey, u32) {
        (self.job.key, self.job.drive)
    }
}

/// What became of due messages. What is in neither list was settled or put off.
#[derive(Debug, Default)]
pub struct Prepared {
    /// To be claimed now.
    pub sends: Vec<PreparedSend>,
    /// To be prepared again when a call has ended.
    pub waiting: Vec<WaitingSend>,
}

/// A queued message on its way through the gate.
struct Candidate {
    message: Message,
    tenant: SharedTenant,
    job: Job,
    since: Timestamp,
}

/// What passed the gate, and what waits before it.
#[derive(Default)]
struct Gate {
    admitted: Vec<(Candidate, InFlight)>,
    waiting: Vec<WaitingSend>,
}

impl App {
    /// Waits until something is due; answers up to `max` jobs.
    pub async fn take_jobs(&self, max: usize) -> Result<Vec<Job>, QueueError> {
        let may_claim = self.ports().messages.may_claim();
        may_claim.map_err(|error| QueueError(error.to_string()))?;
        self.ports().queue.take(max).await
    }

    /// How many further calls this process may begin now.
    pub fn places_free(&self) -> usize {
        self.shared.in_flight.places_free()
    }

    /// Takes due messages through the gate, those that waited before first, and readies what passes for the claim. What
    /// may not be sent now is settled or put off here. After an error all of them are still queued, and their timers
    /// bring them back.
    pub async fn prepare(&self, waited: Vec<WaitingSend>, jobs: Vec<Job>) -> Result<Prepared, Problem> {
        self.ports().messages.may_claim()?;
        let candidates = self.candidates(waited, jobs).await?;
        let Gate { admitted, waiting } = self.pass_gate(candidates).await?;
        let sends = self.ready(admitted).await?;
        Ok(Prepared { sends, waiting })
    }

    async fn candidates(&self, waited: Vec<WaitingSend>, jobs: Vec<Job>) -> Result<Vec<Candidate>, Problem> {
        let now = self.now();
        let keys: Vec<MessageKey> = jobs.iter().map(|job| job.key).collect();
        let messages = if keys.is_empty() {
            Vec::new()
        } else {
            self.ports().messages.load(&keys).await
        };
        let waited = waited
            .into_iter()
            .map(|WaitingSend { message, job, since }| (job, Ok(Some(message)), since));
        let fresh = jobs.into_iter().zip(messages).map(|(job, message)| (job, message, now));
        let mut queued = Vec::with_capacity(keys.len() + waited.len());
        let mut seen = HashSet::with_capacity(queued.capacity());
        for (job, message, since) in waited.chain(fresh) {
            // Two jobs of one message in a batch: a commit names a message once.
            if !seen.insert(job.key) {
                job.finish(Disposition::Done);
                continue;
            }
            match message {
                Ok(Some(message)) if message.status == Status::Queued => queued.push((message, job, since)),
                // Another job of the same message was faster, or it was settled meanwhile.
                Ok(Some(message)) => job.finish(disposition(&message)),
                // It was removed, or never existed.
                Ok(None) => job.finish(Disposition::Done),
                Err(StoreError::Corrupt(_)) => job.finish(Disposition::Unreadable),
                Err(error) => return Err(error.into()),
            }
        }
        let tenants = queued.iter().map(|(message, ..)| message.tenant_id);
        let tenants = self.directory().find_all(tenants).await;
        let mut candidates = Vec::with_capacity(queued.len());
        let mut orphans = Vec::new();
        for (mut message, job, since) in queued {
            match tenants.get(&message.tenant_id).cloned().unwrap_or(Ok(None)) {
                Ok(Some(tenant)) => candidates.push(Candidate {
                    message,
                    tenant,
                    job,
                    since,
                }),
                // Accepted by somebody who still remembered a tenant that was being removed.
                Ok(None) => {
                    message.abandon(now, DeadReason::NumberRemoved);
                    orphans.push(self.hold_back(message, job));
                }
                // The message stays queued, and its timer brings it back for whoever mends the tenant.
                Err(StoreError::Corrupt(_)) => job.finish(Disposition::Unreadable),
                Err(error) => return Err(error.into()),
            }
        }
        join_all(orphans).await;
        Ok(candidates)
    }

    /// Everything that can hold a message back, the pace of its number last.
    async fn pass_gate(&self, candidates: Vec<Candidate>) -> Result<Gate, Problem> {
        let now = self.now();
        let mut gate = Gate::default();
        let mut ready = Vec::with_capacity(candidates.len());
        let mut asks = Vec::with_capacity(candidates.len());
        let mut crowded = Vec::new();
        let mut held_back = Vec::new();
        for mut candidate in candidates {
            let Candidate { message, tenant, .. } = &mut candidate;
            let Some(number) = tenant.number(Some(&message.phone_number_id)) else {
                message.abandon(now, DeadReason::NumberRemoved);
                held_back.push(candidate);
                continue;
            };
            if message.expires_at.is_some_and(|at| at <= now) {
                message.expire(now);
                held_back.push(candidate);
                continue;
            }
            if let Some(hold) = tenant.hold_of(number)
                && !self.may_probe(tenant, number, &hold, now).await?
            {
                message.hold(now, hold.reason);
                held_back.push(candidate);
                continue;
            }
            let ask = SlotAsk {
                phone_number_id: message.phone_number_id.clone(),
                per_second: number.planned_per_second(),
                priority: message.priority,
                not_before: now,
            };
            if let Some(in_flight) = self.shared.in_flight.enter(&message.tenant_id, number) {
                asks.push(ask);
                ready.push((candidate, in_flight));
            } else if now.since(candidate.since) < PLACE_PATIENCE {
                let Candidate {
                    message, job, since, ..
                } = candidate;
                gate.waiting.push(WaitingSend { message, job, since });
            } else {
                crowded.push((candidate, ask));
            }
        }
        // Without the pacer nothing passes: the gate fails closed, and the timers bring the messages back.
        let admissions = self
            .ports()
            .pacer
            .admit(&asks)
            .await
            .map_err(|error| Problem::new(ErrorCode::StoreUnavailable, error.to_string()))?;
        for ((mut candidate, in_flight), admission) in ready.into_iter().zip(admissions) {
            match admission {
                Admission::Go => gate.admitted.push((candidate, in_flight)),
                Admission::Later(slot_at) => {
                    candidate.message.postpone(now, slot_at, "pace", self.queue_window());
                    held_back.push(candidate);
                }
            }
        }
        held_back.extend(self.put_off(crowded, now).await);
        join_all(
            held_back
                .into_iter()
                .map(|candidate| self.hold_back(candidate.message, candidate.job)),
        )
        .await;
        Ok(gate)
    }

    /// New slots for messages that found no place: a slow Graph API must not let one tenant's messages stand in the
    /// way of the others'.
    async fn put_off(&self, crowded: Vec<(Candidate, SlotAsk)>, now: Timestamp) -> Vec<Candidate> {
        let earliest = now + PLACE_WAIT;
        let (mut candidates, mut asks): (Vec<Candidate>, Vec<SlotAsk>) = crowded.into_iter().unzip();
        if candidates.is_empty() {
            return candidates;
        }
        for ask in &mut asks {
            ask.not_before = earliest;
        }
        let mut slots = self.ports().pacer.reserve(&asks).await.unwrap_or_default().into_iter();
        for Candidate { message, .. } in &mut candidates {
            let slot_at = slots.next().unwrap_or(earliest);
            message.postpone(now, slot_at, "calls_under_way", self.queue_window());
        }
        candidates
    }

    /// Saves what the gate decided, and lets the job end. Whatever goes wrong here, the message is still queued and
    /// its timer is set.
    async fn hold_back(&self, mut message: Message, job: Job) {
        match self.save(&mut message).await {
            Ok(true) if message.status == Status::Queued => {
                if message.enqueued_at.is_some() {
                    self.commits().enqueue.post(queue_entry(&message).into());
                }
                job.finish(Disposition::Superseded);
            }
            Ok(true) => job.finish(disposition(&message)),
            // Somebody else was faster, and what this process made of the message never came to be.
            Ok(false) => job.finish(Disposition::Done),
            Err(problem) => {
                tracing::warn!(message_id = %message.id, tenant_id = %message.tenant_id, %problem, "a message stays queued");
            }
        }
    }

    /// Whether this message may go out to see if the reason of a hold is gone. Of all workers, the one that saves
    /// the next probe's time first wins.
    async fn may_probe(
        &self,
        tenant: &SharedTenant,
        number: &PhoneNumber,
        hold: &Hold,
        now: Timestamp,
    ) -> Result<bool, Problem> {
        let Some(probe_at) = hold.probe_at.filter(|at| *at <= now) else {
            return Ok(false);
        };
        let next = now + probe_interval(hold.reason);
        let number = number.phone_number_id.clone();
        let won = self
            .change_tenant(&tenant.id, |tenant| {
                let held = tenant.number_mut(&number).and_then(|number| number.hold.as_mut());
                match held.filter(|hold| hold.probe_at == Some(probe_at)) {
                    Some(hold) => hold.probe_at = Some(next),
                    None => {
                        return Err(Problem::new(ErrorCode::Conflict, "probed by another worker"));
                    }
                }
                Ok(())
            })
            .await;
        Ok(won.is_ok())
    }

    /// Opens the tokens and touches the threads of what passed the gate.
    async fn ready(&self, admitted: Vec<(Candidate, InFlight)>) -> Result<Vec<PreparedSend>, Problem> {
        let mut with_token = Vec::with_capacity(admitted.len());
        let mut held_back = Vec::new();
        for (mut candidate, in_flight) in admitted {
            let Candidate { message, tenant, .. } = &mut candidate;
            match self.open_token_for(tenant, message).await {
                Ok(token) => with_token.push((candidate, in_flight, token)),
                Err(error) => {
                    tracing::error!(message_id = %message.id, tenant_id = %message.tenant_id, %error, "the access token cannot be opened");
                    let later = self.now() + PROBE_CREDENTIALS;
                    message.postpone(self.now(), later, "access_token_unreadable", self.queue_window());
                    held_back.push(candidate);
                }
            }
        }
        // One time for all: claims that write the same cost the store least.
        let now = self.now();
        let Settings { worker_id, send, .. } = self.settings();
        let mut sends = Vec::with_capacity(with_token.len());
        let mut touches = Vec::with_capacity(with_token.len());
        for (mut candidate, in_flight, token) in with_token {
            let message = &mut candidate.message;
            match message.claim(now, worker_id, &send.timings) {
                Ok(()) => {}
                Err(NotClaimable::TooEarly(slot_at)) => {
                    message.postpone(now, slot_at, "slot", self.queue_window());
                    held_back.push(candidate);
                    continue;
                }
                Err(NotClaimable::NotQueued | NotClaimable::Expired) => {
                    candidate.job.finish(Disposition::Done);
                    continue;
                }
            }
            let Candidate { message, job, .. } = candidate;
            touches.extend(touch(&message));
            sends.push(PreparedSend {
                message,
                token,
                job,
                in_flight,
            });
        }
        join_all(
            held_back
                .into_iter()
                .map(|candidate| self.hold_back(candidate.message, candidate.job)),
        )
        .await;
        // The thread before the claim: a touch without a message is harmless, a message without a thread would be
        // hidden.
        if !touches.is_empty() {
            flatten(self.commits().touch.submit(touches).await)?;
        }
        Ok(sends)
    }

    async fn open_token_for(&self, tenant: &SharedTenant, message: &Message) -> Result<Secret, VaultError> {
        let number = tenant
            .number(Some(&message.phone_number_id))
            .ok_or(VaultError::Unreadable("the number was removed"))?;
        let purpose = super::register_tenant::token_purpose(&number.phone_number_id);
        self.ports()
            .vault
            .open(&tenant.id, &tenant.wrapped_data_key, &purpose, &number.sealed_token)
            .await
    }

    /// Preparing the message crashed: counts it, and gives the message up after a few times.
    pub async fn strike(&self, key: &MessageKey) -> Result<(), Problem> {
        if let Some(mut message) = self.load(key).await? {
            let gave_up = message.strike(self.now());
            tracing::error!(message_id = %key.message_id, tenant_id = %key.tenant_id, strikes = message.strikes, gave_up, "preparing the message crashed");
            if self.save(&mut message).await? {
                self.show_dead(&message);
            }
        }
        Ok(())
    }
}

/// How long a number that is on hold for this reason rests between two probes.
pub(super) const fn probe_interval(reason: HoldReason) -> Duration {
    match reason {
        HoldReason::Paused | HoldReason::PausedByOperator | HoldReason::CredentialsInvalid => PROBE_CREDENTIALS,
        HoldReason::AccountRestricted => PROBE_ACCOUNT,
    }
}

/// How the queue should show the end of a job.
pub(super) fn disposition(message: &Message) -> Disposition {
    match message.status {
        Status::Dead => Disposition::Dead(message.dead_reason.map_or("dead", DeadReason::as_str)),
        Status::Failed => Disposition::Dead("failed"),
        Status::Expired => Disposition::Dead("expired"),
        _ => Disposition::Done,
    }
}

fn touch(message: &Message) -> Option<ConversationTouch> {
    Some(ConversationTouch {
        id: message.thread()?,
        tenant_id: message.tenant_id,
        phone_number_id: message.phone_number_id.clone(),
        wa_id: message.peer_id.clone()?,
        message_id: message.id,
        at: message.updated_at,
        direction: Direction::Outbound,
    })
}
