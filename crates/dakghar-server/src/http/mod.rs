//! The HTTP edge: translates requests into use cases and their results into answers.
//!
//! Read [`router`] first: every route is there. A handler decides nothing about messages or tenants. It identifies the
//! caller ([`auth`]), reads the request, calls one use case of [`dakghar_core::app::App`] and shows the result
//! ([`views`]). Everything that all requests share (request ids, limits, problems, panics) happens once, in [`edge`].
//! Nothing here knows a database or a queue, and only [`graph`] the form of Meta's answers.

mod accepting;
mod access;
mod allowance;
mod api;
mod aside;
mod audit_export;
mod auth;
mod authority;
mod body;
mod budget;
mod by;
mod caller;
mod client_addr;
mod config;
mod connected;
pub mod docs;
mod edge;
mod entity_tags;
mod export;
mod failing;
mod feed_query;
mod fields;
mod graph;
mod health;
mod held_key;
mod idempotency;
mod ingest;
mod listening;
mod live;
mod metrics;
mod onboard;
mod openapi;
mod pages;
mod probe;
mod problem;
mod query;
mod readers;
mod readiness;
mod readings;
mod request_id;
mod router;
mod senders;
mod serve;
mod shown;
mod starting;
mod state;
mod tenant_export;
mod tls;
mod trace_parent;
mod unverified;
mod views;
mod webhook;
mod withheld;
mod wrong_keys;

pub use aside::Asides;
pub use audit_export::AuditExport;
pub use config::{GraphAnswer, HttpConfig, max_age};
pub use failing::watch_failures;
pub use listening::keep_listening;
pub use metrics::{metrics_markdown, metrics_router};
pub use probe::HealthProbe;
pub use router::{health_router, openapi_json, router};
pub use serve::serve;
pub use starting::starting_router;
pub use tenant_export::{ExportKind, ExportPosition, export_page};
pub use tls::{Identity, IdentityError, Tls};
pub use views::{CallbackViews, feed_entry_json, message_json};
