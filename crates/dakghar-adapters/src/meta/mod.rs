//! Meta, in both directions: the call that sends a message, and the webhooks that come back.
//!
//! Meta's own JSON appears here and nowhere else. Nothing here retries, stores or decides what a refusal means; that
//! is the core's. What is not ours to understand (message bodies, unknown webhook parts) is carried as the exact text.

mod answer;
mod client;
mod envelope;
mod fields;
mod version;
mod webhook;

pub use client::{GraphClient, GraphConfig, GraphConfigError};
pub use version::{VersionStatus, version_status};
pub use webhook::MetaWebhooks;
