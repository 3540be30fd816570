//! The meaning of the errors of Cloud KMS.

use dakghar_core::ports::KeyError;
use google_cloud_auth::errors::CredentialsError;
use google_cloud_kms_v1::Error;

use crate::keys::causes;

/// Sorts an error: damage, an outage, or a refusal in the words of the service. `is_opening` tells that a request that is
/// wrong for the service is so for what it should decrypt.
pub(super) fn sorted(error: &Error, is_opening: bool) -> KeyError {
    if let Some(why) = refused_credentials(error) {
        return KeyError::Refused(why);
    }
    let status = error.http_status_code().unwrap_or_default();
    let Some(answer) = error.status() else {
        return match status {
            400..=428 => KeyError::Refused(format!("HTTP {status}")),
            0 => KeyError::Unavailable(causes::of("no answer", error)),
            _ => KeyError::Unavailable(format!("HTTP {status}")),
        };
    };
    let code = answer.code.name();
    let text = causes::shortened(&format!("{code}: {}", answer.message));
    match code {
        // Damaged on the way there, as its CRC32C tells.
        "INVALID_ARGUMENT" if answer.message.contains("crc32c") => KeyError::Unavailable(text),
        "INVALID_ARGUMENT" if is_opening => {
            tracing::debug!(why = text, "the key service does not unwrap a data key");
            KeyError::Unreadable("it is damaged, or belongs to another tenant")
        }
        "INVALID_ARGUMENT"
        | "FAILED_PRECONDITION"
        | "PERMISSION_DENIED"
        | "UNAUTHENTICATED"
        | "NOT_FOUND"
        | "UNIMPLEMENTED" => KeyError::Refused(text),
        _ => KeyError::Unavailable(text),
    }
}

/// The reason for which there is no token, unless it passes by itself.
fn refused_credentials(error: &Error) -> Option<String> {
    let why = std::error::Error::source(error)?.downcast_ref::<CredentialsError>()?;
    (!why.is_transient()).then(|| causes::of("no token", why))
}
