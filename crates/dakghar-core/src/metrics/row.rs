//! A line of a table of instruments.

use prometheus_client::metrics::MetricType;

use super::instruments::LabelDescription;

/// The prefix of every name.
pub(super) const PREFIX: &str = "dakghar";

/// A base unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Things that are counted, and states.
    None,
    /// Seconds.
    Seconds,
    /// Bytes.
    Bytes,
}

/// One line of the table.
#[derive(Debug)]
pub struct Row {
    /// The field of [`Metrics`](super::Metrics), or of [`OfTenant`](super::OfTenant).
    pub field: &'static str,
    pub(super) name: &'static str,
    /// The unit of its values.
    pub unit: Unit,
    pub(super) kind: MetricType,
    /// Its label, and every value of it.
    pub label: Option<LabelDescription>,
    /// What it tells.
    pub help: &'static str,
}

impl Row {
    /// The name of its family as Prometheus stores its values; those of a histogram have suffixes besides.
    pub fn name(&self) -> String {
        let unit = match self.unit {
            Unit::None => "",
            Unit::Seconds => "_seconds",
            Unit::Bytes => "_bytes",
        };
        let suffix = match self.kind() {
            "counter" => "_total",
            "info" => "_info",
            _ => "",
        };
        format!("{PREFIX}_{}{unit}{suffix}", self.name)
    }

    /// The type: `counter`, `gauge`, `histogram` or `info`.
    pub fn kind(&self) -> &'static str {
        match self.kind {
            MetricType::Counter => "counter",
            MetricType::Histogram => "histogram",
            MetricType::Info => "info",
            MetricType::Gauge | MetricType::Unknown => "gauge",
        }
    }
}
