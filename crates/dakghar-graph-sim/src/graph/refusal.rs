//! Refusals that rules describe.

use super::error::GraphError;
use crate::fault::Fault;

/// The refusal that a rule describes; what it leaves open is the code's usual value.
pub(super) fn described(fault: Fault) -> GraphError {
    let Fault::GraphError {
        code,
        subcode,
        http,
        is_transient,
        details,
        retry_after_seconds,
    } = fault
    else {
        unreachable!("called for a graph error only");
    };
    let mut error = GraphError::of(code);
    error.subcode = subcode;
    error.details = details;
    error.retry_after_seconds = retry_after_seconds;
    error.http = http.unwrap_or(error.http);
    error.is_transient = is_transient.unwrap_or(error.is_transient);
    error
}
