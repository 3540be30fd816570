//! A cache of values that were read a moment ago, each with a lifetime.
//!
//! A store pays for each read more than for each value. So whoever reads takes along what else is in use and will have to be
//! read again soon.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use moka::sync::Cache;
use parking_lot::Mutex;

use crate::domain::Timestamp;
use crate::ports::Clock;

/// Values remembered at a time.
const VALUES_MAX: u64 = 100_000;
/// The real time for which a value that is too old to be used may still take up memory.
const KEPT_LONGER: Duration = Duration::from_secs(60);
/// Values in use of which the cache keeps account, to read them together.
const IN_USE_MAX: usize = 1_000;
/// Values that one read takes along.
const ALONG_MAX: usize = 200;
/// The lifetimes since its last use for which a value is in use.
const IN_USE_FOR: u32 = 3;

/// Values by key, each for a limited time.
pub(super) struct Recent<K, V> {
    cache: Cache<K, Arc<Entry<V>>>,
    clock: Arc<dyn Clock>,
    /// The age from which a value is not used. It is judged by `clock`, like every other time of the protocol; the
    /// cache only frees the memory.
    ttl: Duration,
    /// The age from which a value is to be read again, so that one in use is never missing.
    old_after: Duration,
    /// The age from which a value in use is read along with others.
    along_after: Duration,
    /// When values were used last, by their keys.
    in_use: Mutex<HashMap<K, Timestamp>>,
    /// Counts the calls that made it forget a value.
    forgotten: AtomicU64,
}

struct Entry<V> {
    value: V,
    read_at: Timestamp,
    is_being_read_again: AtomicBool,
}

/// A value, not older than the cache allows.
pub(super) struct Remembered<V> {
    pub(super) value: V,
    /// True for exactly one caller, who must refresh the value.
    pub(super) is_to_be_read_again: bool,
}

/// A read of the store, and the time it began.
pub(super) struct Reading {
    at: Timestamp,
    forgotten: u64,
}

