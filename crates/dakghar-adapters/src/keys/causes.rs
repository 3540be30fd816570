//! The text of an error of a client, short enough for a log line.

use std::error::Error;

/// As much of a foreign text as is worth a log line.
const TEXT_CHARS_MAX: usize = 200;

/// The causes behind an error, after `first`. The error itself is left out: some tell the address.
pub(super) fn of(first: &str, error: &dyn Error) -> String {
    let mut causes = vec![first.to_owned()];
    let mut source = error.source();
    while let Some(cause) = source {
        causes.push(cause.to_string());
        source = cause.source();
    }
    shortened(&causes.join(": "))
}

/// The beginning of a text.
pub(super) fn shortened(text: &str) -> String {
    text.chars().take(TEXT_CHARS_MAX).collect()
}
