//! Histograms on atomics, and instruments by label. Counters and gauges are those of the client crate; its histogram
//! takes a lock for each value and its families one for each look, so these two are our own.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::{MetricType, TypedMetric};

use super::exemplars::{Exemplars, Placed, Traced};

/// Something that records. A clone records into the same place.
pub trait Instrument: EncodeMetric + TypedMetric + Clone + Default + fmt::Debug + Send + Sync + 'static {
    /// The label that tells its series apart, and every value of it.
    const LABEL: Option<LabelDescription> = None;

    /// Returns its exemplars; only histograms have some.
    fn exemplars(&self) -> Vec<Placed> {
        Vec::new()
    }
}

/// A label in the table of instruments.
#[derive(Clone, Copy, Debug)]
pub struct LabelDescription {
    /// Its name.
    pub name: &'static str,
    /// Every value of it.
    pub values: fn() -> Vec<&'static str>,
}

impl Instrument for Counter {}

impl Instrument for Gauge {}

/// The bounds of a histogram's buckets.
pub trait Durations: Copy + Default + fmt::Debug + Send + Sync + 'static {
    /// The upper bounds, inclusive, from the least.
    const BOUNDS: &'static [Duration];
}

/// The bounds for how long a call takes: half a millisecond to a minute.
#[derive(Clone, Copy, Debug, Default)]
pub struct Latency;

impl Durations for Latency {
    const BOUNDS: &'static [Duration] = &[
        Duration::from_micros(500),
        Duration::from_millis(1),
        Duration::from_micros(2_500),
        Duration::from_millis(5),
        Duration::from_millis(10),
        Duration::from_millis(25),
        Duration::from_millis(50),
        Duration::from_millis(100),
        Duration::from_millis(250),
        Duration::from_millis(500),
        Duration::from_secs(1),
        Duration::from_millis(2_500),
        Duration::from_secs(5),
        Duration::from_secs(10),
        Duration::from_secs(30),
        Duration::from_secs(60),
    ];
}

/// The bounds for how long a message waits: a hundredth of a second to a day.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wait;

impl Durations for Wait {
    const BOUNDS: &'static [Duration] = &[
        Duration::from_millis(10),
        Duration::from_millis(25),
        Duration::from_millis(50),
        Duration::from_millis(100),
        Duration::from_millis(250),
        Duration::from_secs(1),
        Duration::from_secs(5),
        Duration::from_secs(15),
        Duration::from_secs(60),
        Duration::from_secs(300),
        Duration::from_secs(1_800),
        Duration::from_secs(7_200),
        Duration::from_secs(21_600),
        Duration::from_secs(86_400),
    ];
}

/// The bounds for the stages of a message: a millisecond to six hours.
#[derive(Clone, Copy, Debug, Default)]
pub struct Staged;

impl Durations for Staged {
    const BOUNDS: &'static [Duration] = &[
        Duration::from_millis(1),
        Duration::from_micros(2_500),
        Duration::from_millis(5),
        Duration::from_millis(10),
        Duration::from_millis(25),
        Duration::from_millis(50),
        Duration::from_millis(100),
        Duration::from_millis(250),
        Duration::from_secs(1),
        Duration::from_millis(2_500),
        Duration::from_secs(5),
        Duration::from_secs(15),
        Duration::from_secs(60),
        Duration::from_secs(300),
        Duration::from_secs(1_800),
        Duration::from_secs(7_200),
        Duration::from_secs(21_600),
    ];
}

/// The bounds for what is measured of each of many tenants: few, from a tenth of a second to an hour.
#[derive(Clone, Copy, Debug, Default)]
pub struct Coarse;

impl Durations for Coarse {
    const BOUNDS: &'static [Duration] = &[
        Duration::from_millis(100),
        Duration::from_secs(1),
        Duration::from_secs(5),
        Duration::from_secs(60),
        Duration::from_secs(600),
        Duration::from_secs(3_600),
    ];
}

/// Durations, counted by bucket.
#[derive(Clone, Debug)]
pub struct Histogram<D> {
    buckets: Arc<Buckets>,
    bounds: PhantomData<D>,
}

#[derive(Debug)]
struct Buckets {
    /// One for each bound, and one for what is longer.
    counts: Box<[AtomicU64]>,
    sum_micros: AtomicU64,
    exemplars: Exemplars,
}

impl<D: Durations> Default for Histogram<D> {
    fn default() -> Self {
        let counts = (0..=D::BOUNDS.len()).map(|_| AtomicU64::default()).collect();
        Self {
            buckets: Arc::new(Buckets {
                counts,
                sum_micros: AtomicU64::default(),
                exemplars: Exemplars::default(),
            }),
            bounds: PhantomData,
        }
    }
}

