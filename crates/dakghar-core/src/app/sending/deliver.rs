//! Delivers claimed messages: calls Meta, and records the outcome.
//!
//! A crash can come at three points:
//!
//! - before the claim: the message is still queued, and its timer brings it back;
//! - after the claim, before or during the call: the lease expires and the message becomes `in_doubt`;
//! - after the call, before its outcome is saved: the message becomes `in_doubt` as well, also where its client was told
//!   already that Meta has it. The status webhook carries our callback data and tells the outcome. Where the store is away,
//!   the outcome is kept on this machine; see [`super::replay`].
//!
//! Nothing slow stands between claim and call: the token is opened before the claim.

use std::time::Duration;

use parking_lot::Mutex;

use super::Sending;
use super::gate::Place;
use super::host::Reach;
use super::in_flight::InHand;
use super::jobs::End;
use super::pairs;
use super::prepare::{ClaimedSend, PreparedSend};
use crate::app::allowances::CallResult;
use crate::app::failure::Failure;
use crate::app::messages::{Change, Start};
use crate::app::stale::Step;
use crate::domain::allowance::AllowancesUsed;
use crate::domain::feed::TakenMessage;
use crate::domain::message::{
    DeadReason, Evidence, EvidenceStatus, Fenced, Message, NotSentCause, Recorded, SendOutcome, Status,
};
use crate::domain::tenant::SharedTenant;
use crate::domain::trace::{Attribute, SpanName};
use crate::domain::{ConversationKind, ConversationTouch, Tenant, WaId};
use crate::metrics::{Attempt, DoubtEnd, Label as _};
use crate::ports::{Job, SendCall};
use crate::traces::Span;

/// The least time that a lease must still have for a call to begin.
const CALL_MIN: Duration = Duration::from_millis(100);

/// A call that ended. Its outcome is not durable yet.
#[derive(Debug)]
pub struct EndedCall {
    /// The message as it was claimed; the stored one may have moved on since.
    claimed: Message,
    /// The tenant with the token of the call; a newer token may have replaced it since.
    tenant: SharedTenant,
    outcome: SendOutcome,
    job: Option<Job>,
    span: Span,
    /// When the call ended, by the machine's uptime; `None` if there was none.
    ended_at: Option<Duration>,
    // The place is held until the outcome is durable, so that a slow store slows the calls down.
    _place: Place,
    _in_hand: InHand,
}

impl EndedCall {
    /// The message as it was claimed, and the outcome of the call.
    pub(super) const fn parts(&self) -> (&Message, &SendOutcome) {
        (&self.claimed, &self.outcome)
    }
}

impl Sending {
    /// Calls Meta once. The lease is checked immediately before: a worker that was frozen meanwhile must not call for a
    /// message that another process has taken over.
    pub async fn call(&self, ClaimedSend(send): ClaimedSend) -> EndedCall {
        let PreparedSend {
            message,
            tenant,
            token,
            app_secret,
            job,
            mut place,
            in_hand,
            claimed_at,
            span,
        } = send;
        let Message { accepted, delivery } = &message;
        // By the time since the boot: another clock may step, or stand still while the machine is suspended.
        let elapsed = self.ports.clock.uptime().saturating_sub(claimed_at);
        let timings = &self.settings.send.timings;
        let left = timings
            .lease
            .saturating_sub(timings.lease_margin + elapsed)
            .min(timings.call_timeout);
        let (outcome, ended_at) = if left < CALL_MIN {
            let why = "the worker was stopped before the call".into();
            let cause = NotSentCause::Worker;
            (SendOutcome::NotSent { cause, why }, None)
        } else {
            let opaque = self
                .opaque
                .sign(&message.key(), &accepted.phone_number_id, delivery.attempt);
            let used = Mutex::default();
            let call = SendCall {
                message: &message,
                token: &token,
                app_secret: app_secret.as_ref(),
                opaque: &opaque,
                timeout: left,
                used: &used,
            };
            let mut call_span = span.child(SpanName::GraphCall);
            let begun = self.stages.call_begins(&message, span.context(), elapsed);
            let outcome = self.call_meta(call).await;
            let ended_at = self.stages.call_ends(&begun, &outcome);
            self.note_allowances(&message, &tenant, &outcome, used.into_inner());
            say_outcome(&mut call_span, &outcome);
            self.tell_taken(&message, &outcome, job.is_awaited);
            (outcome, Some(ended_at))
        };
        self.ports.metrics.attempts.of(Attempt::from(&outcome)).inc();
        place.host.tell(&reach(&outcome));
        EndedCall {
            claimed: message,
            tenant,
            outcome,
            job: Some(job),
            span,
            ended_at,
            _place: place,
            _in_hand: in_hand,
        }
    }

