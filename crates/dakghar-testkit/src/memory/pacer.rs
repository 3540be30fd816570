//! The pace of numbers.

use std::collections::BTreeMap;

use async_trait::async_trait;
use dakghar_core::domain::pacing::{Admission, Pace};
use dakghar_core::domain::pair_line::LinesOfNumber;
use dakghar_core::domain::{PhoneNumberId, Timestamp};
use dakghar_core::ports::{Pacer, PairAsk, PairLines, QueueError, SlotAsk};
use parking_lot::Mutex;

/// A [`Pacer`] that forgets no number.
#[derive(Default)]
pub struct MemoryPacer(Mutex<Paces>);

#[derive(Default)]
struct Paces {
    of: BTreeMap<PhoneNumberId, Pace>,
    lines: BTreeMap<PhoneNumberId, LinesOfNumber>,
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
        Ok(self.each(asks, |pace, ask| pace.reserve(ask.not_before, ask.level, ask.priority)))
    }

    async fn refund(&self, asks: &[SlotAsk]) {
        self.each(asks, |pace, ask| pace.refund(1, ask.level, ask.priority));
    }

    async fn admit(&self, asks: &[SlotAsk]) -> Result<Vec<Admission>, QueueError> {
        Ok(self.each(asks, |pace, ask| pace.admit(ask.not_before, ask.level, ask.priority)))
    }

    async fn pause_until(&self, phone_number_id: &PhoneNumberId, now: Timestamp, until: Timestamp) {
        self.0.lock().of(phone_number_id).pause_until(now, until);
    }

    async fn forget_beyond(&self, phone_number_id: &PhoneNumberId, limit: Timestamp) {
        self.0.lock().of(phone_number_id).forget_beyond(limit);
    }
}

#[async_trait]
impl PairLines for MemoryPacer {
    async fn have_lines(&self, numbers: &[PhoneNumberId]) -> Result<Vec<bool>, QueueError> {
        let lines = &self.0.lock().lines;
        Ok(numbers
            .iter()
            .map(|number| lines.get(number).is_some_and(|of_number| !of_number.is_empty()))
            .collect())
    }

    async fn turns(&self, asks: &[PairAsk]) -> Result<Vec<Option<Timestamp>>, QueueError> {
        let lines = &mut self.0.lock().lines;
        let turns = asks.iter().map(|ask| {
            let of_number = lines.get_mut(&ask.phone_number_id)?;
            of_number.turn(ask.conversation_id, ask.message_id, ask.now)
        });
        Ok(turns.collect())
    }

    async fn put_first(&self, ask: &PairAsk, until: Timestamp) {
        let lines = &mut self.0.lock().lines;
        let of_number = lines.entry(ask.phone_number_id.clone()).or_default();
        of_number.put_first(ask.conversation_id, ask.message_id, until, ask.now);
    }

    async fn put_back(&self, ask: &PairAsk, until: Timestamp) {
        if let Some(of_number) = self.0.lock().lines.get_mut(&ask.phone_number_id) {
            of_number.put_back(ask.conversation_id, ask.message_id, until);
        }
    }
}
