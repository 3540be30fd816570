//! What the program counts about itself. The use cases, the adapters and the server record here; `/metrics` shows it.
//!
//! Recording is a few additions to atomics: no lock, no allocation, no search for a label. Every series exists from the
//! start, because the values of all labels are known when the program is built. So the export has the same lines for
//! ever, whatever clients and Meta send, and no number or person is ever a label. A tenant is one where the operator asks
//! for it, and then only the busiest are (`tenants`).

mod audit_labels;
mod busy;
mod changes;
mod departure_labels;
mod erasure_labels;
mod exemplars;
mod insert_labels;
mod instruments;
mod key_labels;
mod labels;
mod number_labels;
mod row;
mod signup_labels;
mod store_calls;
mod table;
mod tenants;
#[cfg(test)]
mod tests;
mod token_labels;

pub use audit_labels::AuditClassLabel;
pub use departure_labels::DepartureStepEnd;
pub use erasure_labels::{LetterErased, PersonErased};
pub use exemplars::{Exemplar, Traced};
pub use insert_labels::InsertRepeated;
pub use instruments::{
    Coarse, Durations, Family, Histogram, Instrument, Label, LabelDescription, Latency, Staged, Wait,
};
pub use prometheus_client::metrics::counter::Counter;
pub use prometheus_client::metrics::gauge::Gauge;

pub use key_labels::{KeyCall, KeyRefused, KeyUsed};
pub use labels::{
    Attempt, Budget, CallbackAttempt, DeadLetter, DoubtEnd, EndpointHealth, Host, IngestGap, Lane, Limit, LiveWay,
    Received, Redriven, SpanDropped, Stage, TlsReload, WebhookKind,
};
pub use number_labels::{NumberChecked, NumberDrift};
pub use row::{Row, Unit};
pub use signup_labels::SignupStepEnd;
pub use store_calls::StoreCall;
pub use table::Metrics;
pub use tenants::{OfTenant, TENANTS_MAX, TopTenants};
pub use token_labels::{AllowanceOf, TokenChecked, TokenEnds};
