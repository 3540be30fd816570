//! Reads the answer of a receiver: no more of it than is of use.

use std::time::Duration;

use dakghar_core::domain::callback::{CallbackFailure, FAILURE_BODY_BYTES_MAX, RETRY_AFTER_MAX};
use dakghar_core::ports::Clock;
use reqwest::header::{DATE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Response, StatusCode};

use crate::retry_after::retry_after;

/// The most of an answer's body that is read. Then the answer counts as whole, and the connection is closed.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// The most bytes of an answer's headers.
const HEADER_BYTES_MAX: usize = 16 * 1024;

/// An answer, as far as it is read.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) retry_after: Option<Duration>,
    /// The beginning of its body: at most [`FAILURE_BODY_BYTES_MAX`].
    pub(super) beginning: String,
}

/// Reads an answer whose status and headers are there.
pub(super) async fn read(mut response: Response, clock: &dyn Clock) -> Result<Answer, CallbackFailure> {
    let headers = response.headers();
    let header_bytes = headers.iter().map(|(name, value)| name.as_str().len() + value.len());
    if header_bytes.sum::<usize>() > HEADER_BYTES_MAX {
        return Err(CallbackFailure::Protocol);
    }
    let status = response.status();
    let (asked, date) = (bytes(headers, &RETRY_AFTER), bytes(headers, &DATE));
    // A receiver that asks for time in words that nobody understands is left alone for the longest.
    let retry_after = retry_after(asked, date, clock.wall(), Some(RETRY_AFTER_MAX));
    let (mut read, mut kept) = (0, Vec::new());
    while read < ANSWER_BYTES_MAX {
        let Some(chunk) = response.chunk().await.map_err(|_| CallbackFailure::Protocol)? else {
            break;
        };
        read += chunk.len();
        let wanted = (FAILURE_BODY_BYTES_MAX - kept.len()).min(chunk.len());
        kept.extend_from_slice(&chunk[..wanted]);
    }
    Ok(Answer {
        status,
        retry_after,
        beginning: beginning(&kept),
    })
}

/// As text of at most as many bytes as are kept: what replaces a byte takes more than one.
fn beginning(bytes: &[u8]) -> String {
    let mut text = String::from_utf8_lossy(bytes).into_owned();
    text.truncate(text.floor_char_boundary(FAILURE_BODY_BYTES_MAX));
    text
}

fn bytes<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h [u8]> {
    headers.get(name).map(HeaderValue::as_bytes)
}