impl<D: Durations> Histogram<D> {
    /// Counts a duration.
    pub fn observe(&self, duration: Duration) {
        self.count(duration);
    }

    /// Counts a duration, and keeps it as the exemplar of its bucket if its trace is sampled.
    pub fn observe_in(&self, traced: Traced, duration: Duration) {
        let bucket = self.count(duration);
        if let Some(exemplar) = traced.exemplar(duration) {
            self.buckets.exemplars.keep(bucket, D::BOUNDS.len() + 1, exemplar);
        }
    }

    /// Returns the bucket.
    fn count(&self, duration: Duration) -> usize {
        let bucket = D::BOUNDS.partition_point(|bound| *bound < duration);
        if let Some(count) = self.buckets.counts.get(bucket) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        self.buckets.sum_micros.fetch_add(micros, Ordering::Relaxed);
        bucket
    }

    /// Returns the upper bound of each bucket in seconds, the last one infinite, and its count, not cumulated.
    pub(super) fn counts(&self) -> Vec<(f64, u64)> {
        let bounds = D::BOUNDS.iter().map(Duration::as_secs_f64).chain([f64::INFINITY]);
        let counts = self.buckets.counts.iter().map(|count| count.load(Ordering::Relaxed));
        bounds.zip(counts).collect()
    }

    pub(super) fn sum(&self) -> Duration {
        Duration::from_micros(self.buckets.sum_micros.load(Ordering::Relaxed))
    }
}

impl<D: Durations> TypedMetric for Histogram<D> {
    const TYPE: MetricType = MetricType::Histogram;
}

impl<D: Durations> EncodeMetric for Histogram<D> {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        let counts = self.counts();
        // The count is that of the buckets that are shown, even while others are being counted.
        let count = counts.iter().map(|(_, count)| count).sum();
        encoder.encode_histogram::<NoLabelSet>(self.sum().as_secs_f64(), count, &counts, None)
    }

    fn metric_type(&self) -> MetricType {
        Self::TYPE
    }
}

impl<D: Durations> Instrument for Histogram<D> {
    fn exemplars(&self) -> Vec<Placed> {
        let bound = |bucket: usize| D::BOUNDS.get(bucket).map_or(f64::INFINITY, Duration::as_secs_f64);
        let kept = self.buckets.exemplars.all();
        kept.into_iter()
            .map(|(bucket, exemplar)| (exemplar, bound(bucket), None))
            .collect()
    }
}

/// A label whose values are known when the program is built.
pub trait Label: Copy + fmt::Debug + Send + Sync + 'static {
    /// The name of the label.
    const NAME: &'static str;
    /// All values, in the order of their index.
    const ALL: &'static [Self];

    /// The place of this value in `ALL`.
    fn index(self) -> usize;

    /// The value as it is exported.
    fn as_str(self) -> &'static str;
}

/// One instrument for each value of a label.
#[derive(Debug)]
pub struct Family<L, I> {
    instruments: Arc<[I]>,
    label: PhantomData<fn(L)>,
}

impl<L, I> Clone for Family<L, I> {
    fn clone(&self) -> Self {
        Self {
            instruments: self.instruments.clone(),
            label: PhantomData,
        }
    }
}

impl<L: Label, I: Default> Default for Family<L, I> {
    fn default() -> Self {
        Self {
            instruments: L::ALL.iter().map(|_| I::default()).collect(),
            label: PhantomData,
        }
    }
}

impl<L: Label, I> Family<L, I> {
    /// Returns the instrument of a value.
    #[expect(clippy::indexing_slicing, reason = "one instrument was made for each value")]
    pub fn of(&self, value: L) -> &I {
        &self.instruments[value.index()]
    }
}

impl<L: Label, I: Instrument> TypedMetric for Family<L, I> {
    const TYPE: MetricType = I::TYPE;
}

impl<L: Label, I: Instrument> EncodeMetric for Family<L, I> {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        for value in L::ALL {
            let labels = [(L::NAME, value.as_str())];
            self.of(*value).encode(encoder.encode_family(&labels)?)?;
        }
        Ok(())
    }

    fn metric_type(&self) -> MetricType {
        Self::TYPE
    }
}

impl<L: Label, I: Instrument> Instrument for Family<L, I> {
    const LABEL: Option<LabelDescription> = Some(LabelDescription {
        name: L::NAME,
        values: || L::ALL.iter().map(|value| value.as_str()).collect(),
    });

    fn exemplars(&self) -> Vec<Placed> {
        let of_value = |value: L| {
            let kept = self.of(value).exemplars().into_iter();
            kept.map(move |(exemplar, bound, _)| (exemplar, bound, Some(value.as_str())))
        };
        L::ALL.iter().copied().flat_map(of_value).collect()
    }
}
