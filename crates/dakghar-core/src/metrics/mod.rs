//! What the program counts about itself. The use cases, the adapters and the server record here; `/metrics` shows it.
//!
//! Recording is a few additions to atomics: no lock, no allocation, no search for a label. Every series exists from the
//! start, because the values of all labels are known when the program is built. So the export has the same lines for
//! ever, whatever clients and Meta send, and no tenant, number or person is ever a label.

mod changes;
mod instruments;
mod labels;
mod store_calls;
mod table;
#[cfg(test)]
mod tests;

pub use instruments::{Durations, Family, Histogram, Instrument, Label, LabelDescription, Latency, Wait};
pub use prometheus_client::metrics::counter::Counter;
pub use prometheus_client::metrics::gauge::Gauge;

pub use labels::{
    Attempt, Budget, CallbackAttempt, DeadLetter, DoubtEnd, EndpointHealth, Host, IngestGap, Lane, LetterErased, Limit,
    LiveWay, Received, Redriven, SpanDropped, TlsReload,
};
pub use store_calls::StoreCall;
pub use table::{Metrics, Row, Unit};
