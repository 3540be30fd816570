//! What one address has presented, and the tries that it has left.

use std::time::Duration;

/// The time for which an address may use up its tries.
pub(super) const WINDOW: Duration = Duration::from_secs(60);
/// The most that an address can owe: requests that came at the same time may use up more tries than there are.
const DEBT_MAX: Duration = Duration::from_secs(120);
/// Keys of one address that may wait, or be under way, at a time.
pub(super) const LINE_MAX: u32 = 16;
/// Refused keys of one address in a second, after which the operator's is not known there until the next one begins.
pub(super) const GUESSES_MAX: u32 = 100;
/// One address is told in the log once in this time.
const TOLD_AGAIN_AFTER: Duration = Duration::from_secs(600);

#[derive(Default)]
pub(super) struct Address {
    /// When all its tries are free again, by the time since the machine was started.
    free_at: Option<Duration>,
    /// Keys that are being checked and have a try reserved.
    reserved: u32,
    wrong_since_told: u64,
    told_at: Option<Duration>,
    /// Keys that were refused in the second that began then.
    refused: (Duration, u32),
}

/// A try that an address has left.
pub(super) enum Try {
    /// One of many.
    OfPlenty,
    /// It is kept, and may be made after this wait.
    Reserved(Duration),
}

impl Address {
    fn used(&self, now: Duration) -> Duration {
        let used = self
            .free_at
            .map_or(Duration::ZERO, |free_at| free_at.saturating_sub(now));
        used.min(DEBT_MAX)
    }

    /// Reserves a try where they are running short, also one that is free after a wait of at most `wait_max`; or says
    /// how long to wait for one. While there are plenty, who comes first after a start is not held up by many that come
    /// at the same time.
    pub(super) fn reserve(&mut self, interval: Duration, now: Duration, wait_max: Duration) -> Result<Try, Duration> {
        let used = self.used(now);
        if used < WINDOW / 2 {
            return Ok(Try::OfPlenty);
        }
        let with_this = used + interval * (self.reserved + 1);
        let wait = with_this.saturating_sub(WINDOW);
        let is_in_line = !wait.is_zero();
        if wait > wait_max || (is_in_line && self.reserved >= LINE_MAX) {
            self.refused = (self.second(now), self.refused_in_second(now).saturating_add(1));
            return Err(wait);
        }
        self.reserved += 1;
        Ok(Try::Reserved(wait))
    }

    /// Gives back a try that was reserved.
    pub(super) const fn leave(&mut self) {
        self.reserved -= 1;
    }

    /// False while so many keys are refused that a look whether one is the operator's would be a way to guess it.
    pub(super) fn may_know_operator(&self, now: Duration) -> bool {
        self.refused_in_second(now) < GUESSES_MAX
    }

    fn second(&self, now: Duration) -> Duration {
        let (since, _) = self.refused;
        if now.saturating_sub(since) < Duration::from_secs(1) {
            since
        } else {
            now
        }
    }

    fn refused_in_second(&self, now: Duration) -> u32 {
        let (since, count) = self.refused;
        if self.second(now) == since { count } else { 0 }
    }

    /// Takes note of a wrong key, which uses up a try. Returns how many there were if that is to be told, which `may_tell`
    /// says for all addresses together.
    pub(super) fn wrong(&mut self, interval: Duration, now: Duration, may_tell: impl FnOnce() -> bool) -> Option<u64> {
        let used = (self.used(now) + interval).min(DEBT_MAX);
        self.free_at = Some(now + used);
        self.wrong_since_told += 1;
        let is_told = |at: Duration| now.saturating_sub(at) < TOLD_AGAIN_AFTER;
        if self.told_at.is_some_and(is_told) || !may_tell() {
            return None;
        }
        self.told_at = Some(now);
        Some(std::mem::take(&mut self.wrong_since_told))
    }
}
