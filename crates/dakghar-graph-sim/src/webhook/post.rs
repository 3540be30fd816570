//! One signed post to the webhook URL.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::RwLock;
use reqwest::redirect::Policy;

use super::sign::Signer;

/// Why a webhook was not posted.
#[derive(Debug)]
pub enum WebhookError {
    /// No webhook URL is set.
    NoUrl,
    /// The inbound message is not one that Meta could send; the text says why.
    InvalidMessage(String),
    /// No answer came.
    NoAnswer(reqwest::Error),
}

impl fmt::Display for WebhookError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoUrl => write!(f, "no webhook URL is set"),
            Self::InvalidMessage(why) => write!(f, "{why}"),
            Self::NoAnswer(error) => write!(f, "the webhook was not answered: {error}"),
        }
    }
}

impl std::error::Error for WebhookError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::NoAnswer(error) => Some(error),
            Self::NoUrl | Self::InvalidMessage(_) => None,
        }
    }
}

/// Where posts go and how they are signed; both can change at any time.
#[derive(Debug)]
pub(super) struct Poster {
    client: reqwest::Client,
    url: RwLock<Option<Arc<str>>>,
    signer: RwLock<Option<Arc<Signer>>>,
}

impl Poster {
    pub(super) fn build(url: Option<&str>, app_secret: Option<&str>, timeout_ms: u64) -> std::io::Result<Self> {
        let client = reqwest::Client::builder()
            .user_agent("dakghar-graph-sim")
            .timeout(Duration::from_millis(timeout_ms))
            .redirect(Policy::none())
            .no_proxy()
            .tcp_nodelay(true)
            .build()
            .map_err(std::io::Error::other)?;
        let poster = Self {
            client,
            url: RwLock::default(),
            signer: RwLock::default(),
        };
        poster.set_url(url);
        poster.set_app_secret(app_secret);
        Ok(poster)
    }

    pub(super) fn set_url(&self, url: Option<&str>) {
        *self.url.write() = url.map(Arc::from);
    }

    pub(super) fn app_secret(&self) -> Option<Arc<str>> {
        self.signer.read().as_ref().map(|signer| signer.secret())
    }

    pub(super) fn set_app_secret(&self, app_secret: Option<&str>) {
        *self.signer.write() = app_secret.map(|secret| Arc::new(Signer::keyed(secret)));
    }

    pub(super) fn url(&self) -> Option<Arc<str>> {
        self.url.read().clone()
    }

    /// Posts these bytes once and gives the HTTP status.
    pub(super) async fn post(&self, body: Bytes) -> Result<u16, WebhookError> {
        let url = self.url().ok_or(WebhookError::NoUrl)?;
        let signer = self.signer.read().clone();
        let mut request = self.client.post(&*url).header("content-type", "application/json");
        if let Some(signer) = signer {
            request = request.header("x-hub-signature-256", signer.header(&body));
        }
        let response = request.body(body).send().await.map_err(WebhookError::NoAnswer)?;
        let status = response.status().as_u16();
        // Read to the end so that the connection can be used again; what it says does not matter.
        let _ = response.bytes().await;
        Ok(status)
    }
}
