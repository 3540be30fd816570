//! Delivers what was prepared: claim, call, outcome.
//!
//! The crashes in between, and what heals them. Before the claim: the message is still queued and its timer brings it
//! back. After the claim, before or during the call: the lease runs out and the message becomes `in_doubt`. After the
//! call, before its outcome is saved: the same, and the status webhook, which carries our callback data, tells the
//! outcome. Nothing slow stands between claim and call: the token is opened before.

use std::time::Duration;

use super::App;
use super::accept_message::queue_entry;
use super::commits::flatten;
use super::in_flight::InFlight;
use super::prepare_message::{PreparedSend, disposition, probe_interval};
use crate::domain::message::lifecycle::{Fenced, Recorded};
use crate::domain::message::{Evidence, EvidenceStatus, Message, SendOutcome};
use crate::domain::tenant::TOKEN_REFUSALS_MAX;
use crate::domain::{ErrorCode, Hold, HoldReason, Problem, Status};
use crate::ports::{Disposition, GraphCall, Job, Saved};

/// What must be left of a lease for a call to begin.
const CALL_MIN: Duration = Duration::from_millis(100);
const STALE_ROUNDS_MAX: usize = 16;

/// A message whose call is authorised and durable as such.
#[derive(Debug)]
pub struct ClaimedSend(PreparedSend);

/// A call that ended, with its outcome not yet durable.
#[derive(Debug)]
pub struct EndedCall {
    message: Message,
    /// Which of its calls ended, and under which epoch: the message itself may have moved on since, also between two
    /// tries to record the outcome.
    attempt: u32,
    epoch: u64,
    outcome: SendOutcome,
    job: Option<Job>,
    // Held until the outcome is durable, so that a slow store slows the calls down.
    _in_flight: InFlight,
}

impl App {
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
            attempt: message.attempt,
            epoch: message.epoch,
            message,
            outcome,
            job: Some(job),
            _in_flight: in_flight,
        }
    }

    /// Makes the outcome of a call durable. After an error the caller tries again, as long as it lives: what Meta
    /// answered is evidence even when the lease is over.
    pub async fn record(&self, ended: &mut EndedCall) -> Result<(), Problem> {
        for _ in 0..STALE_ROUNDS_MAX {
            let mut message = ended.message.clone();
            let now = self.now();
            let jitter = self.ports().ids.jitter();
            match message.record_outcome(ended.epoch, now, &ended.outcome, &self.settings().send, jitter) {
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
                    self.add_late_evidence(ended).await?;
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
        Err(Problem::new(ErrorCode::Conflict, "the message kept changing"))
    }

    /// The message is no longer ours, but Meta's answer is true whoever holds it.
    async fn add_late_evidence(&self, ended: &EndedCall) -> Result<(), Problem> {
        let SendOutcome::Accepted { wamid } = &ended.outcome else {
            return Ok(());
        };
        let evidence = Evidence {
            status: EvidenceStatus::Sent,
            wamid: wamid.clone(),
            attempt: Some(ended.attempt),
            reported_at: None,
            error: None,
            by_webhook: false,
        };
        flatten(self.commits().merge.submit(vec![(ended.message.key(), evidence)]).await)?;
        Ok(())
    }

    /// What a recorded outcome means for the queue and for the number.
    async fn after(&self, message: &Message, recorded: Recorded, job: Option<Job>) {
        log_outcome(message, recorded);
        if message.status == Status::Queued && message.enqueued_at.is_some() {
            self.commits().enqueue.post(queue_entry(message).into());
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

    /// A message that was given up while no job was in hand gets one that ends as failed, so that the queue's tools
    /// show every dead letter. For people only: nothing is lost when it does not get there.
    pub(super) fn show_dead(&self, message: &Message) {
        if message.status == Status::Dead && self.queue_window().is_some() {
            self.commits().enqueue.post(queue_entry(message).into());
        }
    }
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
