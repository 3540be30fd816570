//! A call without an answer, and the one question that matters then: can a byte of it have reached Meta?

use std::error::Error as _;
use std::io;
use std::sync::Arc;

/// A call that brought no complete answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::meta) enum CallFailure {
    /// No connection came about, so not one byte of the request was written.
    Unreachable(Arc<str>),
    /// The request could not be made.
    Unwritable(Arc<str>),
    /// The request may have been carried out.
    Unknown(Arc<str>),
    /// The same, and the answer came but is larger than what is read.
    TooLarge(Arc<str>),
}

impl CallFailure {
    /// The reason, whatever it means.
    pub(in crate::meta) fn why(self) -> Arc<str> {
        match self {
            Self::Unreachable(why) | Self::Unwritable(why) | Self::Unknown(why) | Self::TooLarge(why) => why,
        }
    }

    pub(super) fn unwritable(why: &str) -> Self {
        Self::Unwritable(why.into())
    }

    pub(super) fn unknown(why: impl Into<Arc<str>>) -> Self {
        Self::Unknown(why.into())
    }

    /// Only a failure to connect proves that nothing was sent.
    pub(super) fn of(error: &reqwest::Error) -> Self {
        if error.is_builder() {
            Self::unwritable("the request could not be made")
        } else if error.is_connect() {
            Self::Unreachable(connect_failure(error).into())
        } else {
            Self::unknown("the connection broke before an answer")
        }
    }
}

fn connect_failure(error: &reqwest::Error) -> &'static str {
    if error.is_dns() {
        return "the host of the Graph API was not found";
    }
    if error.is_timeout() {
        return "no connection to the Graph API in time";
    }
    let mut source = error.source();
    while let Some(cause) = source {
        source = match cause.downcast_ref::<io::Error>() {
            Some(io) if io.kind() == io::ErrorKind::ConnectionRefused => return "the Graph API refused the connection",
            Some(io) if io.kind() == io::ErrorKind::InvalidData => return "no agreement on TLS with the Graph API",
            // Its `source` leaves out the error right inside it.
            Some(io) => io.get_ref().map(|inner| inner as _),
            None => cause.source(),
        };
    }
    "no connection to the Graph API"
}
