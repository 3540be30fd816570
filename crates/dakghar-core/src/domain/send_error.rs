//! Errors about a message.

use std::sync::Arc;

/// An error from Meta (or the network) about a message.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct SendError {
    /// Meta's error code; `None` if the failure was not Meta's.
    pub code: Option<i64>,
    /// Meta's error subcode.
    pub subcode: Option<i64>,
    /// The HTTP status of the answer.
    pub http_status: Option<u16>,
    /// The message in Meta's words, 500 characters at most.
    pub message: Arc<str>,
    /// Meta's details, 500 characters at most.
    pub details: Option<Arc<str>>,
    /// The trace id that Meta's support asks for.
    pub fbtrace_id: Option<Arc<str>>,
}

/// Cuts Meta's details of a failure to the length that is kept.
pub fn clip(text: &str) -> Arc<str> {
    const CHARS_MAX: usize = 500;
    match text.char_indices().nth(CHARS_MAX) {
        Some((end, _)) => text[..end].into(),
        None => text.into(),
    }
}
