//! Sending messages through Meta's Graph API.

use async_trait::async_trait;
use parking_lot::Mutex;

use crate::domain::allowance::AllowancesUsed;
use crate::domain::message::{Message, SendOutcome};
use crate::domain::secret::Secret;

/// One call that sends a message.
#[derive(Debug)]
pub struct SendCall<'a> {
    /// The message, claimed.
    pub message: &'a Message,
    /// The access token of its number.
    pub token: &'a Secret,
    /// The secret of the app that the token is of, if it is one of ours: it proves that the call is.
    pub app_secret: Option<&'a Secret>,
    /// Our callback data for this attempt.
    pub opaque: &'a str,
    /// The time the call may still take: what is left of the lease.
    pub timeout: std::time::Duration,
    /// The place for what the answer tells beside the outcome.
    pub used: &'a Mutex<AllowancesUsed>,
}

/// The messages endpoint of the Graph API.
#[async_trait]
pub trait MessagesApi: Send + Sync {
    /// Sends a message in one request. Follows no redirect and repeats nothing. A token that starts with `mock_` gets
    /// an outcome without any request.
    async fn send(&self, call: SendCall<'_>) -> SendOutcome;
}