impl<K, V> Recent<K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    pub(super) fn new(clock: Arc<dyn Clock>, ttl: Duration) -> Self {
        Self {
            cache: Cache::builder()
                .max_capacity(VALUES_MAX)
                .time_to_live(ttl.saturating_add(KEPT_LONGER))
                .build(),
            clock,
            ttl,
            old_after: ttl / 2,
            along_after: ttl / 4,
            in_use: Mutex::default(),
            forgotten: AtomicU64::new(0),
        }
    }

    pub(super) fn get(&self, key: &K) -> Option<Remembered<V>> {
        let entry = self.cache.get(key)?;
        let now = self.clock.now();
        self.note_use(key, now);
        // A clock that was set back must not make a value young again.
        if now >= entry.read_at + self.ttl || entry.read_at >= now + self.ttl {
            return None;
        }
        let is_old = now.since(entry.read_at) >= self.old_after;
        Some(Remembered {
            value: entry.value.clone(),
            is_to_be_read_again: is_old && !entry.is_being_read_again.swap(true, Ordering::Relaxed),
        })
    }

    fn note_use(&self, key: &K, now: Timestamp) {
        let mut in_use = self.in_use.lock();
        if let Some(used_at) = in_use.get_mut(key) {
            *used_at = now;
        } else if in_use.len() < IN_USE_MAX {
            in_use.insert(key.clone(), now);
        }
    }

    /// Returns the keys of other values that are in use and soon too old. Nobody else is told to read these again.
    pub(super) fn take_along(&self) -> Vec<K> {
        let now = self.clock.now();
        let mut in_use = self.in_use.lock();
        in_use.retain(|_, used_at| *used_at <= now && now.since(*used_at) < self.ttl * IN_USE_FOR);
        let is_due = |key: &&K| {
            self.cache.get(*key).is_none_or(|entry| {
                let is_old = now.since(entry.read_at) >= self.along_after;
                is_old && !entry.is_being_read_again.swap(true, Ordering::Relaxed)
            })
        };
        in_use.keys().filter(is_due).take(ALONG_MAX).cloned().collect()
    }

    /// Begins a read. Must be called before the store is.
    pub(super) fn begin_reading(&self) -> Reading {
        Reading {
            at: self.clock.now(),
            forgotten: self.forgotten.load(Ordering::SeqCst),
        }
    }

    /// Remembers the values that were read. If any value was forgotten meanwhile, remembers nothing: the values may be
    /// from before a change.
    pub(super) fn keep(&self, reading: &Reading, values: &[(K, V)]) {
        for (key, value) in values {
            let entry = Entry {
                value: value.clone(),
                read_at: reading.at,
                is_being_read_again: AtomicBool::new(false),
            };
            self.cache.insert(key.clone(), Arc::new(entry));
        }
        // Check after the insert: a caller that forgets later than this removes the inserted value itself.
        if self.forgotten.load(Ordering::SeqCst) != reading.forgotten {
            for (key, _) in values {
                self.cache.invalidate(key);
            }
        }
    }

    pub(super) fn forget(&self, key: &K) {
        self.forgotten.fetch_add(1, Ordering::SeqCst);
        self.cache.invalidate(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Present;

    struct SetClock(Mutex<Timestamp>);

    impl Clock for SetClock {
        fn present(&self) -> Present {
            (*self.0.lock()).into()
        }

        fn uptime(&self) -> Duration {
            self.now().since(Timestamp::from_millis(0))
        }
    }

    const TTL: Duration = Duration::from_secs(1_000);

    fn recent() -> (Recent<u8, &'static str>, Arc<SetClock>) {
        let clock = Arc::new(SetClock(Mutex::new(Timestamp::from_millis(0))));
        (Recent::new(clock.clone(), TTL), clock)
    }

    fn get(recent: &Recent<u8, &'static str>) -> Option<(&'static str, bool)> {
        let remembered = recent.get(&1)?;
        Some((remembered.value, remembered.is_to_be_read_again))
    }

    #[test]
    fn an_old_value_is_read_again_by_one_caller_while_the_others_use_it() {
        let (recent, clock) = recent();
        assert_eq!(get(&recent), None);
        recent.keep(&recent.begin_reading(), &[(1, "first")]);
        assert_eq!(get(&recent), Some(("first", false)));

        *clock.0.lock() = Timestamp::from_millis(0) + TTL / 2;
        assert_eq!(get(&recent), Some(("first", true)));
        assert_eq!(get(&recent), Some(("first", false)));

        recent.keep(&recent.begin_reading(), &[(1, "second")]);
        assert_eq!(get(&recent), Some(("second", false)));
    }

    #[test]
    fn a_value_is_used_until_its_time_is_over_by_the_clock() {
        let (recent, clock) = recent();
        let read_at = Timestamp::from_millis(0) + TTL;
        *clock.0.lock() = read_at;
        recent.keep(&recent.begin_reading(), &[(1, "value")]);
        for (now, is_used) in [
            (read_at + TTL / 2, true),
            (read_at + TTL, false),
            (read_at - TTL, false),
        ] {
            *clock.0.lock() = now;
            assert_eq!(get(&recent).is_some(), is_used, "at {now}");
        }
    }

    #[test]
    fn what_is_in_use_is_read_along_with_others_before_it_is_too_old() {
        let (recent, clock) = recent();
        recent.keep(&recent.begin_reading(), &[(1, "used"), (2, "not used")]);
        assert_eq!(get(&recent), Some(("used", false)));
        assert_eq!(recent.take_along(), Vec::<u8>::new(), "it is young");
        *clock.0.lock() = Timestamp::from_millis(0) + TTL / 4;
        assert_eq!(recent.take_along(), [1]);
        assert_eq!(recent.take_along(), Vec::<u8>::new(), "somebody reads it already");
        recent.keep(&recent.begin_reading(), &[(1, "again")]);
        *clock.0.lock() = Timestamp::from_millis(0) + TTL * 2;
        assert_eq!(recent.take_along(), [1], "it was used not long ago");
        *clock.0.lock() = Timestamp::from_millis(0) + TTL * IN_USE_FOR;
        assert_eq!(recent.take_along(), Vec::<u8>::new(), "nobody uses it any more");
    }

    #[test]
    fn account_is_kept_of_so_many_values_in_use_and_no_more() {
        let clock = Arc::new(SetClock(Mutex::new(Timestamp::from_millis(0))));
        let recent: Recent<usize, ()> = Recent::new(clock.clone(), TTL);
        let all: Vec<(usize, ())> = (0..IN_USE_MAX * 2).map(|key| (key, ())).collect();
        recent.keep(&recent.begin_reading(), &all);
        assert!(all.iter().all(|(key, ())| recent.get(key).is_some()));
        assert_eq!(recent.in_use.lock().len(), IN_USE_MAX);
        *clock.0.lock() = Timestamp::from_millis(0) + TTL / 2;
        assert_eq!(recent.take_along().len(), ALONG_MAX);
    }

    #[test]
    fn what_was_read_before_a_change_is_not_remembered_after_it() {
        let (recent, _clock) = recent();
        let reading = recent.begin_reading();
        recent.forget(&1);
        recent.keep(&reading, &[(1, "before")]);
        assert_eq!(get(&recent), None);

        recent.keep(&recent.begin_reading(), &[(1, "after")]);
        assert_eq!(get(&recent), Some(("after", false)));
        recent.forget(&1);
        assert_eq!(get(&recent), None);
    }
}
