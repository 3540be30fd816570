//! Delivers what is due: gate, claim, call, outcome.
//!
//! The crashes in between, and what heals them. Before the claim: the message is still queued and its timer brings
//! it back. After the claim, before or during the call: the lease runs out and the message becomes `in_doubt`. After
//! the call, before its outcome is saved: the same, and the status webhook, which carries our callback data, tells
//! the outcome. Nothing slow stands between claim and call: the token is opened before.

use futures_util::future::join_all;

use super::App;
use super::accept_message::queue_entry;
use super::commits::flatten;
use super::in_flight::InFlight;
use crate::domain::message::lifecycle::{Fenced, NotClaimable, Recorded};
use crate::domain::message::{DeadReason, Direction, Evidence, EvidenceStatus, Message, SendOutcome};
use crate::domain::pacing::Admission;
use crate::domain::tenant::{PhoneNumber, SharedTenant, TOKEN_REFUSALS_MAX};
use crate::domain::{ConversationTouch, Hold, HoldReason, MessageKey, Problem, Secret, Status, Timestamp};
use crate::ports::{Disposition, GraphCall, Job, QueueError, SlotAsk, VaultError};
use std::time::Duration;

/// How long a number on hold rests between two probes.
const PROBE_CREDENTIALS: Duration = Duration::from_secs(60);
const PROBE_ACCOUNT: Duration = Duration::from_secs(3600);
/// What must be left of a lease for a call to begin.
const CALL_MIN: Duration = Duration::from_millis(100);
/// How long a message waits at least when its number or tenant has all its calls under way.
const PLACES_WAIT: Duration = Duration::from_millis(200);
const STALE_ROUNDS_MAX: usize = 16;

/// A message whose call is authorised and durable as such.
#[derive(Debug)]
pub struct ClaimedSend {
    message: Message,
    token: Secret,
    job: Job,
    in_flight: InFlight,
}

/// A call that ended, with its outcome not yet durable.
#[derive(Debug)]
pub struct EndedCall {
    message: Message,
    outcome: SendOutcome,
    job: Option<Job>,
    // Held until the outcome is durable, so that a slow store slows the calls down.
    _in_flight: InFlight,
}

/// A queued message on its way through the gate.
struct Candidate {
    message: Message,
    tenant: SharedTenant,
    job: Job,
}

impl App {
    /// Waits until something is due; answers up to `max` jobs.
    pub async fn take_jobs(&self, max: usize) -> Result<Vec<Job>, QueueError> {
        self.ports().queue.take(max).await
    }

    /// Takes jobs through the gate and claims their messages. What may not be sent now is settled here.
    pub async fn claim_jobs(&self, jobs: Vec<Job>) -> Result<Vec<ClaimedSend>, Problem> {
        let keys: Vec<MessageKey> = jobs.iter().map(|job| job.key).collect();
        let messages = self.ports().messages.load(&keys).await?;
        let mut candidates = Vec::with_capacity(jobs.len());
        for (job, message) in jobs.into_iter().zip(messages) {
            // Not queued: another job of the same message was faster, or it was settled or removed meanwhile.
            let Some(message) = message.filter(|message| message.status == Status::Queued) else {
                job.finish(Disposition::Done);
                continue;
            };
            match self.directory().find(&message.tenant_id).await? {
                Some(tenant) => candidates.push(Candidate { message, tenant, job }),
                None => job.finish(Disposition::Done),
            }
        }
        let admitted = self.pass_gate(candidates).await?;
        self.claim(admitted).await
    }

    /// Everything that can hold a message back, the pace of its number last.
    async fn pass_gate(&self, candidates: Vec<Candidate>) -> Result<Vec<(Candidate, InFlight)>, Problem> {
        let now = self.now();
        let mut ready = Vec::with_capacity(candidates.len());
        let mut asks = Vec::with_capacity(candidates.len());
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
            let Some(in_flight) = self.shared.in_flight.enter(&message.tenant_id, number) else {
                let ask = SlotAsk {
                    not_before: now + PLACES_WAIT,
                    ..ask
                };
                let later = self.ports().pacer.reserve(std::slice::from_ref(&ask));
                let slot_at = later.await.ok().and_then(|slots| slots.first().copied());
                let slot_at = slot_at.unwrap_or(now + PLACES_WAIT);
                message.postpone(now, slot_at, "calls_under_way", self.queue_window());
                held_back.push(candidate);
                continue;
            };
            asks.push(ask);
            ready.push((candidate, in_flight));
        }
        // Without the pacer nothing passes: the gate fails closed, and the timers bring the messages back.
        let admissions = self
            .ports()
            .pacer
            .admit(&asks)
            .await
            .map_err(|error| Problem::new(crate::domain::ErrorCode::StoreUnavailable, error.to_string()))?;
        let mut admitted = Vec::with_capacity(ready.len());
        for ((mut candidate, in_flight), admission) in ready.into_iter().zip(admissions) {
            match admission {
                Admission::Go => admitted.push((candidate, in_flight)),
                Admission::Later(slot_at) => {
                    candidate.message.postpone(now, slot_at, "pace", self.queue_window());
                    held_back.push(candidate);
                }
            }
        }
        join_all(held_back.into_iter().map(|candidate| self.hold_back(candidate))).await;
        Ok(admitted)
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

