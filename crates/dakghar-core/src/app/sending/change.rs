//! Changes of a message on request: cancel it, send a dead letter again, or settle the id that its client is answered with.

use std::sync::Arc;

use super::jobs::Jobs;
use super::slots::Slots;
use crate::app::auditing::Deed;
use crate::app::failure::Failure;
use crate::app::messages::{Change, Messages, Start};
use crate::app::outcomes::Outcome;
use crate::app::reading::{message_key, no_such_message};
use crate::app::stale::Step;
use crate::app::tenants::directory::Directory;
use crate::app::waiting::Waiting;
use crate::domain::audit::{AuditAction, Principal};
use crate::domain::message::{Message, NotRedrivable, RedriveOptions, Status};
use crate::domain::{Actor, ErrorCode, MessageKey, Problem, Tenant, TenantId};
use crate::ports::Clock;

/// Changes messages on request.
pub struct Changing {
    pub(in crate::app) messages: Messages,
    pub(in crate::app) slots: Slots,
    pub(in crate::app) jobs: Jobs,
    pub(in crate::app) clock: Arc<dyn Clock>,
    pub(in crate::app) directory: Arc<Directory>,
    pub(in crate::app) waiting: Arc<Waiting>,
}

impl Changing {
    /// Cancels a message before any call could deliver it. Cancelling it twice is harmless.
    ///
    /// That an operator did it is in the audit log; what a tenant does to its messages, they tell themselves.
    pub async fn cancel(&self, tenant_id: &TenantId, id: &str, by: &Principal) -> Result<Message, Failure> {
        let key = message_key(tenant_id, id)?;
        let step = |message: &mut Message| {
            if message.cancel(self.clock.now()) {
                Step::Save
            } else {
                Step::Leave
            }
        };
        let deed = deed(by, AuditAction::MessageCancelled, &key);
        match self.change(deed, Start::Unread(key), step).await? {
            Change::Saved(message) => Ok(message),
            Change::Left(message) if message.delivery.status == Status::Cancelled => Ok(message),
            Change::Left(message) => {
                let why = why_not_cancelled(message.delivery.status);
                Err(Problem::new(ErrorCode::NotCancellable, why).into())
            }
            Change::Gone => Err(no_such_message().into()),
        }
    }

    /// Sends a dead letter again. `within` is its tenant, if it asks itself: then it must have room for one more message
    /// that waits. Recorded as a cancellation is.
    pub async fn redrive(
        &self,
        tenant_id: &TenantId,
        id: &str,
        options: RedriveOptions,
        within: Option<&Tenant>,
        by: &Principal,
    ) -> Result<Message, Failure> {
        let key = message_key(tenant_id, id)?;
        let present = self.clock.present();
        let portion = self.messages.load_reported(&mut vec![key]).await?;
        let found = portion.into_iter().next().map(|(_, found)| found).transpose()?;
        let message = found.flatten().ok_or_else(no_such_message)?;
        let version = message.delivery.version;
        // Check first, so that a refused message costs no slot.
        let refused = message.clone().redrive(present, options);
        refused.map_err(|refusal| why_not_redriven(refusal, &message))?;
        let mut place = match within {
            Some(tenant) => self.waiting.enter(tenant).await?,
            None => None,
        };
        let slot_at = self.slots.reserve(&message, present.now).await;
        let (mut refused, mut is_another) = (Ok(()), false);
        let step = |message: &mut Message| {
            // Without its reports, another copy does not tell what became of it.
            is_another = message.delivery.version != version;
            refused = message.redrive(present, options);
            if is_another || refused.is_err() {
                return Step::Leave;
            }
            message.schedule(present, slot_at, self.jobs.window());
            Step::Save
        };
        let deed = deed(by, AuditAction::MessageRedriven, &key);
        let change = self.change(deed, Start::Read(Box::new(message)), step).await;
        if let (Ok(Change::Saved(_)) | Err(_), Some(place)) = (&change, &mut place) {
            place.is_taken();
        }
        drop(place);
        match (change?, refused) {
            (Change::Saved(message), _) => {
                self.jobs.release(&message);
                tracing::info!(%tenant_id, message_id = %message.accepted.id, "dead letter sent again");
                Ok(message)
            }
            (Change::Left(_), _) if is_another => Err(Failure::KeptChanging("message")),
            (Change::Left(message), Err(refusal)) => Err(why_not_redriven(refusal, &message).into()),
            (Change::Left(message), Ok(())) => Ok(message),
            (Change::Gone, _) => Err(no_such_message().into()),
        }
    }
}

