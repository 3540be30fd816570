//! The numbers that have more messages accepted than they may send at once, as far as this process knows.
//!
//! A message of a number without a backlog may go out at once. The store can have it before its exact slot is known, so
//! acceptance waits for the store alone.
//!
//! These notes may be wrong, for example when another process accepted a campaign a moment ago. That delays a message
//! by a minute at most, and only while its number is behind anyway.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;

use crate::domain::{PhoneNumberId, Timestamp};
use crate::episode::Episode;
use crate::ports::{Pacer, SlotAsk};

/// A number whose next slot is at most this far ahead has no backlog.
const NEAR: Duration = Duration::from_secs(2);
/// Above this many entries, numbers that have caught up are dropped.
const NUMBERS_BEFORE_FORGETTING: usize = 1_000;

/// The time until which each number is behind.
#[derive(Default)]
pub(super) struct Backlogs {
    until: Mutex<HashMap<PhoneNumberId, Timestamp>>,
    /// The queue takes no messages.
    pub(super) queue_down: Episode,
}

impl Backlogs {
    /// True if the number has a backlog.
    pub(super) fn is_behind(&self, number: &PhoneNumberId, now: Timestamp) -> bool {
        self.until.lock().get(number).is_some_and(|until| now < *until)
    }

    /// Reserves slots, and notes the numbers that are behind. Returns an empty list if the pacer cannot be reached:
    /// acceptance needs only the store, and the gate keeps the pace.
    pub(super) async fn reserve(&self, pacer: &dyn Pacer, asks: &[SlotAsk], now: Timestamp) -> Vec<Timestamp> {
        if asks.is_empty() {
            return Vec::new();
        }
        let slots = pacer.reserve(asks).await.unwrap_or_default();
        self.note(asks, &slots, now);
        slots
    }

    fn note(&self, asks: &[SlotAsk], slots: &[Timestamp], now: Timestamp) {
        let mut far = asks
            .iter()
            .zip(slots)
            .filter(|(_, slot)| now + NEAR < **slot)
            .peekable();
        if far.peek().is_none() {
            return;
        }
        let mut known = self.until.lock();
        if known.len() >= NUMBERS_BEFORE_FORGETTING {
            known.retain(|_, until| now < *until);
        }
        for (ask, slot) in far {
            let until = known.entry(ask.phone_number_id.clone()).or_insert(now);
            *until = (*until).max(*slot - NEAR);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::message::Priority;

    const START: Timestamp = Timestamp::from_millis(1_000_000);

    fn number(n: usize) -> PhoneNumberId {
        PhoneNumberId::parse(&n.to_string()).expect("digits")
    }

    fn ask(n: usize) -> SlotAsk {
        SlotAsk {
            phone_number_id: number(n),
            level: 1.0,
            priority: Priority::Normal,
            not_before: START,
        }
    }

    #[test]
    fn a_number_is_behind_until_its_last_slot_is_near() {
        let backlogs = Backlogs::default();
        let last = START + Duration::from_secs(60);
        assert!(!backlogs.is_behind(&number(1), START), "nothing is known");
        // The last of these is in a faster lane.
        backlogs.note(&[ask(1), ask(2), ask(1)], &[last, START + NEAR, START], START);
        assert!(backlogs.is_behind(&number(1), START));
        assert!(!backlogs.is_behind(&number(2), START));
        assert!(!backlogs.is_behind(&number(1), last - NEAR));
    }

    #[test]
    fn numbers_that_caught_up_are_forgotten() {
        let backlogs = Backlogs::default();
        let last = START + Duration::from_secs(60);
        for n in 0..NUMBERS_BEFORE_FORGETTING {
            backlogs.note(&[ask(n)], &[last], START);
        }
        let later = last + Duration::from_secs(60);
        backlogs.note(&[ask(NUMBERS_BEFORE_FORGETTING)], &[later], last);
        assert_eq!(backlogs.until.lock().len(), 1);
    }
}
