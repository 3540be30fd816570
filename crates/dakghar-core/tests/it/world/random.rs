//! Randomness that is the same in every run and in every version of every crate.

use std::time::Duration;

/// A `SplitMix64` generator: small, and good enough to choose among interleavings.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The generator of this seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Another generator, of which this one's further numbers say nothing.
    pub fn fork(&mut self) -> Self {
        Self(self.next() ^ 0x5bf0_3635_d1f3_2a6d)
    }

    /// The next number, of all.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, which is not 0.
    pub fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).expect("64 bits");
        usize::try_from(self.next() % bound).expect("less than the bound")
    }

    /// Whether something happens that does so `per_mille` times in a thousand.
    pub fn chance(&mut self, per_mille: u32) -> bool {
        // No number is drawn for what cannot happen, so that turning it off leaves the rest of a run alone.
        per_mille > 0 && self.next() % 1000 < u64::from(per_mille)
    }

    /// One of them.
    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }

    /// A time up to `max`, in whole milliseconds; short ones are as likely as long ones are rare.
    pub fn wait(&mut self, max: Duration) -> Duration {
        let max = u64::try_from(max.as_millis()).expect("not for ever");
        let halvings = u32::try_from(self.below(6)).expect("small");
        let bound = (max >> halvings).max(1);
        Duration::from_millis(self.next() % bound + 1)
    }

    /// How long something is frozen: around the end of a lease, or of a grace.
    pub fn freeze(&mut self) -> Duration {
        let most = *self.pick(&[10, 80, 600]);
        Duration::from_millis(self.next() % (most * 1000))
    }

    /// A number from 0 up to, but not including, 1.
    pub fn fraction(&mut self) -> f64 {
        let bits = u32::try_from(self.next() >> 32).expect("32 bits");
        f64::from(bits) / 4_294_967_296.0
    }
}
