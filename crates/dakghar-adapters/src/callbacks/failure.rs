//! A call without an answer, as a class: all that a tenant may know about our network.

use std::error::Error;
use std::io;

use dakghar_core::domain::callback::CallbackFailure;

use super::guard::GuardFault;

/// The class of a failure before the answer began.
pub(super) fn class_of(error: &reqwest::Error) -> CallbackFailure {
    if let Some(fault) = causes(error).find_map(|cause| cause.downcast_ref::<GuardFault>()) {
        return match fault {
            GuardFault::NotFound => CallbackFailure::Dns,
            GuardFault::Blocked => CallbackFailure::Blocked,
        };
    }
    if error.is_timeout() {
        return CallbackFailure::Timeout;
    }
    if !error.is_connect() {
        return CallbackFailure::Protocol;
    }
    // A handshake that fails is bad data, or the end of the stream in its middle.
    let is_of_tls =
        |cause: &io::Error| matches!(cause.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof);
    let mut errors = causes(error).filter_map(|cause| cause.downcast_ref::<io::Error>());
    if errors.any(is_of_tls) {
        CallbackFailure::Tls
    } else {
        CallbackFailure::Connect
    }
}

/// The error and all that caused it.
fn causes<'e>(error: &'e reqwest::Error) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(
        Some(error as &'e (dyn Error + 'static)),
        |cause: &&'e (dyn Error + 'static)| {
            let cause: &'e (dyn Error + 'static) = *cause;
            match cause.downcast_ref::<io::Error>() {
                // Its `source` leaves out the error right inside it.
                Some(io) => io.get_ref().map(|inner| inner as _),
                None => cause.source(),
            }
        },
    )
}
