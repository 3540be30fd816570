//! The share of a number's level that is used.
//!
//! A number's level is shared with what comes in, and with whatever else sends from the number, and it may be lower than
//! its setting says. So the share is learned: it grows while Meta refuses nothing for being too fast, slowly at first and
//! then ever faster, and each refusal takes three tenths of it. A number whose real level is lower than its setting is
//! refused about once in a quarter of a minute, down to a fifth of it, and one that comes out of a storm has its former
//! pace again within a minute.
//!
//! Counted in millionths, and in whole numbers, so that every process computes the same.

/// The whole level.
pub(super) const WHOLE: i64 = 1_000_000;
/// The first share, of a number that is not known yet. The rest is headroom for inbound traffic and jitter.
pub const SHARE_FIRST: i64 = 650_000;
/// The largest share. The rest lets a burst pass without a second ever exceeding the level.
pub const SHARE_MAX: i64 = 950_000;
/// The smallest share. A number does not grow up from less within a minute.
pub const SHARE_MIN: i64 = 200_000;
/// The time in which a share doubles.
pub const SHARE_DOUBLES_MS: i64 = 20_000;
/// The part of the share that a refusal leaves, in tenths.
const TENTHS_LEFT: i64 = 7;
/// After this time even the smallest share has become the largest one.
const GROWN_US: i64 = 2 * SHARE_DOUBLES_MS * 1000;

/// The share that a number has learned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Share {
    /// The share from which it grows.
    base: i64,
    /// The time at which it begins to grow; 0 before the first call.
    since_us: i64,
}

impl Default for Share {
    fn default() -> Self {
        Self {
            base: SHARE_FIRST,
            since_us: 0,
        }
    }
}

impl Share {
    /// Begins to grow with the first call.
    pub(super) const fn begin(&mut self, now_us: i64) {
        if self.since_us == 0 {
            self.since_us = now_us;
        }
    }

    /// Returns the share at this time.
    pub(super) fn at(self, now_us: i64) -> i64 {
        if self.since_us == 0 {
            return self.base;
        }
        let grown_ms = (now_us - self.since_us).clamp(0, GROWN_US) / 1000;
        let grown = self.base * grown_ms * grown_ms / (SHARE_DOUBLES_MS * SHARE_DOUBLES_MS);
        (self.base + grown).min(SHARE_MAX)
    }

    /// Becomes smaller, because Meta said that the number is too fast.
    pub(super) fn cut(&mut self, now_us: i64) {
        self.base = (self.at(now_us) * TENTHS_LEFT / 10).max(SHARE_MIN);
        self.since_us = now_us;
    }

    /// Does not grow before the end of a pause, in which nothing can be learned.
    pub(super) fn rest_until(&mut self, until_us: i64) {
        self.since_us = self.since_us.max(until_us);
    }

    /// Moves its time back.
    pub(super) const fn shift(&mut self, ahead_us: i64) {
        if self.since_us != 0 {
            self.since_us -= ahead_us;
        }
    }
}
