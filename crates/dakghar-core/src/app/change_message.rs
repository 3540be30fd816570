//! Changes a message on somebody's request: cancel it, or send a dead letter again.

use super::App;
use super::accept_message::queue_entry;
use super::commits::flatten;
use crate::domain::message::Message;
use crate::domain::message::NotRedrivable;
use crate::domain::{ErrorCode, MessageKey, Problem, Status, TenantId};
use crate::ports::{Save, Saved, SlotAsk};

const STALE_ROUNDS_MAX: usize = 8;

impl App {
    /// Cancels a message before any call could deliver it. Cancelling it twice is fine.
    pub async fn cancel_message(&self, tenant_id: &TenantId, id: &str) -> Result<Message, Problem> {
        for _ in 0..STALE_ROUNDS_MAX {
            let mut message = self.message(tenant_id, id).await?;
            if message.delivery.status == Status::Cancelled {
                return Ok(message);
            }
            if !message.cancel(self.now()) {
                return Err(Problem::new(
                    ErrorCode::NotCancellable,
                    why_not_cancelled(message.delivery.status),
                ));
            }
            if self.save(&mut message).await? {
                return Ok(message);
            }
        }
        Err(kept_changing())
    }

    /// Sends a dead letter again.
    pub async fn redrive_message(
        &self,
        tenant_id: &TenantId,
        id: &str,
        accept_duplicate_risk: bool,
    ) -> Result<Message, Problem> {
        for _ in 0..STALE_ROUNDS_MAX {
            let mut message = self.message(tenant_id, id).await?;
            message.redrive(self.now(), accept_duplicate_risk).map_err(|refusal| match refusal {
                NotRedrivable::NotDead => {
                    let detail = format!("It is {}, not dead, failed or expired.", message.delivery.status.as_str());
                    Problem::new(ErrorCode::NotRedrivable, detail)
                }
                NotRedrivable::DuplicateRisk => Problem::new(
                    ErrorCode::DuplicateRiskUnconfirmed,
                    "Nobody knows whether it was delivered; confirm that it may arrive twice (confirmDuplicateRisk).",
                ),
            })?;
            let is_released = self.give_slot(&mut message).await;
            if self.save(&mut message).await? {
                if is_released {
                    self.commits().enqueue.post(queue_entry(&message).into());
                }
                tracing::info!(%tenant_id, message_id = %message.accepted.id, "dead letter sent again");
                return Ok(message);
            }
        }
        Err(kept_changing())
    }

    /// Saves through the group commit; answers whether nobody else saved in between.
    pub(super) async fn save(&self, message: &mut Message) -> Result<bool, Problem> {
        match flatten(self.commits().save.submit(Save::from(&*message)).await)? {
            Saved::Done => {
                message.delivery.version += 1;
                Ok(true)
            }
            Saved::Stale => Ok(false),
        }
    }

    /// Reserves the next slot of its number for a queued message and schedules it; answers whether it belongs into
    /// the queue now. If the pacer cannot be reached, the gate will keep the pace.
    pub(super) async fn give_slot(&self, message: &mut Message) -> bool {
        let now = self.now();
        let not_before = message.delivery.slot_at.map_or(now, |slot_at| slot_at.max(now));
        let slot = match self.directory().find(&message.accepted.tenant_id).await {
            Ok(Some(tenant)) => match tenant.number(Some(&message.accepted.phone_number_id)) {
                Some(number) => {
                    let ask = SlotAsk {
                        phone_number_id: message.accepted.phone_number_id.clone(),
                        per_second: number.planned_per_second(),
                        priority: message.accepted.priority,
                        not_before,
                    };
                    self.ports()
                        .pacer
                        .reserve(&[ask])
                        .await
                        .ok()
                        .and_then(|slots| slots.first().copied())
                }
                None => None,
            },
            _ => None,
        };
        message.schedule(now, slot.unwrap_or(not_before), self.queue_window())
    }

    /// The message under this id, as the client wrote it.
    pub(super) fn message_key(tenant_id: &TenantId, id: &str) -> Result<MessageKey, Problem> {
        let message_id = crate::domain::MessageId::parse(id).map_err(|_| no_such_message())?;
        Ok(MessageKey {
            tenant_id: *tenant_id,
            message_id,
        })
    }
}

pub(super) fn no_such_message() -> Problem {
    Problem::new(ErrorCode::MessageNotFound, "The tenant has no message with this id.")
}

/// Why a message that has this status could not be cancelled.
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

fn kept_changing() -> Problem {
    Problem::new(ErrorCode::Conflict, "The message kept changing; please try again.")
}
