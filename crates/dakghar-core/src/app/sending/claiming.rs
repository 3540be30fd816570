//! Claims prepared messages, so that nobody else calls for them.

use super::Sending;
use super::deliver::EndedCall;
use super::jobs::End;
use super::prepare::PreparedSend;
use crate::app::failure::{Failure, Fault};
use crate::ports::{Save, Saved};

/// A message whose claim is durable: it may be called for.
#[derive(Debug)]
pub struct ClaimedSend(pub(super) PreparedSend);

/// The result of claiming.
pub struct Claims {
    /// These are to be called.
    pub claimed: Vec<ClaimedSend>,
    /// The store did not say whether it took these claims. Nobody calls for them, and only this process knows that: unless
    /// it records so, a claim that was taken ends in doubt.
    pub unconfirmed: Vec<EndedCall>,
}

impl Sending {
    /// Claims prepared messages in one commit. A message that another process claimed or changed meanwhile is left out.
    pub async fn claim(&self, sends: Vec<PreparedSend>) -> Claims {
        let saves: Vec<Save> = sends.iter().map(|send| Save::quiet(&send.message)).collect();
        let saved = self.ports.messages.claim(&saves).await;
        let mut claims = Claims {
            claimed: Vec::with_capacity(sends.len()),
            unconfirmed: Vec::new(),
        };
        for (mut send, saved) in sends.into_iter().zip(saved) {
            match saved {
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
                        send.message.delivery.version += 1;
                        claims.unconfirmed.push(EndedCall::not_made(send));
                    }
                }
            }
        }
        claims
    }
}
