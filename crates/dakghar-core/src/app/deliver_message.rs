//! Delivers what is due: prepare, claim, call, outcome.
//!
//! The crashes in between, and what heals them. While it is prepared, and before the claim: the message is still queued
//! and its timer brings it back. After the claim, before or during the call: the lease runs out and the message becomes `in_doubt`. After
//! the call, before its outcome is saved: the same, and the status webhook, which carries our callback data, tells
//! the outcome. Nothing slow stands between claim and call: the token is opened before.

use std::collections::HashSet;
use std::time::Duration;

use futures_util::future::join_all;

use super::accept_message::queue_entry;
use super::commits::flatten;
use super::in_flight::InFlight;
use super::{App, Settings};
use crate::domain::message::lifecycle::{Fenced, NotClaimable, Recorded};
use crate::domain::message::{DeadReason, Direction, Evidence, EvidenceStatus, Message, SendOutcome};
use crate::domain::pacing::Admission;
use crate::domain::tenant::{PhoneNumber, SharedTenant, TOKEN_REFUSALS_MAX};
use crate::domain::{ConversationTouch, Hold, HoldReason, MessageKey, Problem, Secret, Status, Timestamp};
use crate::ports::{Disposition, GraphCall, Job, QueueError, Saved, SlotAsk, StoreError, VaultError};

/// How long a number on hold rests between two probes.
const PROBE_CREDENTIALS: Duration = Duration::from_secs(60);
const PROBE_ACCOUNT: Duration = Duration::from_secs(3600);
/// What must be left of a lease for a call to begin.
const CALL_MIN: Duration = Duration::from_millis(100);
/// How long a message whose number or tenant has all its calls under way stays at hand for the next place.
const PLACE_PATIENCE: Duration = Duration::from_millis(200);
/// How long it goes back into the queue for when no place was found in that time.
const PLACE_WAIT: Duration = Duration::from_millis(500);
const STALE_ROUNDS_MAX: usize = 16;

/// A due message that passed the gate and is ready to be claimed.
#[derive(Debug)]
pub struct PreparedSend {
    /// As it will be once the claim is durable.
    message: Message,
    token: Secret,
    job: Job,
    in_flight: InFlight,
}

impl PreparedSend {
    /// What this is about, to look for one that brings the worker down.
    pub fn key(&self) -> (MessageKey, u32) {
        (self.job.key, self.job.drive)
    }
}

/// A message whose call is authorised and durable as such.
#[derive(Debug)]
pub struct ClaimedSend(PreparedSend);

/// A call that ended, with its outcome not yet durable.
#[derive(Debug)]
pub struct EndedCall {
    message: Message,
    outcome: SendOutcome,
    job: Option<Job>,
    // Held until the outcome is durable, so that a slow store slows the calls down.
    _in_flight: InFlight,
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