    /// Tells a client that waits that Meta has taken its message, before that is stored.
    fn tell_taken(&self, message: &Message, outcome: &SendOutcome, is_awaited: bool) {
        let SendOutcome::Accepted { wamid, receipt, .. } = outcome else {
            return;
        };
        let (key, peer_id) = (message.key(), message.accepted.peer_id.as_ref());
        let receipt = receipt.beyond(peer_id.map(WaId::as_str));
        let waits_here = self.messages.outcomes().tell_taken(&key, wamid, receipt.as_ref());
        // What Meta says of a person goes through the store only.
        if is_awaited && !waits_here && receipt.is_none() {
            let wamid = wamid.clone();
            self.ports.news.tell_taken(TakenMessage { key, wamid });
        }
    }

    /// Notes what the answer tells of allowances, before whoever waits for the outcome hears of that.
    fn note_allowances(&self, message: &Message, tenant: &Tenant, outcome: &SendOutcome, used: AllowancesUsed) {
        if let Some(number) = tenant.number(Some(&message.accepted.phone_number_id)) {
            self.gate
                .allowances
                .note(&tenant.id, number, CallResult::from(outcome), &used);
        }
        self.messages.outcomes().tell_used(&message.key(), used);
    }

    /// Makes the outcome of a call durable. After an error the caller tries again as long as it lives: Meta's answer is
    /// evidence even when the lease has expired.
    pub async fn record(&self, ended: &mut EndedCall) -> Result<(), Failure> {
        let EndedCall { claimed, outcome, .. } = &*ended;
        self.join_people(claimed, outcome).await;
        if self.foresees_the_end(claimed, outcome) {
            self.holds.number_fails(claimed).await?;
        }
        let epoch = claimed.delivery.epoch;
        let mut recorded = Err(Fenced);
        let step = |message: &mut Message| {
            recorded = self.record_in(message, epoch, outcome);
            match recorded {
                Ok(_) => Step::Save,
                Err(Fenced) => Step::Leave,
            }
        };
        match (
            self.messages
                .change(Start::Read(Box::new(claimed.clone())), step)
                .await?,
            recorded,
        ) {
            (Change::Saved(message), Ok(recorded)) => {
                let metrics = &self.ports.metrics;
                metrics.message_changed(Status::Sending, &message, DoubtEnd::Policy);
                if let Some(ended_at) = ended.ended_at {
                    self.stages.recorded(ended.span.context(), ended_at);
                }
                say_recorded(&mut ended.span, recorded);
                let job = ended.job.take();
                self.follow_up(&message, &ended.tenant, recorded, job).await;
            }
            (Change::Saved(_) | Change::Left(_), _) => {
                self.add_late_evidence(claimed, outcome).await?;
                if let Some(job) = ended.job.take() {
                    self.jobs.end(job, &End::Elsewhere);
                }
            }
            // The message was erased with its tenant.
            (Change::Gone, _) => {}
        }
        self.leases.forget(&ended.claimed.key());
        Ok(())
    }