impl Changing {
    /// Settles, before a client is answered that waits no longer, by which id it knows its message from then on: by Meta's, if
    /// that is known by now, else by the gateway id. Who asks again is told the same.
    ///
    /// A crash between the write and the answer leaves a message that is told of by its gateway id, and a client that has no id
    /// of it. Its repetition under the same key is answered with that id.
    pub async fn settle_id(&self, key: &MessageKey) -> Result<Outcome, Failure> {
        if self.messages.know_by_gateway_id(key).await? {
            return Ok(Outcome::Open);
        }
        let message = self.messages.load(key).await?;
        Ok(message.map_or(Outcome::Open, |message| Outcome::at_once(&message)))
    }

    async fn change(
        &self,
        deed: Option<Deed<'_>>,
        start: Start,
        step: impl FnMut(&mut Message) -> Step + Send,
    ) -> Result<Change, Failure> {
        match deed {
            Some(deed) => self.messages.change_by(&deed, start, step).await,
            None => self.messages.change(start, step).await,
        }
    }
}

/// The deed that is to be recorded, if one is.
fn deed<'a>(by: &'a Principal, action: AuditAction, key: &MessageKey) -> Option<Deed<'a>> {
    let deed = Deed::new(by, action).of(&key.tenant_id);
    (by.actor() == Actor::Operator).then(|| deed.about("message", key.message_id))
}

fn why_not_redriven(refusal: NotRedrivable, message: &Message) -> Problem {
    match refusal {
        NotRedrivable::NotDead => {
            let status = message.delivery.status.as_str();
            let detail = format!("It is {status}, not dead, failed or expired.");
            Problem::new(ErrorCode::NotRedrivable, detail)
        }
        NotRedrivable::Expired => {
            let expires_at = message.delivery.expires_at;
            let since = expires_at.map_or_else(String::new, |at| format!(" (expiresAt {at})"));
            let detail =
                format!("The time in which it may be sent is over{since}; send it all the same with ignoreExpiry.");
            Problem::new(ErrorCode::MessageExpired, detail)
        }
        NotRedrivable::DuplicateRisk => Problem::new(
            ErrorCode::DuplicateRiskUnconfirmed,
            "Nobody knows whether it was delivered; confirm that it may arrive twice (confirmDuplicateRisk).",
        ),
        NotRedrivable::ContentRemoved => {
            let removed_at = message.accepted.content.removed_at;
            let at = removed_at.map_or_else(String::new, |at| format!(" ({at})"));
            let detail =
                format!("Its content was removed{at}, because it is older than contents are kept (contentDays).");
            Problem::new(ErrorCode::ContentRemoved, detail)
        }
    }
}

/// Explains that a message with this status cannot be cancelled.
fn why_not_cancelled(status: Status) -> String {
    let name = status.as_str();
    match status {
        Status::Received => "It was received, not sent.".to_owned(),
        Status::Queued | Status::Held => format!("It is {name}, and a call before may have reached Meta."),
        Status::Sending | Status::InDoubt => format!("It is {name} and may have reached Meta."),
        Status::Sent | Status::Delivered | Status::Read => format!("It is {name}: Meta has it."),
        Status::Cancelled | Status::Expired | Status::Dead | Status::Failed => {
            format!("It is {name}, so it is not waiting to be sent.")
        }
    }
}
