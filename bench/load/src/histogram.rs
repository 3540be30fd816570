//! Counts durations in buckets whose width grows with the value: 64 to each power of two, so a percentile is at most
//! 1.6 % too high whatever its size.

use std::time::Duration;

use serde_json::{Value, json};

const SUB_BITS: u32 = 6;

/// Durations, counted. Not thread-safe: every task has its own, merged at the end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Histogram {
    buckets: Vec<u64>,
    count: u64,
    sum_us: u64,
    max_us: u64,
}

fn bucket_of(us: u64) -> usize {
    let shift = us.checked_ilog2().unwrap_or(0).saturating_sub(SUB_BITS);
    usize::try_from((u64::from(shift) << SUB_BITS) + (us >> shift)).expect("fewer than 4,000 buckets")
}

/// The greatest value that falls into the bucket.
fn upper_edge(bucket: usize) -> u64 {
    let shift = (bucket >> SUB_BITS).saturating_sub(1);
    let mantissa = (bucket - (shift << SUB_BITS)) as u64;
    ((mantissa + 1) << shift) - 1
}

impl Histogram {
    pub(crate) fn record(&mut self, duration: Duration) {
        let us = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let bucket = bucket_of(us);
        if bucket >= self.buckets.len() {
            self.buckets.resize(bucket + 1, 0);
        }
        self.buckets[bucket] += 1;
        self.count += 1;
        self.sum_us += us;
        self.max_us = self.max_us.max(us);
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        if other.buckets.len() > self.buckets.len() {
            self.buckets.resize(other.buckets.len(), 0);
        }
        for (mine, theirs) in self.buckets.iter_mut().zip(&other.buckets) {
            *mine += theirs;
        }
        self.count += other.count;
        self.sum_us += other.sum_us;
        self.max_us = self.max_us.max(other.max_us);
    }

    pub(crate) const fn count(&self) -> u64 {
        self.count
    }

    /// The value that `per_mille` of a thousand durations do not exceed, in microseconds.
    fn quantile_us(&self, per_mille: u64) -> u64 {
        let wanted = (self.count * per_mille).div_ceil(1000).max(1);
        let mut seen = 0;
        for (bucket, count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return upper_edge(bucket).min(self.max_us);
            }
        }
        self.max_us
    }

    /// The summary in milliseconds; null when nothing was recorded.
    pub(crate) fn to_json(&self) -> Value {
        if self.count == 0 {
            return Value::Null;
        }
        #[expect(clippy::cast_precision_loss, reason = "microseconds of one run are far below 2^52")]
        let ms = |us: u64| us as f64 / 1000.0;
        json!({
            "count": self.count,
            "mean": ms(self.sum_us / self.count),
            "p50": ms(self.quantile_us(500)),
            "p90": ms(self.quantile_us(900)),
            "p99": ms(self.quantile_us(990)),
            "p999": ms(self.quantile_us(999)),
            "max": ms(self.max_us),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_contiguous_and_narrow() {
        let mut last = None;
        for us in (0..5_000).chain((5_000..50_000_000).step_by(997)) {
            let bucket = bucket_of(us);
            let edge = upper_edge(bucket);
            assert!(edge >= us, "{us} is above its bucket's edge {edge}");
            assert!(
                (edge - us) * 64 <= us.max(1),
                "{us} is far below its bucket's edge {edge}"
            );
            assert!(last.is_none_or(|last| bucket >= last), "{us}");
            last = Some(bucket);
        }
        for bucket in 1..2_000 {
            assert_eq!(bucket_of(upper_edge(bucket - 1) + 1), bucket);
        }
    }

    #[test]
    fn quantiles_of_merged_histograms_are_those_of_all_values() {
        let (mut low, mut high) = (Histogram::default(), Histogram::default());
        for us in 1..=50 {
            low.record(Duration::from_micros(us));
            high.record(Duration::from_micros(us + 50));
        }
        low.merge(&high);
        assert_eq!(
            (low.quantile_us(500), low.quantile_us(990), low.quantile_us(1000)),
            (50, 99, 100)
        );
        assert_eq!(low.count(), 100);
    }

    #[test]
    fn nothing_recorded_is_null() {
        assert_eq!(Histogram::default().to_json(), Value::Null);
    }
}