    async fn claim(&self, admitted: Vec<(Candidate, InFlight)>) -> Result<Vec<ClaimedSend>, Problem> {
        let mut claims = Vec::with_capacity(admitted.len());
        let mut touches = Vec::with_capacity(admitted.len());
        for (
            Candidate {
                mut message,
                tenant,
                job,
            },
            in_flight,
        ) in admitted
        {
            let token = match self.open_token_for(&tenant, &message).await {
                Ok(token) => token,
                Err(error) => {
                    tracing::error!(message_id = %message.id, tenant_id = %message.tenant_id, %error, "the access token cannot be opened");
                    message.postpone(
                        self.now(),
                        self.now() + PROBE_CREDENTIALS,
                        "access_token_unreadable",
                        self.queue_window(),
                    );
                    self.hold_back(Candidate { message, tenant, job }).await;
                    continue;
                }
            };
            match message.claim(self.now(), &self.settings().worker_id, &self.settings().send.timings) {
                Ok(()) => {}
                Err(NotClaimable::TooEarly(slot_at)) => {
                    message.postpone(self.now(), slot_at, "slot", self.queue_window());
                    self.hold_back(Candidate { message, tenant, job }).await;
                    continue;
                }
                Err(NotClaimable::NotQueued | NotClaimable::Expired) => {
                    job.finish(Disposition::Done);
                    continue;
                }
            }
            touches.extend(touch(&message));
            claims.push(ClaimedSend {
                message,
                token,
                job,
                in_flight,
            });
        }
        if claims.is_empty() {
            return Ok(claims);
        }
        // The thread first: a touch without a message is harmless, a message without a thread would be hidden.
        flatten(self.commits().touch.submit(touches).await)?;
        let saved = join_all(claims.into_iter().map(|mut claimed| async move {
            match self.save(&mut claimed.message).await {
                Ok(true) => Some(claimed),
                Ok(false) => {
                    claimed.job.finish(Disposition::Done);
                    None
                }
                Err(problem) => {
                    // It may be claimed all the same; then nobody calls, and the lease runs out.
                    tracing::warn!(message_id = %claimed.message.id, tenant_id = %claimed.message.tenant_id, %problem, "a claim failed");
                    None
                }
            }
        }))
        .await;
        Ok(saved.into_iter().flatten().collect())
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
        let ClaimedSend {
            message,
            token,
            job,
            in_flight,
        } = claimed;
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
            let found = self.ports().messages.load(&[ended.message.key()]).await?;
            let Some(current) = found.into_iter().next().flatten() else {
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
                if message.wamid.as_ref().is_some_and(crate::domain::Wamid::is_mock) {
                    self.report_simulated(message).await
                } else {
                    self.number_works(message).await
                }
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

    /// A simulated message gets the statuses that Meta would report. Repeated by the reconciler after a crash.
    pub(super) async fn report_simulated(&self, message: &Message) -> Result<(), Problem> {
        let Some(wamid) = &message.wamid else { return Ok(()) };
        let now = self.now();
        let statuses = [EvidenceStatus::Sent, EvidenceStatus::Delivered].map(|status| {
            let evidence = Evidence {
                status,
                wamid: wamid.clone(),
                attempt: Some(message.attempt),
                reported_at: Some(now),
                error: None,
                by_webhook: true,
            };
            (message.key(), evidence)
        });
        flatten(self.commits().merge.submit(statuses.to_vec()).await)?;
        Ok(())
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
        let found = self.ports().messages.load(&[*key]).await?;
        if let Some(mut message) = found.into_iter().next().flatten() {
            let gave_up = message.strike(self.now());
            tracing::error!(message_id = %key.message_id, tenant_id = %key.tenant_id, strikes = message.strikes, gave_up, "preparing the message crashed");
            self.save(&mut message).await?;
        }
        Ok(())
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
        id: message.conversation_id?,
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