    /// Remembers that the recipient is also known under the ids of Meta's answer, where these are others. Before the
    /// outcome: a crash between the two leaves what is true. A failure costs no outcome: the next answer says it again.
    pub(super) async fn join_people(&self, message: &Message, outcome: &SendOutcome) {
        let SendOutcome::Accepted { known_as, .. } = outcome else {
            return;
        };
        let is_other = |id: &&WaId| Some(*id) != message.accepted.peer_id.as_ref();
        let also: Vec<WaId> = known_as.iter().filter(is_other).cloned().collect();
        if also.is_empty() || message.accepted.conversation_kind == ConversationKind::Group {
            return;
        }
        let touch = message.touch(message.delivery.updated_at, false);
        let touches = touch.map(|touch| ConversationTouch { also, ..touch });
        let joined = self.touches.submit(touches.into_iter().collect()).await;
        if let Err(failure) = joined
            .map_err(Failure::from)
            .and_then(|joined| joined.map_err(Failure::from))
        {
            let accepted = &message.accepted;
            tracing::warn!(message_id = %accepted.id, tenant_id = %accepted.tenant_id, %failure, "a further id of the recipient was not kept");
        }
    }

    /// Records the outcome of a call in the message, if that is still held under the epoch of the call.
    pub(super) fn record_in(
        &self,
        message: &mut Message,
        epoch: u64,
        outcome: &SendOutcome,
    ) -> Result<Recorded, Fenced> {
        let present = self.ports.clock.present();
        let jitter = self.ports.ids.jitter();
        let recorded = message.record_outcome(epoch, present, outcome, &self.settings.send, jitter)?;
        if message.delivery.status == Status::Queued {
            let slot_at = message.delivery.slot_at.unwrap_or(present.now);
            message.schedule(present, slot_at, self.jobs.window());
        }
        Ok(recorded)
    }

    /// True if the message uses up its attempts with this outcome.
    fn foresees_the_end(&self, claimed: &Message, outcome: &SendOutcome) -> bool {
        if matches!(outcome, SendOutcome::Accepted { .. } | SendOutcome::Unknown { .. }) {
            return false;
        }
        let mut message = claimed.clone();
        let (epoch, present) = (message.delivery.epoch, self.ports.clock.present());
        let recorded = message.record_outcome(epoch, present, outcome, &self.settings.send, 0.0);
        recorded.is_ok() && message.delivery.dead_reason == Some(DeadReason::AttemptsExhausted)
    }

    /// Keeps Meta's answer for a message that is no longer ours. The answer is true whoever holds the message.
    async fn add_late_evidence(&self, claimed: &Message, outcome: &SendOutcome) -> Result<(), Failure> {
        let SendOutcome::Accepted { wamid, .. } = outcome else {
            return Ok(());
        };
        // Its status may have come before its answer; that statuses arrive is then known all the better.
        self.remember_call(claimed);
        let evidence = Evidence {
            status: EvidenceStatus::Sent,
            wamid: wamid.clone(),
            attempt: Some(claimed.delivery.attempt),
            reported_at: None,
            error: None,
            by_webhook: false,
            participant: None,
        };
        self.merges.submit(vec![(claimed.key(), evidence)]).await??;
        Ok(())
    }

    pub(super) fn remember_call(&self, called: &Message) {
        if let Some(called_at) = called.delivery.called_at {
            let number = &called.accepted.phone_number_id;
            self.recent_calls.remember(number, called_at, called.key());
        }
    }

