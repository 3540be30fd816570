//! The settings of the HTTP edge.

use std::time::Duration;

use dakghar_core::domain::Secret;

/// Settings and limits of the HTTP edge.
#[derive(Clone, Debug)]
pub struct HttpConfig {
    /// The operator's key. While it is absent outside production, requests without a key are allowed.
    pub admin_api_key: Option<Secret>,
    /// True if every request to the API needs a key, whatever else is set.
    pub production: bool,
    /// The most bytes of a request body on the API.
    pub body_bytes_max: usize,
    /// The most bytes of a webhook's body. Meta posts up to 3 MB.
    pub webhook_body_bytes_max: usize,
    /// The time the head of a request may take once its first byte has arrived; enforced with a tolerance of half of
    /// it.
    pub header_read_timeout: Duration,
    /// The time the body of a request may take.
    pub body_read_timeout: Duration,
    /// The time a connection may be without a request.
    pub idle_timeout: Duration,
    /// The time requests under way may take to end at a shutdown; then their connections are cut.
    pub drain_timeout: Duration,
    /// The most connections at a time; further ones wait in the listener's backlog.
    pub connections_max: usize,
    /// The version that the service reports.
    pub version: &'static str,
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            admin_api_key: None,
            production: false,
            body_bytes_max: 256 * 1024,
            webhook_body_bytes_max: 4 * 1024 * 1024,
            header_read_timeout: Duration::from_secs(10),
            body_read_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(60),
            drain_timeout: Duration::from_secs(20),
            connections_max: 10_000,
            version: env!("CARGO_PKG_VERSION"),
        }
    }
}
