//! The keys that wrap data keys: a master key out of the configuration, or one that a service elsewhere keeps.
//!
//! Nothing here stores anything, and nothing here keeps what was unwrapped. The clients of AWS and GCP are large, so each is
//! behind a feature: `kms-aws`, `kms-gcp`.

mod aws;
mod causes;
mod data_key;
mod gcp;
mod local;
mod near;
mod service;
mod transit;

#[cfg(feature = "kms-aws")]
pub use aws::AwsKeys;
pub use aws::AwsName;
#[cfg(feature = "kms-gcp")]
pub use gcp::GcpKeys;
pub use gcp::{GcpConfig, GcpEndpoint, GcpName};
pub use local::{LocalKeys, generate_master_key};
pub use service::{ServiceConfig, ServiceName, UnknownService};
pub use transit::{Login, TransitConfig, TransitError, TransitKeys, TransitName};