    /// Claims what was prepared, in one commit. What somebody else claimed or changed meanwhile is left out, and so is
    /// what may be claimed or not: nobody calls then, and the lease runs out.
    pub async fn claim(&self, sends: Vec<PreparedSend>) -> Vec<ClaimedSend> {
        let messages: Vec<Message> = sends.iter().map(|send| send.message.clone()).collect();
        let saved = self.ports().messages.claim(&messages).await;
        let mut claimed = Vec::with_capacity(sends.len());
        for (mut send, saved) in sends.into_iter().zip(saved) {
            match saved {
                Ok(Saved::Done) => {
                    send.message.version += 1;
                    claimed.push(ClaimedSend(send));
                }
                Ok(Saved::Stale) => send.job.finish(Disposition::Done),
                Err(error) => {
                    let message = &send.message;
                    tracing::warn!(message_id = %message.id, tenant_id = %message.tenant_id, %error, "a claim failed");
                }
            }
        }
        claimed
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
        let mut candidates = Vec::with_capacity(keys.len() + waited.len());
        let mut seen = HashSet::with_capacity(candidates.capacity());
        for (job, message, since) in waited.chain(fresh) {
            // Two jobs of one message in a batch: a commit names a message once.
            if !seen.insert(job.key) {
                job.finish(Disposition::Done);
                continue;
            }
            let message = match message {
                Ok(Some(message)) if message.status == Status::Queued => message,
                // Another job of the same message was faster, or it was settled meanwhile.
                Ok(Some(message)) => {
                    job.finish(disposition(&message));
                    continue;
                }
                // It was removed, or never existed.
                Ok(None) => {
                    job.finish(Disposition::Done);
                    continue;
                }
                Err(StoreError::Corrupt(_)) => {
                    job.finish(Disposition::Unreadable);
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            match self.directory().find(&message.tenant_id).await? {
                Some(tenant) => candidates.push(Candidate {
                    message,
                    tenant,
                    job,
                    since,
                }),
                None => job.finish(Disposition::Done),
            }
        }
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
            .map_err(|error| Problem::new(crate::domain::ErrorCode::StoreUnavailable, error.to_string()))?;
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
        join_all(held_back.into_iter().map(|candidate| self.hold_back(candidate))).await;
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
    async fn hold_back(&self, Candidate { mut message, job, .. }: Candidate) {
        match self.save(&mut message).await {
            Ok(true) if message.status == Status::Queued => {
                if message.enqueued_at.is_some() {
                    self.commits().enqueue.post(queue_entry(&message));
                }
                job.finish(Disposition::Superseded);
            }
            Ok(_) => job.finish(disposition(&message)),
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
                        return Err(Problem::new(
                            crate::domain::ErrorCode::Conflict,
                            "probed by another worker",
                        ));
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
        for (mut candidate, in_flight) in admitted {
            let Candidate { message, tenant, .. } = &mut candidate;
            match self.open_token_for(tenant, message).await {
                Ok(token) => with_token.push((candidate, in_flight, token)),
                Err(error) => {
                    tracing::error!(message_id = %message.id, tenant_id = %message.tenant_id, %error, "the access token cannot be opened");
                    let later = self.now() + PROBE_CREDENTIALS;
                    message.postpone(self.now(), later, "access_token_unreadable", self.queue_window());
                    self.hold_back(candidate).await;
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
                    self.hold_back(candidate).await;
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

    /// Calls Meta once. The lease is checked immediately before, so that a worker that was frozen meanwhile does not
    /// call for a message that somebody else has taken over.
    pub async fn call(&self, claimed: ClaimedSend) -> EndedCall {
        let ClaimedSend(PreparedSend {
            message,
            token,
            job,
            in_flight,
        }) = claimed;
        let elapsed = self.now().since(message.called_at.unwrap_or(message.updated_at));
        let timings = &self.settings().send.timings;
        let left = timings
            .lease
            .saturating_sub(timings.lease_margin + elapsed)
            .min(timings.call_timeout);
        let outcome = if left < CALL_MIN {
            SendOutcome::NotSent {
                why: "the worker was stopped before the call".into(),
            }
        } else {
            let opaque = self
                .shared
                .opaque
                .sign(&message.key(), &message.phone_number_id, message.attempt);
            let call = GraphCall {
                message: &message,
                token: &token,
                opaque: &opaque,
                timeout: left,
            };
            self.ports().graph.send(call).await
        };
        EndedCall {
            message,
            outcome,
            job: Some(job),
            _in_flight: in_flight,
        }
    }

    /// Makes the outcome of a call durable. After an error the caller tries again, as long as it lives: what Meta
    /// answered is evidence even when the lease is over.
    pub async fn record(&self, ended: &mut EndedCall) -> Result<(), Problem> {
        let epoch = ended.message.epoch;
        for _ in 0..STALE_ROUNDS_MAX {
            let mut message = ended.message.clone();
            let now = self.now();
            let jitter = self.ports().ids.jitter();
            match message.record_outcome(epoch, now, &ended.outcome, &self.settings().send, jitter) {
                Ok(recorded) => {
                    if message.status == Status::Queued {
                        let slot_at = message.slot_at.unwrap_or(now);
                        message.schedule(now, slot_at, self.queue_window());
                    }
                    if self.save(&mut message).await? {
                        self.after(&message, recorded, ended.job.take()).await;
                        return Ok(());
                    }
                }
                Err(Fenced) => {
                    self.add_late_evidence(&message, &ended.outcome).await?;
                    if let Some(job) = ended.job.take() {
                        job.finish(Disposition::Done);
                    }
                    return Ok(());
                }
            }
            let Some(current) = self.load(&ended.message.key()).await? else {
                return Ok(());
            };
            ended.message = current;
        }
        Err(Problem::new(
            crate::domain::ErrorCode::Conflict,
            "the message kept changing",
        ))
    }

    /// The message is no longer ours, but Meta's answer is true whoever holds it.
    async fn add_late_evidence(&self, message: &Message, outcome: &SendOutcome) -> Result<(), Problem> {
        let SendOutcome::Accepted { wamid } = outcome else {
            return Ok(());
        };
        let evidence = Evidence {
            status: EvidenceStatus::Sent,
            wamid: wamid.clone(),
            attempt: None,
            reported_at: None,
            error: None,
            by_webhook: false,
        };
        flatten(self.commits().merge.submit(vec![(message.key(), evidence)]).await)?;
        Ok(())
    }

    /// What a recorded outcome means for the queue and for the number.
    async fn after(&self, message: &Message, recorded: Recorded, job: Option<Job>) {
        log_outcome(message, recorded);
        if message.status == Status::Queued && message.enqueued_at.is_some() {
            self.commits().enqueue.post(queue_entry(message));
        }
        if let Some(job) = job {
            job.finish(if message.status == Status::Queued {
                Disposition::Superseded
            } else {
                disposition(message)
            });
        }
        let result = match recorded {
            Recorded::Sent => {
                if let Some(called_at) = message.called_at {
                    let number = &message.phone_number_id;
                    self.shared.recent_calls.remember(number, called_at, message.key());
                }
                self.number_works(message).await
            }
            Recorded::SlowDown(until) => {
                self.ports().pacer.pause_until(&message.phone_number_id, until).await;
                Ok(())
            }
            Recorded::Held(reason) => self.number_refused(message, reason).await,
            Recorded::Failed | Recorded::Retry(_) | Recorded::InDoubt | Recorded::GaveUp => Ok(()),
        };
        if let Err(problem) = result {
            tracing::warn!(message_id = %message.id, tenant_id = %message.tenant_id, %problem, "the outcome is stored, what follows from it is not yet");
        }
    }

    /// A send went through: refusals of the token, and a hold that was only being probed, are over.
    async fn number_works(&self, message: &Message) -> Result<(), Problem> {
        let Some(tenant) = self.directory().find(&message.tenant_id).await? else {
            return Ok(());
        };
        let is_ending = |hold: Hold| hold.probe_at.is_some();
        let Some(number) = tenant.number(Some(&message.phone_number_id)) else {
            return Ok(());
        };
        if number.token_refusals == 0 && !number.hold.is_some_and(is_ending) {
            return Ok(());
        }
        self.change_tenant(&tenant.id, |tenant| {
            if let Some(number) = tenant.number_mut(&message.phone_number_id) {
                number.token_refusals = 0;
                number.hold = number.hold.filter(|hold| !is_ending(*hold));
            }
            Ok(())
        })
        .await?;
        self.ports()
            .messages
            .wake_held(&message.tenant_id, Some(&message.phone_number_id), self.now())
            .await?;
        Ok(())
    }

    /// Meta refused the token or the account: after a few in a row the whole number waits, and is probed.
    async fn number_refused(&self, message: &Message, reason: HoldReason) -> Result<(), Problem> {
        let Some(tenant) = self.directory().find(&message.tenant_id).await? else {
            return Ok(());
        };
        if tenant
            .number(Some(&message.phone_number_id))
            .is_none_or(|number| number.hold.is_some())
        {
            return Ok(());
        }
        let now = self.now();
        self.change_tenant(&tenant.id, |tenant| {
            let Some(number) = tenant.number_mut(&message.phone_number_id) else { return Ok(()) };
            number.token_refusals += 1;
            let is_certain = reason != HoldReason::CredentialsInvalid || number.token_refusals >= TOKEN_REFUSALS_MAX;
            if number.hold.is_none() && is_certain {
                let probe_at = Some(now + probe_interval(reason));
                number.hold = Some(Hold { reason, since: now, probe_at });
                tracing::warn!(tenant_id = %message.tenant_id, phone_number_id = %message.phone_number_id, reason = reason.as_str(), "the number is on hold");
            }
            Ok(())
        })
        .await?;
        Ok(())
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

    /// A message that was given up while no job was in hand gets one that ends as failed, so that the queue's tools
    /// show every dead letter. For people only: nothing is lost when it does not get there.
    pub(super) fn show_dead(&self, message: &Message) {
        if message.status == Status::Dead && self.queue_window().is_some() {
            self.commits().enqueue.post(queue_entry(message));
        }
    }
}

const fn probe_interval(reason: HoldReason) -> Duration {
    match reason {
        HoldReason::Paused | HoldReason::CredentialsInvalid => PROBE_CREDENTIALS,
        HoldReason::AccountRestricted => PROBE_ACCOUNT,
    }
}

/// How the queue should show the end of a job.
fn disposition(message: &Message) -> Disposition {
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

/// One line for each failure that was handled; what went well is for the timeline.
fn log_outcome(message: &Message, recorded: Recorded) {
    let outcome = match recorded {
        Recorded::Sent => return,
        Recorded::Failed => "failed",
        Recorded::Retry(_) => "retry",
        Recorded::SlowDown(_) => "slow_down",
        Recorded::Held(_) => "held",
        Recorded::InDoubt => "in_doubt",
        Recorded::GaveUp => "gave_up",
    };
    let code = message.error.as_ref().and_then(|error| error.code);
    let fbtrace_id = message.error.as_ref().and_then(|error| error.fbtrace_id.as_deref());
    tracing::warn!(
        message_id = %message.id,
        tenant_id = %message.tenant_id,
        phone_number_id = %message.phone_number_id,
        attempt = message.attempt,
        code,
        fbtrace_id,
        outcome,
        "a send did not go through"
    );
}
