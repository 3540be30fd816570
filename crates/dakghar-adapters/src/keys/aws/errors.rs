//! The meaning of the errors of AWS KMS.

use std::error::Error;

use aws_sdk_kms::config::http::HttpResponse;
use aws_sdk_kms::error::{ProvideErrorMetadata, SdkError};
use dakghar_core::ports::KeyError;

use crate::keys::causes;

/// The wrapped key is not the one that was made, or it was made with another context or key.
const UNREADABLE: [&str; 2] = ["InvalidCiphertextException", "IncorrectKeyException"];

/// Errors that pass by themselves, although some of it has the status of a wrong request.
const AWAY: [&str; 14] = [
    "DependencyTimeoutException",
    "InternalFailure",
    "KeyUnavailableException",
    "KMSInternalException",
    "LimitExceededException",
    "PriorRequestNotComplete",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "RequestTimeout",
    "ServiceUnavailable",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
];

/// Sorts an error: damage, an outage, or a refusal in the words of the service.
pub(super) fn sorted<E>(error: &SdkError<E, HttpResponse>) -> KeyError
where
    E: Error + ProvideErrorMetadata + 'static,
{
    let SdkError::ServiceError(answer) = error else {
        return KeyError::Unavailable(causes::of("no answer", error));
    };
    let status = answer.raw().status().as_u16();
    let code = answer.err().code().unwrap_or("no code");
    let text = causes::shortened(&format!(
        "HTTP {status} {code}: {}",
        answer.err().message().unwrap_or_default()
    ));
    if UNREADABLE.contains(&code) {
        tracing::debug!(why = text, "the key service does not unwrap a data key");
        KeyError::Unreadable("it is damaged, or belongs to another tenant")
    } else if !(400..500).contains(&status) || status == 429 || AWAY.contains(&code) {
        KeyError::Unavailable(text)
    } else {
        KeyError::Refused(text)
    }
}
