//! Meta's limits on messages, as they are played here.
//!
//! Meta names rates, and no windows. What is played is stated, so that a test can rely on it:
//!
//! - **A number**: a bucket that holds the messages of one second, and empties at the number's rate. What is accepted and what
//!   comes in both fill it; what comes in is never refused. A message that finds it full is refused with 130429.
//! - **A number and a person**: a bucket of 45 messages that empties by one in six seconds, so a burst is paid for
//!   afterwards. A message that finds it full is refused with 131056.
//!
//! What is refused fills nothing.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::clock;
use crate::graph::error::GraphError;

/// The time in which a person may get one message of a number.
const PAIR_EVERY: Duration = Duration::from_secs(6);
/// Messages that a person may get at once.
const PAIR_BURST: u32 = 45;
/// Buckets of each kind that are remembered before the empty ones are forgotten.
const BUCKETS_MAX: usize = 100_000;

/// The limits that are played.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Messages that each number may send and receive in one second, together; 0 plays no such limit. At Meta 80, 20 or
    /// 1,000.
    pub messages_per_second: u32,
    /// Plays the limit on what one person gets from one number.
    pub pairs: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Limiter(Mutex<Buckets>);

#[derive(Debug, Default)]
struct Buckets {
    limits: Limits,
    numbers: HashMap<String, Instant>,
    pairs: HashMap<(String, String), Instant>,
}

impl Limiter {
    pub(crate) fn with(limits: Limits) -> Self {
        let limiter = Self::default();
        limiter.set(limits);
        limiter
    }

    pub(crate) fn limits(&self) -> Limits {
        self.0.lock().limits
    }

    /// Plays these from now on, with empty buckets.
    pub(crate) fn set(&self, limits: Limits) {
        *self.0.lock() = Buckets {
            limits,
            ..Buckets::default()
        };
    }

    /// Lets a message go to a person, or says which limit is in its way.
    pub(crate) fn admit(&self, phone_number_id: &str, person: &str) -> Result<(), GraphError> {
        self.0.lock().admit(phone_number_id, person, clock::now())
    }

    /// Counts a message that came in.
    pub(crate) fn came_in(&self, phone_number_id: &str) {
        let buckets = &mut *self.0.lock();
        if let Some(every) = buckets.limits.every() {
            fill(&mut buckets.numbers, phone_number_id.to_owned(), every, clock::now());
        }
    }
}

impl Limits {
    /// The time in which a bucket of a number loses one message.
    fn every(self) -> Option<Duration> {
        Duration::from_secs(1).checked_div(self.messages_per_second)
    }
}

impl Buckets {
    fn admit(&mut self, phone_number_id: &str, person: &str, now: Instant) -> Result<(), GraphError> {
        let every = self.limits.every();
        if let Some(every) = every
            && is_full(
                self.numbers.get(phone_number_id),
                every,
                self.limits.messages_per_second,
                now,
            )
        {
            return Err(GraphError::of(130_429).details("Cloud API message throughput has been reached."));
        }
        let pair = (phone_number_id.to_owned(), person.to_owned());
        if self.limits.pairs {
            if is_full(self.pairs.get(&pair), PAIR_EVERY, PAIR_BURST, now) {
                let details = "Message failed to send because there were too many messages sent from this phone number to the same phone number in a short period of time.";
                return Err(GraphError::of(131_056).details(details));
            }
            fill(&mut self.pairs, pair, PAIR_EVERY, now);
        }
        if let Some(every) = every {
            fill(&mut self.numbers, phone_number_id.to_owned(), every, now);
        }
        Ok(())
    }
}

/// A bucket is the time at which it will be empty.
fn is_full(empty_at: Option<&Instant>, every: Duration, holds: u32, now: Instant) -> bool {
    let left = empty_at.map_or(Duration::ZERO, |at| at.saturating_duration_since(now));
    left + every > every * holds
}

fn fill<K: Eq + Hash>(buckets: &mut HashMap<K, Instant>, key: K, every: Duration, now: Instant) {
    if buckets.len() >= BUCKETS_MAX {
        buckets.retain(|_, empty_at| *empty_at > now);
    }
    let empty_at = buckets.entry(key).or_insert(now);
    *empty_at = (*empty_at).max(now) + every;
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERSON: &str = "919111111111";

    /// How many of so many messages to persons of their own are accepted at this time.
    fn accepted(buckets: &mut Buckets, count: u32, now: Instant) -> u32 {
        let persons = (0..count).map(|n| format!("9191111{n:05}"));
        persons
            .map(|person| u32::from(buckets.admit("1", &person, now).is_ok()))
            .sum()
    }

    fn of(limits: Limits) -> Buckets {
        Buckets {
            limits,
            ..Buckets::default()
        }
    }

    #[test]
    fn a_number_has_the_messages_of_a_second_at_once_and_its_rate_afterwards() {
        let mut buckets = of(Limits {
            messages_per_second: 80,
            pairs: false,
        });
        let start = clock::now();
        assert_eq!(accepted(&mut buckets, 200, start), 80);
        assert_eq!(accepted(&mut buckets, 200, start + Duration::from_millis(500)), 40);
        assert_eq!(accepted(&mut buckets, 200, start + Duration::from_secs(60)), 80);
        let refused = buckets
            .admit("1", PERSON, start + Duration::from_secs(60))
            .map_err(|error| error.code);
        assert_eq!(refused, Err(130_429));
        assert!(
            buckets.admit("2", PERSON, start + Duration::from_secs(60)).is_ok(),
            "another number"
        );
    }

    #[test]
    fn what_comes_in_counts() {
        let limiter = Limiter::with(Limits {
            messages_per_second: 1,
            pairs: false,
        });
        limiter.came_in("1");
        assert_eq!(limiter.admit("1", PERSON).map_err(|error| error.code), Err(130_429));
        assert!(limiter.admit("2", PERSON).is_ok());
    }

    #[test]
    fn a_burst_to_one_person_is_paid_for_afterwards() {
        let mut buckets = of(Limits {
            messages_per_second: 0,
            pairs: true,
        });
        let start = clock::now();
        let mut at = |seconds: u64| {
            let now = start + Duration::from_secs(seconds);
            let refused = (0..100).find(|_| buckets.admit("1", PERSON, now).is_err());
            refused.unwrap_or(100)
        };
        assert_eq!([at(0), at(5), at(6), at(17), at(18 + 270)], [45, 0, 1, 1, 45]);
        assert!(buckets.admit("1", "919222222222", start).is_ok(), "another person");
    }

    #[test]
    fn nothing_is_played_unless_asked_for() {
        let mut buckets = of(Limits::default());
        assert_eq!(accepted(&mut buckets, 500, clock::now()), 500);
    }
}
