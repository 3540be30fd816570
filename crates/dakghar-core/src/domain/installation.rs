//! The secrets of the installation itself, as they are stored.

/// The name under which the secrets of an installation are stored.
pub const INSTALLATION_SECRETS: &str = "installation";

/// Secrets of the installation, sealed under a data key of their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedSecrets {
    /// The name, under which there are no others: [`INSTALLATION_SECRETS`].
    pub name: String,
    /// The key that seals them, wrapped.
    pub wrapped_data_key: Vec<u8>,
    /// The secrets, sealed.
    pub sealed: Vec<u8>,
    /// Counts saves; a save must name the version it read.
    pub version: u64,
}
