//! What calls of receivers may do.

use dakghar_core::domain::callback_url::CallbackRules;

/// What calls of receivers may do.
#[derive(Clone, Debug, Default)]
pub struct CallbackConfig {
    /// Where they may go.
    pub rules: CallbackRules,
    /// Certificates of authorities in PEM, believed besides those that this machine believes.
    pub authorities_pem: Option<Vec<u8>>,
}

/// Receivers cannot be called with this configuration.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CallbackConfigError {
    /// The certificates are not readable as such.
    #[error("no certificate in PEM")]
    Authorities,
    /// The HTTP client could not be made, for instance because no trusted certificates were found.
    #[error("the HTTP client for callbacks could not be made: {0}")]
    Client(String),
}
