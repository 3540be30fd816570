//! A key that GCP's Cloud KMS keeps. The owner of a data key and its purpose are additional authenticated data, so Cloud
//! KMS itself refuses to decrypt it for another owner.
//!
//! Each field goes and comes with its CRC32C, as Google advises: bytes that were damaged on the way, outside of what
//! TLS covers, are no wrapped key that opens nothing, but an outage, and asked for again.
//!
//! Who this process is comes from the chain of Google: a file, the identity of a pod or a machine. Nothing is tried twice
//! here: what waits for a key asks again by itself.

#[cfg(feature = "kms-gcp")]
mod crc32c;
#[cfg(feature = "kms-gcp")]
mod errors;
mod name;
#[cfg(feature = "kms-gcp")]
mod service;

use dakghar_core::ports::KeyId;

pub use name::{GcpEndpoint, GcpName};
#[cfg(feature = "kms-gcp")]
pub use service::GcpKeys;

/// A key of Cloud KMS, and the way to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GcpConfig {
    /// The key.
    pub name: GcpName,
    /// Where Cloud KMS is, if not where everybody finds it.
    pub endpoint: Option<GcpEndpoint>,
}

impl GcpConfig {
    /// Names the key on what it wrapped.
    pub fn id(&self) -> KeyId {
        self.name.id()
    }
}
