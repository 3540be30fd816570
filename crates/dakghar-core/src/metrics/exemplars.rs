//! Exemplars: of each bucket of a histogram the latest thing measured there whose trace is sampled, so that whoever sees
//! that something took long finds one that did.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::OnceLock;
use std::time::Duration;

use parking_lot::Mutex;

use crate::domain::{Timestamp, TraceContext};

/// One thing that was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exemplar {
    /// Its trace.
    pub trace_id: [u8; 16],
    /// How long it took.
    pub took: Duration,
    /// The date.
    pub at: Timestamp,
}

/// An exemplar with the upper bound of its bucket, and the value of the label of its histogram.
pub type Placed = (Exemplar, f64, Option<&'static str>);

/// The exemplars of a histogram, one a bucket. They take memory only where traces are sampled.
#[derive(Debug, Default)]
pub(super) struct Exemplars(OnceLock<Box<[Mutex<Option<Exemplar>>]>>);

impl Exemplars {
    /// Keeps one, unless somebody else keeps one in the same bucket at this moment: recording waits for nobody.
    pub(super) fn keep(&self, bucket: usize, buckets: usize, exemplar: Exemplar) {
        let all = self.0.get_or_init(|| (0..buckets).map(|_| Mutex::default()).collect());
        if let Some(mut place) = all.get(bucket).and_then(Mutex::try_lock) {
            *place = Some(exemplar);
        }
    }

    /// Returns them with the places of their buckets.
    pub(super) fn all(&self) -> Vec<(usize, Exemplar)> {
        let all = self.0.get().map(AsRef::as_ref).unwrap_or_default();
        let kept = all.iter().map(|place| *place.lock()).enumerate();
        kept.filter_map(|(bucket, kept)| Some((bucket, kept?))).collect()
    }
}

/// What is measured, as far as an exemplar of it needs to know.
#[derive(Clone, Copy, Debug)]
pub struct Traced {
    /// The span it is a part of, where traces are kept.
    pub span: Option<TraceContext>,
    /// The date.
    pub at: Timestamp,
}

impl Traced {
    /// Returns the exemplar, if the trace is sampled.
    pub(super) fn exemplar(&self, took: Duration) -> Option<Exemplar> {
        let span = self.span.filter(|span| span.is_sampled)?;
        Some(Exemplar {
            trace_id: span.trace_id,
            took,
            at: self.at,
        })
    }
}

/// Writes a series of a histogram's bucket as the encoder does.
pub(super) fn bucket_series(name: &str, label: Option<&str>, (_, bound, value): &Placed) -> String {
    let le = if bound.is_infinite() {
        "+Inf".to_owned()
    } else {
        format!("{bound:?}")
    };
    match label.zip(*value) {
        Some((label, value)) => format!("{name}_bucket{{le=\"{le}\",{label}=\"{value}\"}}"),
        None => format!("{name}_bucket{{le=\"{le}\"}}"),
    }
}

/// Puts exemplars behind their series. The encoder of the client crate takes none from a histogram of our own.
pub(super) fn with_exemplars(text: &str, exemplars: &HashMap<String, Exemplar>) -> String {
    let mut with = String::with_capacity(text.len() + exemplars.len() * 96);
    for line in text.lines() {
        with.push_str(line);
        let series = line.rsplit_once(' ').map_or("", |(series, _)| series);
        if let Some(Exemplar { trace_id, took, at }) = exemplars.get(series) {
            let (trace_id, took, millis) = (hex::encode(trace_id), took.as_secs_f64(), at.as_millis());
            let (seconds, millis) = (millis.div_euclid(1_000), millis.rem_euclid(1_000));
            write!(with, " # {{trace_id=\"{trace_id}\"}} {took} {seconds}.{millis:03}")
                .expect("a string takes everything");
        }
        with.push('\n');
    }
    with
}
