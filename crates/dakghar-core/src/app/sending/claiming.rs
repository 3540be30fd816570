//! Claims prepared messages, so that nobody else calls for them.
//!
//! The conversation of a message is touched at the same time. Nobody calls before both are durable: a touch without a message
//! is harmless, but a message that was sent and has no conversation would be hidden. A crash after the claim and before the
//! touch leaves a message that is not called for, until its lease ends; whoever takes it over touches its conversation first.

use futures_util::future::join;

use super::Sending;
use super::jobs::End;
use super::prepare::{ClaimedSend, PreparedSend};
use crate::app::failure::{Failure, Fault};
use crate::app::messages::{Change, Start};
use crate::app::stale::Step;
use crate::domain::message::{Fenced, Message, NotSentCause, SendOutcome, Status};
use crate::metrics::DoubtEnd;
use crate::ports::{Save, Saved};

/// A message of whose claim the store did not say whether it took it, or whose conversation was not touched. Nobody calls for
/// it, and only this process knows that: unless it gives the claim back, one that was taken ends in doubt.
#[derive(Debug)]
pub struct UnconfirmedClaim(PreparedSend);

/// The result of claiming.
pub struct Claims {
    /// These are to be called.
    pub claimed: Vec<ClaimedSend>,
    /// These are to be given back.
    pub unconfirmed: Vec<UnconfirmedClaim>,
}

impl Sending {
    /// Claims prepared messages in one commit. A message that another process claimed or changed meanwhile is left out.
    pub async fn claim(&self, sends: Vec<PreparedSend>) -> Claims {
        let saves: Vec<Save> = sends.iter().map(|send| Save::quiet(&send.message)).collect();
        let claiming = self.ports.messages.claim(&saves);
        let (saved, touched) = join(claiming, self.touch(&sends)).await;
        if let Err(failure) = &touched
            && !self.outages.note(failure)
        {
            tracing::warn!(%failure, "conversations were not touched, so claims are given back");
        }
        let mut claims = Claims {
            claimed: Vec::with_capacity(sends.len()),
            unconfirmed: Vec::new(),
        };
        for (mut send, saved) in sends.into_iter().zip(saved) {
            match saved {
                Ok(Saved::Done) if touched.is_err() => claims.unconfirmed.push(UnconfirmedClaim(send)),
                Ok(Saved::Done) => {
                    self.outages.store_answered();
                    send.message.delivery.version += 1;
                    claims.claimed.push(ClaimedSend(send));
                }
                Ok(Saved::Stale) => {
                    // It answered, so it is there.
                    self.outages.store_answered();
                    self.leases.forget(&send.message.key());
                    self.jobs.end(send.job, &End::Elsewhere);
                }
                Err(error) => {
                    let accepted = &send.message.accepted;
                    let failure = Failure::from(error);
                    if !self.outages.note(&failure) {
                        tracing::warn!(message_id = %accepted.id, tenant_id = %accepted.tenant_id, %failure, "a claim failed");
                    }
                    // A fault of the message itself is an answer: its claim was not taken.
                    if failure.fault() == Fault::Surroundings {
                        claims.unconfirmed.push(UnconfirmedClaim(send));
                    }
                }
            }
        }
        claims
    }

    /// Moves the conversations of messages that are about to be called for.
    async fn touch(&self, sends: &[PreparedSend]) -> Result<(), Failure> {
        let touch = |send: &PreparedSend| send.message.touch(send.message.delivery.updated_at, false);
        let touches: Vec<_> = sends.iter().filter_map(touch).collect();
        if touches.is_empty() {
            return Ok(());
        }
        Ok(self.touches.submit(touches).await??)
    }

    /// Gives a claim back, if the store took it. If not, the message is still due, and its job comes back.
    ///
    /// # Errors
    /// It is not known, and to be asked again. What is no fault of the surroundings is one of the message.
    pub async fn give_back(&self, unconfirmed: UnconfirmedClaim) -> Result<(), (UnconfirmedClaim, Failure)> {
        let UnconfirmedClaim(send) = &unconfirmed;
        let claimed = &send.message;
        let outcome = SendOutcome::NotSent {
            cause: NotSentCause::Worker,
            why: "the claim was not confirmed".into(),
        };
        let mut recorded = Err(Fenced);
        // The stored one is read first: it may have been changed from the same version by somebody else.
        let step = |message: &mut Message| {
            let (stored, own) = (&message.delivery, &claimed.delivery);
            let is_own = stored.status == Status::Sending && stored.epoch == own.epoch && stored.lease == own.lease;
            recorded = if is_own {
                self.record_in(message, own.epoch, &outcome)
            } else {
                Err(Fenced)
            };
            if recorded.is_ok() { Step::Save } else { Step::Leave }
        };
        let key = claimed.key();
        let changed = match self.messages.change(Start::Unread(key), step).await {
            Ok(changed) => changed,
            Err(failure) => return Err((unconfirmed, failure)),
        };
        let UnconfirmedClaim(send) = unconfirmed;
        if let (Change::Saved(message), Ok(recorded)) = (changed, recorded) {
            let metrics = &self.ports.metrics;
            metrics.message_changed(Status::Sending, &message, DoubtEnd::Policy);
            self.follow_up(&message, &send.tenant, recorded, Some(send.job)).await;
        }
        self.leases.forget(&key);
        Ok(())
    }
}
