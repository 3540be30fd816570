//! Questions to Meta about a number, asked at once while a client waits: no message, nothing that is tried again.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;

use super::passed::{NoAnswer, PassedAnswer, PassedCall};
use crate::domain::allowance::AllowancesUsed;
use crate::domain::graph_error::GraphRefusal;
use crate::domain::ids::PhoneNumberId;
use crate::domain::secret::Secret;

/// One question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NumberAsk<'a> {
    /// Marks a message of a person as read, and with it those before it.
    MarkRead {
        /// Meta's id of the message.
        wamid: &'a str,
        /// Shows that an answer is being typed.
        typing: bool,
    },
    /// The people who are blocked, some at a time.
    Blocked {
        /// At most so many.
        limit: u32,
        /// Meta's cursor of the page before.
        after: Option<&'a str>,
    },
    /// Blocks these people: numbers with `+`, or user ids.
    Block(&'a [String]),
    /// Ends that.
    Unblock(&'a [String]),
    /// What people see of the business.
    Profile,
    /// Changes that: Meta's fields as a JSON object.
    ChangeProfile(&'a str),
}

/// One call to Meta.
#[derive(Debug)]
pub struct NumberCall<'a> {
    /// The number.
    pub number: &'a PhoneNumberId,
    /// Its access token.
    pub token: &'a Secret,
    /// The secret of the app that the token is of, if it is one of ours: it proves that the call is.
    pub app_secret: Option<&'a Secret>,
    /// What is asked.
    pub ask: NumberAsk<'a>,
    /// The time it may take.
    pub timeout: Duration,
    /// The place for what the answer tells beside its words.
    pub used: &'a Mutex<AllowancesUsed>,
}

/// The reason why Meta did not do it, or may not have.
#[derive(Clone, Debug, PartialEq)]
pub enum NumberCallFailure {
    /// Meta refused.
    Refused(GraphRefusal),
    /// No answer came that says whether it was done.
    NoAnswer(Arc<str>),
}

/// Calls about a number that are made at once.
#[async_trait]
pub trait NumbersApi: Send + Sync {
    /// Makes the call once, and returns Meta's answer, a JSON object. A token that starts with `mock_` gets one without any
    /// request.
    ///
    /// # Errors
    /// Meta refused, or gave no answer.
    async fn ask(&self, call: NumberCall<'_>) -> Result<Arc<str>, NumberCallFailure>;

    /// Passes a request of a tenant on, once, and returns Meta's answer whatever it says. A token that starts with `mock_` gets
    /// one without any request.
    ///
    /// # Errors
    /// Meta gave no answer that could be passed back.
    async fn pass(&self, call: PassedCall<'_>) -> Result<PassedAnswer, NoAnswer>;
}