    /// Tells the queue and the number about a recorded outcome.
    pub(super) async fn follow_up(&self, message: &Message, tenant: &Tenant, recorded: Recorded, job: Option<Job>) {
        log_outcome(message, recorded);
        self.jobs.release(message);
        if let Some(job) = job {
            self.jobs.end(job, &End::Stored(message));
        }
        let number = &message.accepted.phone_number_id;
        let result = match recorded {
            Recorded::Sent => {
                let tenants = &self.ports.metrics.tenants;
                tenants.count(&tenant.id, 1, |of| _ = of.sent.inc());
                self.remember_call(message);
                self.holds.number_works(message, tenant).await
            }
            Recorded::SlowDown(until) => {
                let now = self.ports.clock.now();
                self.ports.pacer.pause_until(number, now, until).await;
                Ok(())
            }
            Recorded::PairSlowDown(until) => {
                pairs::put_first(&*self.ports.pacer, message, self.ports.clock.now(), until).await;
                Ok(())
            }
            Recorded::Held(reason) => self.holds.number_refused(tenant, number, reason).await,
            Recorded::GaveUp if message.delivery.dead_reason == Some(DeadReason::AttemptsExhausted) => {
                self.holds.number_fails(message).await
            }
            // Who rests was noted when the call ended.
            Recorded::AllowanceSlowDown(_)
            | Recorded::Failed
            | Recorded::Retry(_)
            | Recorded::InDoubt
            | Recorded::GaveUp => Ok(()),
        };
        if let Err(failure) = result {
            let accepted = &message.accepted;
            tracing::warn!(message_id = %accepted.id, tenant_id = %accepted.tenant_id, %failure, "the outcome is stored, what follows from it is not yet");
        }
    }
}

/// Returns what the outcome tells about Meta's host.
fn reach(outcome: &SendOutcome) -> Reach<'_> {
    match outcome {
        SendOutcome::Accepted { .. } | SendOutcome::Refused(_) | SendOutcome::TurnedAway { .. } => Reach::Answered,
        SendOutcome::Unknown { .. } => Reach::NoAnswer,
        SendOutcome::NotSent { cause, why } => match cause {
            NotSentCause::Host => Reach::Unreachable(why),
            NotSentCause::Worker | NotSentCause::Request => Reach::NotTried,
        },
    }
}

/// Says how a call to Meta ended.
fn say_outcome(span: &mut Span, outcome: &SendOutcome) {
    let attempt = Attempt::from(outcome).as_str();
    span.say(Attribute::Outcome(attempt));
    match outcome {
        SendOutcome::Accepted { .. } => return,
        SendOutcome::Refused(refusal) => span.say(Attribute::GraphCode(refusal.code)),
        SendOutcome::TurnedAway { http_status, .. } => span.say(Attribute::HttpStatus(*http_status)),
        SendOutcome::NotSent { .. } | SendOutcome::Unknown { .. } => {}
    }
    span.fail(attempt);
}

/// Says what the outcome made of the message.
fn say_recorded(span: &mut Span, recorded: Recorded) {
    let word = word_of(recorded);
    span.say(Attribute::Outcome(word));
    if recorded != Recorded::Sent {
        span.fail(word);
    }
}

const fn word_of(recorded: Recorded) -> &'static str {
    match recorded {
        Recorded::Sent => "sent",
        Recorded::Failed => "failed",
        Recorded::Retry(_) => "retry",
        Recorded::SlowDown(_) => "slow_down",
        Recorded::AllowanceSlowDown(_) => "allowance_slow_down",
        Recorded::PairSlowDown(_) => "pair_slow_down",
        Recorded::Held(_) => "held",
        Recorded::InDoubt => "in_doubt",
        Recorded::GaveUp => "gave_up",
    }
}

/// Logs one line for each handled failure. Successes are only in the timeline.
pub(super) fn log_outcome(message: &Message, recorded: Recorded) {
    if recorded == Recorded::Sent {
        return;
    }
    let outcome = word_of(recorded);
    let error = message.delivery.error.as_ref();
    let code = error.and_then(|error| error.code);
    let fbtrace_id = error.and_then(|error| error.fbtrace_id.as_deref());
    tracing::warn!(
        message_id = %message.accepted.id,
        tenant_id = %message.accepted.tenant_id,
        phone_number_id = %message.accepted.phone_number_id,
        attempt = message.delivery.attempt,
        code,
        fbtrace_id,
        outcome,
        "a send did not go through"
    );
}
