//! The calls a second of an endpoint.

use std::time::Duration;

/// A part of a second's calls may go at once.
const BURST_SHARE: u32 = 10;

/// Spreads the calls of an endpoint over each second, by the time since this machine was started.
#[derive(Debug, Default)]
pub(super) struct CallPace {
    /// When the next call would go if none had gone early.
    next: Duration,
}

impl CallPace {
    /// Takes a call. Returns false if it is too early.
    pub(super) fn take(&mut self, now: Duration, per_second: u32) -> bool {
        if now < self.opens_at(per_second) {
            return false;
        }
        self.next = self.next.max(now) + interval(per_second);
        true
    }

    /// When the next call may go.
    pub(super) fn opens_at(&self, per_second: u32) -> Duration {
        let burst = (per_second / BURST_SHARE).saturating_sub(1);
        self.next.saturating_sub(interval(per_second) * burst)
    }
}

fn interval(per_second: u32) -> Duration {
    Duration::from_secs(1) / per_second.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Calls in the first `seconds`, asked for each millisecond.
    fn calls(per_second: u32, seconds: u64) -> u64 {
        let mut pace = CallPace::default();
        let mut calls = 0;
        for ms in 0..seconds * 1_000 {
            while pace.take(Duration::from_secs(100) + Duration::from_millis(ms), per_second) {
                calls += 1;
            }
        }
        calls
    }

    #[test]
    fn a_second_has_as_many_calls_as_it_may_and_a_burst() {
        for per_second in [1, 5, 50, 3_000] {
            let (rate, calls) = (u64::from(per_second), calls(per_second, 10));
            assert!(
                (10 * rate..=10 * rate + rate / 10 + 1).contains(&calls),
                "{per_second}: {calls}"
            );
        }
    }

    #[test]
    fn what_was_not_used_is_not_saved_up() {
        let mut pace = CallPace::default();
        assert!(pace.take(Duration::from_secs(1), 50));
        let burst = (0..100).filter(|_| pace.take(Duration::from_secs(1_000), 50)).count();
        assert_eq!(burst, 5);
    }
}
