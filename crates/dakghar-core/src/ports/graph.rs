//! Meta, in both directions. Meta's own JSON stays behind these traits.

use async_trait::async_trait;

use crate::domain::message::{Message, SendOutcome};
use crate::domain::secret::Secret;
use crate::domain::webhook::WebhookPart;

/// One call that sends a message.
#[derive(Debug)]
pub struct GraphCall<'a> {
    /// The message, claimed.
    pub message: &'a Message,
    /// The access token of its number.
    pub token: &'a Secret,
    /// Our callback data for this attempt.
    pub opaque: &'a str,
    /// How long the call may still take: what the lease leaves.
    pub timeout: std::time::Duration,
}

/// The Graph API.
#[async_trait]
pub trait Graph: Send + Sync {
    /// Sends a message: one request, no redirect followed, nothing repeated. A token that starts with `mock_` is
    /// answered without any request.
    async fn send(&self, call: GraphCall<'_>) -> SendOutcome;
}

/// How a webhook's signature was judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignatureCheck {
    /// Signed by Meta with our app secret.
    Valid,
    /// Missing, malformed or wrong.
    Invalid,
    /// No app secret is configured, so nothing was checked.
    Skipped,
}

/// Reads Meta's webhooks.
pub trait WebhookCodec: Send + Sync {
    /// Judges the signature over the raw bytes; `signatures` are the values of all `X-Hub-Signature-256` headers.
    fn check_signature(&self, body: &[u8], signatures: &[&[u8]]) -> SignatureCheck;

    /// Whether this is the token Meta was told to verify us with. Takes the same time for every wrong token.
    fn is_verify_token(&self, token: &str) -> bool;

    /// Takes a body apart. Never fails: what cannot be understood comes out as other parts.
    fn parse(&self, body: &[u8]) -> Vec<WebhookPart>;
}
