//! Meta, in both directions: calls to the Graph API, and the webhooks that come back.
//!
//! Meta's own JSON appears here and nowhere else. Nothing here retries, stores or decides what a refusal means; that
//! is the core's. What is not ours to understand (message bodies, unknown webhook parts) is carried as the exact text.
//!
//! [`GraphHttp`] makes every call, and each capability of the Graph API is a file of its own above it.

mod facts;
mod http;
mod lenient_json;
mod numbers;
mod onboarding;
mod passed;
mod proof;
mod refusal;
mod send;
mod standing;
mod tokens;
mod usage;
mod version;
mod webhook;

pub use http::{GraphConfig, GraphConfigError, GraphHttp};
pub use numbers::MetaNumbers;
pub use onboarding::MetaOnboarding;
pub use send::MetaMessages;
pub use tokens::MetaTokens;
pub use version::{VersionStatus, version_status};
pub use webhook::MetaWebhooks;
