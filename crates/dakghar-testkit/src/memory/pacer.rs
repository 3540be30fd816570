//! The pace of numbers.

use std::collections::BTreeMap;

use async_trait::async_trait;
use dakghar_core::domain::pacing::{Admission, Pace};
use dakghar_core::domain::{PhoneNumberId, Timestamp};
use dakghar_core::ports::{Pacer, QueueError, SlotAsk};
use parking_lot::Mutex;

/// A [`Pacer`] that forgets no number.
#[derive(Default)]
pub struct MemoryPacer(Mutex<Paces>);

#[derive(Default)]
struct Paces {
    of: BTreeMap<PhoneNumberId, Pace>,
    /// The present of whoever asks, if somebody told.
    present: Option<Timestamp>,
}

impl Paces {
    fn of(&mut self, number: &PhoneNumberId) -> &mut Pace {
        let pace = self.of.entry(number.clone()).or_default();
        if let Some(present) = self.present {
            pace.look(present);
        }
        pace
    }
}

impl MemoryPacer {
    /// Takes note of the present of whoever asks next.
    pub fn look(&self, now: Timestamp) {
        self.0.lock().present = Some(now);
    }

    fn each<T>(&self, asks: &[SlotAsk], mut step: impl FnMut(&mut Pace, &SlotAsk) -> T) -> Vec<T> {
        let mut paces = self.0.lock();
        asks.iter()
            .map(|ask| step(paces.of(&ask.phone_number_id), ask))
            .collect()
    }
}

#[async_trait]
impl Pacer for MemoryPacer {
    async fn reserve(&self, asks: &[SlotAsk]) -> Result<Vec<Timestamp>, QueueError> {
        Ok(self.each(asks, |pace, ask| {
            pace.reserve(ask.not_before, ask.per_second, ask.priority)
        }))
    }

    async fn refund(&self, asks: &[SlotAsk]) {
        self.each(asks, |pace, ask| pace.refund(1, ask.per_second, ask.priority));
    }

    async fn admit(&self, asks: &[SlotAsk]) -> Result<Vec<Admission>, QueueError> {
        Ok(self.each(asks, |pace, ask| {
            pace.admit(ask.not_before, ask.per_second, ask.priority)
        }))
    }

    async fn pause_until(&self, phone_number_id: &PhoneNumberId, until: Timestamp) {
        self.0.lock().of(phone_number_id).pause_until(until);
    }

    async fn forget_beyond(&self, phone_number_id: &PhoneNumberId, limit: Timestamp) {
        self.0.lock().of(phone_number_id).forget_beyond(limit);
    }
}
