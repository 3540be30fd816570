//! The pace of every number in one process: enough for the embedded backend, which has only one.

use std::collections::HashMap;

use async_trait::async_trait;
use dakghar_core::domain::pacing::{Admission, Pace};
use dakghar_core::domain::pair_line::LinesOfNumber;
use dakghar_core::domain::{PhoneNumberId, Timestamp};
use dakghar_core::ports::{Pacer, PairAsk, PairLines, QueueError, SlotAsk};
use parking_lot::Mutex;

/// Numbers kept before the idle ones are forgotten.
const NUMBERS_SWEPT_AT: usize = 10_000;

/// Numbers with lines kept before those that are over are forgotten.
const NUMBERS_WITH_LINES_SWEPT_AT: usize = 1_000;

/// A [`Pacer`] in the memory of one process.
#[derive(Default)]
pub struct LocalPacer {
    paces: Mutex<HashMap<PhoneNumberId, Pace>>,
    /// Only of numbers that have some.
    lines: Mutex<HashMap<PhoneNumberId, LinesOfNumber>>,
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
        Ok(self.with_each(asks, |pace, ask| pace.reserve(ask.not_before, ask.level, ask.priority)))
    }

    async fn refund(&self, asks: &[SlotAsk]) {
        self.with_each(asks, |pace, ask| pace.refund(1, ask.level, ask.priority));
    }

    async fn admit(&self, asks: &[SlotAsk]) -> Result<Vec<Admission>, QueueError> {
        Ok(self.with_each(asks, |pace, ask| pace.admit(ask.not_before, ask.level, ask.priority)))
    }

    async fn pause_until(&self, phone_number_id: &PhoneNumberId, now: Timestamp, until: Timestamp) {
        self.paces
            .lock()
            .entry(phone_number_id.clone())
            .or_default()
            .pause_until(now, until);
    }

    async fn forget_beyond(&self, phone_number_id: &PhoneNumberId, limit: Timestamp) {
        if let Some(pace) = self.paces.lock().get_mut(phone_number_id) {
            pace.forget_beyond(limit);
        }
    }
}

#[async_trait]
impl PairLines for LocalPacer {
    async fn have_lines(&self, numbers: &[PhoneNumberId]) -> Result<Vec<bool>, QueueError> {
        let lines = self.lines.lock();
        Ok(numbers.iter().map(|number| lines.contains_key(number)).collect())
    }

    async fn turns(&self, asks: &[PairAsk]) -> Result<Vec<Option<Timestamp>>, QueueError> {
        let mut lines = self.lines.lock();
        let turns = asks.iter().map(|ask| {
            let of_number = lines.get_mut(&ask.phone_number_id)?;
            let turn = of_number.turn(ask.conversation_id, ask.message_id, ask.now);
            if of_number.is_empty() {
                lines.remove(&ask.phone_number_id);
            }
            turn
        });
        Ok(turns.collect())
    }

    async fn put_first(&self, ask: &PairAsk, until: Timestamp) {
        let mut lines = self.lines.lock();
        if lines.len() > NUMBERS_WITH_LINES_SWEPT_AT {
            lines.retain(|_, of_number| {
                of_number.sweep(ask.now);
                !of_number.is_empty()
            });
        }
        let of_number = lines.entry(ask.phone_number_id.clone()).or_default();
        of_number.put_first(ask.conversation_id, ask.message_id, until, ask.now);
    }

    async fn put_back(&self, ask: &PairAsk, until: Timestamp) {
        if let Some(of_number) = self.lines.lock().get_mut(&ask.phone_number_id) {
            of_number.put_back(ask.conversation_id, ask.message_id, until);
        }
    }
}
