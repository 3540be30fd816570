//! The address of the Graph API, and the settings of its connections.

use std::time::Duration;

use reqwest::Url;

/// The address of the Graph API, and the settings of its connections.
#[derive(Clone, Debug)]
pub struct GraphConfig {
    /// Scheme, host and, where needed, port and path before the version: `https://graph.facebook.com`.
    pub base_url: String,
    /// `v25.0`.
    pub api_version: String,
    /// The time that a connection may take, TLS included. Such a failure is known to have sent nothing.
    pub connect_timeout: Duration,
    /// The time that an unused connection is kept. Shorter than the peer's own patience, or calls meet closing
    /// connections.
    pub idle_timeout: Duration,
    /// Over TLS: how many HTTP/2 connections calls are spread over, since each carries only about 100 at a time.
    /// At least 1.
    pub http2_connections: usize,
}

impl GraphConfig {
    /// This host and version; everything else as is usual.
    pub fn new(base_url: impl Into<String>, api_version: impl Into<String>) -> Self {
        Self {
            base_url: base_url.into(),
            api_version: api_version.into(),
            connect_timeout: Duration::from_secs(5),
            idle_timeout: Duration::from_secs(20),
            http2_connections: 4,
        }
    }

    /// Gives a connection half of the time that a call may take, if that is less than it had. A connection that hangs then
    /// ends before the call does, and so is known to have sent nothing.
    #[must_use]
    pub fn for_calls_of(mut self, call_timeout: Duration) -> Self {
        self.connect_timeout = self.connect_timeout.min(call_timeout / 2);
        self
    }

    /// The base URL, if this can be used at all.
    pub(super) fn check(&self) -> Result<Url, GraphConfigError> {
        let base = checked_base_url(&self.base_url)?;
        if !is_version(&self.api_version) {
            return Err(GraphConfigError::ApiVersion);
        }
        Ok(base)
    }
}

/// The Graph API cannot be called with this configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GraphConfigError {
    /// The base URL is not one.
    #[error("the Graph base URL must be http(s)://host[:port][/path] without user, query or fragment")]
    BaseUrl,
    /// The version does not look like `v25.0`.
    #[error("the Graph API version must look like v25.0")]
    ApiVersion,
    /// The HTTP client could not be made, for instance because no trusted certificates were found.
    #[error("the HTTP client for the Graph API could not be made: {0}")]
    Client(String),
}

fn checked_base_url(text: &str) -> Result<Url, GraphConfigError> {
    Url::parse(text)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
        .filter(|url| url.username().is_empty() && url.password().is_none())
        .filter(|url| url.query().is_none() && url.fragment().is_none())
        .ok_or(GraphConfigError::BaseUrl)
}

fn is_version(text: &str) -> bool {
    let is_number = |part: &str| (1..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    text.strip_prefix('v')
        .and_then(|rest| rest.split_once('.'))
        .is_some_and(|(major, minor)| is_number(major) && is_number(minor))
}
