//! Calling the receivers of tenants: programs that nobody here has ever seen.

use std::time::Duration;

use async_trait::async_trait;

use crate::domain::Secret;
use crate::domain::callback::CallbackFailure;
#[cfg(doc)]
use crate::domain::callback::FAILURE_BODY_BYTES_MAX;
use crate::domain::callback_url::CallbackUrl;

/// One call of a receiver.
#[derive(Debug)]
pub struct CallbackCall {
    /// Where to. It passed the rules when it was parsed; its addresses are checked anew for this call.
    pub url: CallbackUrl,
    /// Names and values, with those that the tenant gave. The content type is among them.
    pub headers: Vec<(String, Secret)>,
    /// The body, as it was signed.
    pub body: Vec<u8>,
    /// The time the call may take in all, from the first look-up to the last byte of the answer.
    pub timeout: Duration,
}

/// How a call of a receiver ended. Shows nothing of the network between us and the receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallbackAnswer {
    /// What came back.
    pub outcome: CallbackOutcome,
    /// The time the call took.
    pub took: Duration,
}

/// What came back from a receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallbackOutcome {
    /// A whole answer, or as much of it as is read.
    Answered {
        /// The HTTP status, 200 to 599. A redirect is not followed.
        status: u16,
        /// What the header `Retry-After` asks for, as a time from now; the longest that is honoured where it is not
        /// understood.
        retry_after: Option<Duration>,
        /// The beginning of the body when the status is not 2xx: at most [`FAILURE_BODY_BYTES_MAX`], in which what is no UTF-8
        /// is replaced.
        failure_body: Option<String>,
    },
    /// There was no whole answer.
    Failed(CallbackFailure),
}

impl CallbackAnswer {
    /// True if the receiver took what it was sent: any status 2xx.
    pub const fn is_success(&self) -> bool {
        matches!(self.outcome, CallbackOutcome::Answered { status: 200..=299, .. })
    }
}

/// A question to a receiver.
#[derive(Debug)]
pub struct ReceiverQuery {
    /// Where to, as [`CallbackCall::url`].
    pub url: CallbackUrl,
    /// Names and values that are put behind the query of the URL.
    pub pairs: Vec<(&'static str, Secret)>,
    /// The time the call may take in all.
    pub timeout: Duration,
}

/// The answer of a receiver that was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceiverText {
    /// The HTTP status, 200 to 599. A redirect is not followed.
    pub status: u16,
    /// The beginning of the body: at most [`FAILURE_BODY_BYTES_MAX`], in which what is no UTF-8 is replaced.
    pub text: String,
}

/// The receivers of tenants.
#[async_trait]
pub trait Receivers: Send + Sync {
    /// Posts a body to a receiver, once, and waits for the whole answer. Follows no redirect, repeats nothing, and never
    /// takes longer than the call may. Not one byte of it goes to an address that the rules refuse, nor over TLS that is
    /// not verified.
    async fn post(&self, call: CallbackCall) -> CallbackAnswer;

    /// Asks a receiver with GET, once and under the same rules.
    async fn get(&self, query: ReceiverQuery) -> Result<ReceiverText, CallbackFailure>;
}
