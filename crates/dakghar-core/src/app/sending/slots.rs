//! Slots for messages that go into the queue again.

use std::sync::Arc;

use crate::app::tenants::directory::Directory;
use crate::domain::message::Message;
use crate::domain::pacing::{Priority, RELEASE_CHECK};
use crate::domain::{PhoneNumber, Timestamp};
use crate::ports::{Pacer, SlotAsk};

/// Reserves slots of numbers.
#[derive(Clone)]
pub(in crate::app) struct Slots {
    directory: Arc<Directory>,
    pacer: Arc<dyn Pacer>,
}

impl Slots {
    pub(in crate::app) const fn new(directory: Arc<Directory>, pacer: Arc<dyn Pacer>) -> Self {
        Self { directory, pacer }
    }

    /// Reserves the next slot of the message's number, not before the time it waits for. If the pacer cannot be
    /// reached, returns that time itself: the gate keeps the pace. So it does if that time is far away, since a message
    /// for later must not reserve the number's whole time until then.
    pub(super) async fn reserve(&self, message: &Message, now: Timestamp) -> Timestamp {
        let not_before = message.delivery.slot_at.map_or(now, |slot_at| slot_at.max(now));
        if not_before > now + RELEASE_CHECK {
            return not_before;
        }
        let Ok(Some(tenant)) = self.directory.find(&message.accepted.tenant_id).await else {
            return not_before;
        };
        let Some(number) = tenant.number(Some(&message.accepted.phone_number_id)) else {
            return not_before;
        };
        let ask = ask(number, message.accepted.priority, not_before);
        let slots = self.pacer.reserve(&[ask]).await.unwrap_or_default();
        slots.first().copied().unwrap_or(not_before)
    }
}

/// A slot that was reserved for a message.
pub(super) struct Reserved {
    /// Its time; the present where no pacer or no number is known.
    pub(super) slot_at: Timestamp,
    ask: Option<SlotAsk>,
}

impl Slots {
    /// Reserves the next slots for messages that wait for nothing else, in one call. Without the pacer they may go at
    /// once: the gate keeps the pace.
    pub(super) async fn reserve_now(&self, messages: &[Message], now: Timestamp) -> Vec<Reserved> {
        let mut asks = Vec::with_capacity(messages.len());
        let mut reserved = Vec::with_capacity(messages.len());
        for message in messages {
            let tenant = self.directory.find(&message.accepted.tenant_id).await.ok().flatten();
            let number = tenant
                .as_ref()
                .and_then(|tenant| tenant.number(Some(&message.accepted.phone_number_id)));
            let ask = number.map(|number| ask(number, message.accepted.priority, now));
            asks.extend(ask.clone());
            reserved.push(Reserved { slot_at: now, ask });
        }
        let slots = if asks.is_empty() {
            Vec::new()
        } else {
            self.pacer.reserve(&asks).await.unwrap_or_default()
        };
        if slots.is_empty() {
            // Nothing was reserved, so nothing can be given back.
            for reserved in &mut reserved {
                reserved.ask = None;
            }
        }
        let asked = reserved.iter_mut().filter(|reserved| reserved.ask.is_some());
        for (reserved, slot_at) in asked.zip(slots) {
            reserved.slot_at = slot_at;
        }
        reserved
    }

    /// Gives a slot back that is not needed after all. Best effort.
    pub(super) async fn refund(&self, reserved: Reserved) {
        if let Some(ask) = reserved.ask {
            let ask = SlotAsk {
                not_before: reserved.slot_at,
                ..ask
            };
            self.pacer.refund(&[ask]).await;
        }
    }

    /// Gives back the slot that was reserved for a message which then could not be saved: it is still stored with its old
    /// one, and asks for another. Best effort.
    pub(super) async fn give_back(&self, message: &Message) {
        let Some(not_before) = message.delivery.slot_at else {
            return;
        };
        let Ok(Some(tenant)) = self.directory.find(&message.accepted.tenant_id).await else {
            return;
        };
        if let Some(number) = tenant.number(Some(&message.accepted.phone_number_id)) {
            let ask = ask(number, message.accepted.priority, not_before);
            self.pacer.refund(&[ask]).await;
        }
    }
}

/// A slot of this number.
pub(super) fn ask(number: &PhoneNumber, priority: Priority, not_before: Timestamp) -> SlotAsk {
    SlotAsk {
        phone_number_id: number.phone_number_id.clone(),
        level: number.level(),
        priority,
        not_before,
    }
}
