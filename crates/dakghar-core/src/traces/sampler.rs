//! Which traces are exported.

use crate::domain::TraceContext;

const TWO_TO_63: f64 = 9_223_372_036_854_775_808.0;

/// The rule. What ends in an error is exported in any case.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampler {
    /// True if the decision of the client counts where it made one.
    pub follows_parent: bool,
    /// The part of the other traces that is exported, 0 to 1.
    pub ratio: f64,
}

impl Sampler {
    /// Decides about a trace. Processes with the same ratio decide alike, as other programs do that go by the W3C's ids.
    pub(super) fn samples(self, trace_id: &[u8; 16], parent: Option<&TraceContext>) -> bool {
        if let Some(parent) = parent.filter(|_| self.follows_parent) {
            return parent.is_sampled;
        }
        if self.ratio >= 1.0 {
            return true;
        }
        let (_, low) = trace_id.split_at(8);
        let low = u64::from_be_bytes(low.try_into().expect("8 of 16 bytes"));
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a ratio from 0 to 1 of 63 bits; what is out of range is cut to it"
        )]
        let bound = (self.ratio * TWO_TO_63) as u64;
        (low >> 1) < bound
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace(low: u64) -> [u8; 16] {
        let mut id = [7; 16];
        id[8..].copy_from_slice(&low.to_be_bytes());
        id
    }

    #[test]
    fn the_ratio_decides_by_the_id_and_the_client_where_it_counts() {
        let half = Sampler {
            follows_parent: true,
            ratio: 0.5,
        };
        assert!(half.samples(&trace(0), None) && half.samples(&trace((1 << 63) - 1), None));
        assert!(!half.samples(&trace(1 << 63), None) && !half.samples(&trace(u64::MAX), None));
        let parent = |is_sampled| TraceContext::new([1; 16], [2; 8], is_sampled);
        assert!(half.samples(&trace(u64::MAX), parent(true).as_ref()));
        assert!(!half.samples(&trace(0), parent(false).as_ref()));
        let alone = Sampler {
            follows_parent: false,
            ..half
        };
        assert!(alone.samples(&trace(0), parent(false).as_ref()));
        let [none, all] = [0.0, 1.0].map(|ratio| Sampler { ratio, ..alone });
        assert!(!none.samples(&trace(0), None) && all.samples(&trace(u64::MAX), None));
    }
}
