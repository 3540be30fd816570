//! The pace of numbers.

use std::collections::BTreeMap;

use async_trait::async_trait;
use dakghar_core::domain::pacing::{Admission, Pace};
use dakghar_core::domain::{PhoneNumberId, Timestamp};
use dakghar_core::ports::{Pacer, QueueError, SlotAsk};
use parking_lot::Mutex;

/// A [`Pacer`] that forgets no number.
#[derive(Default)]
pub struct MemoryPacer(Mutex<BTreeMap<PhoneNumberId, Pace>>);

impl MemoryPacer {
    /// Takes note of the present of whoever asks next.
    pub fn look(&self, now: Timestamp) {
        self.0.lock().values_mut().for_each(|pace| pace.look(now));
    }

    fn each<T>(&self, asks: &[SlotAsk], mut step: impl FnMut(&mut Pace, &SlotAsk) -> T) -> Vec<T> {
        let mut paces = self.0.lock();
        let each = asks.iter();
        each.map(|ask| step(paces.entry(ask.phone_number_id.clone()).or_default(), ask))
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
        let mut paces = self.0.lock();
        paces.entry(phone_number_id.clone()).or_default().pause_until(until);
    }

    async fn forget_beyond(&self, phone_number_id: &PhoneNumberId, limit: Timestamp) {
        if let Some(pace) = self.0.lock().get_mut(phone_number_id) {
            pace.forget_beyond(limit);
        }
    }
}
