//! The pace of every number in one process: enough for the embedded backend, which has only one.

use std::collections::HashMap;

use async_trait::async_trait;
use dakghar_core::domain::pacing::{Admission, Pace};
use dakghar_core::domain::{PhoneNumberId, Timestamp};
use dakghar_core::ports::{Pacer, QueueError, SlotAsk};
use parking_lot::Mutex;

/// Numbers kept before the idle ones are forgotten.
const NUMBERS_SWEPT_AT: usize = 10_000;

/// A [`Pacer`] in the memory of one process.
#[derive(Default)]
pub struct LocalPacer {
    paces: Mutex<HashMap<PhoneNumberId, Pace>>,
}

impl LocalPacer {
    /// A pacer that knows no number yet.
    pub fn new() -> Self {
        Self::default()
    }

    fn with_each<T>(&self, asks: &[SlotAsk], mut step: impl FnMut(&mut Pace, &SlotAsk) -> T) -> Vec<T> {
        let mut paces = self.paces.lock();
        if paces.len() > NUMBERS_SWEPT_AT
            && let Some(now) = asks.iter().map(|ask| ask.not_before).min()
        {
            paces.retain(|_, pace| !pace.is_idle(now));
        }
        asks.iter()
            .map(|ask| match paces.get_mut(&ask.phone_number_id) {
                Some(pace) => step(pace, ask),
                None => step(paces.entry(ask.phone_number_id.clone()).or_default(), ask),
            })
            .collect()
    }
}

#[async_trait]
impl Pacer for LocalPacer {
    async fn reserve(&self, asks: &[SlotAsk]) -> Result<Vec<Timestamp>, QueueError> {
        Ok(self.with_each(asks, |pace, ask| {
            pace.reserve(ask.not_before, ask.per_second, ask.priority)
        }))
    }

    async fn refund(&self, asks: &[SlotAsk]) {
        self.with_each(asks, |pace, ask| pace.refund(1, ask.per_second, ask.priority));
    }

    async fn admit(&self, asks: &[SlotAsk]) -> Result<Vec<Admission>, QueueError> {
        Ok(self.with_each(asks, |pace, ask| {
            pace.admit(ask.not_before, ask.per_second, ask.priority)
        }))
    }

    async fn pause_until(&self, phone_number_id: &PhoneNumberId, until: Timestamp) {
        self.paces
            .lock()
            .entry(phone_number_id.clone())
            .or_default()
            .pause_until(until);
    }

    async fn forget_beyond(&self, phone_number_id: &PhoneNumberId, limit: Timestamp) {
        if let Some(pace) = self.paces.lock().get_mut(phone_number_id) {
            pace.forget_beyond(limit);
        }
    }
}
