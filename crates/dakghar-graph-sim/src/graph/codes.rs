//! What Meta says for each error code: HTTP status, title, and whether it calls itself transient.

use axum::http::StatusCode;

/// The face of one error code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CodeFace {
    pub(crate) code: u32,
    pub(crate) http: u16,
    pub(crate) title: &'static str,
    pub(crate) is_transient: bool,
}

const fn lasting(code: u32, http: u16, title: &'static str) -> CodeFace {
    CodeFace {
        code,
        http,
        title,
        is_transient: false,
    }
}

const fn transient(code: u32, http: u16, title: &'static str) -> CodeFace {
    CodeFace {
        code,
        http,
        title,
        is_transient: true,
    }
}

/// Sorted by code, for the binary search.
const FACES: &[CodeFace] = &[
    lasting(0, 401, "AuthException"),
    lasting(1, 400, "API Unknown"),
    transient(2, 503, "API Service"),
    lasting(3, 500, "API Method"),
    transient(4, 400, "API Too Many Calls"),
    lasting(10, 403, "Permission Denied"),
    transient(17, 400, "User request limit reached"),
    lasting(33, 400, "Parameter value is not valid"),
    lasting(100, 400, "Invalid parameter"),
    lasting(104, 400, "An access token is required to request this resource."),
    lasting(190, 401, "Invalid OAuth access token - Cannot parse access token"),
    lasting(200, 403, "API Permission"),
    lasting(368, 403, "Temporarily blocked for policies violations"),
    lasting(613, 400, "Calls to this api have exceeded the rate limit."),
    lasting(803, 404, "Some of the aliases you requested do not exist"),
    lasting(2500, 400, "Unknown path components"),
    transient(80007, 400, "Rate limit issues"),
    lasting(130_403, 400, "The business has blocked this user"),
    lasting(130_429, 429, "Rate limit hit"),
    lasting(130_472, 400, "User's number is part of an experiment"),
    lasting(
        130_497,
        403,
        "Business account is restricted from messaging users in this country",
    ),
    lasting(131_000, 500, "Something went wrong"),
    lasting(131_005, 403, "Access denied"),
    lasting(131_008, 400, "Required parameter is missing"),
    lasting(131_009, 400, "Parameter value is not valid"),
    lasting(131_016, 500, "Service unavailable"),
    lasting(131_021, 400, "Recipient cannot be sender"),
    lasting(131_026, 400, "Message undeliverable"),
    lasting(131_030, 400, "Recipient phone number not in allowed list"),
    lasting(131_031, 403, "Account has been locked"),
    lasting(131_037, 400, "Display name approval is required"),
    lasting(131_042, 400, "Business eligibility payment issue"),
    lasting(131_045, 500, "Incorrect certificate"),
    lasting(131_047, 400, "Re-engagement message"),
    lasting(131_048, 429, "Spam rate limit hit"),
    lasting(131_049, 400, "Not delivered to maintain healthy ecosystem engagement"),
    lasting(131_050, 400, "User has stopped marketing messages"),
    lasting(131_051, 400, "Unsupported message type"),
    lasting(131_052, 400, "Media download error"),
    lasting(131_053, 400, "Media upload error"),
    lasting(131_056, 429, "(Business Account, Consumer Account) pair rate limit hit"),
    lasting(131_057, 500, "Account in maintenance mode"),
    lasting(131_062, 400, "Recipient type not supported for this message"),
    lasting(131_063, 400, "Marketing templates are disabled on Cloud API"),
    lasting(131_064, 400, "Messaging limit after template misclassification"),
    lasting(132_000, 400, "Template param count mismatch"),
    lasting(132_001, 404, "Template does not exist"),
    lasting(132_005, 400, "Template hydrated text too long"),
    lasting(132_007, 400, "Template format character policy violated"),
    lasting(132_012, 400, "Template parameter format mismatch"),
    lasting(132_015, 400, "Template is paused"),
    lasting(132_016, 400, "Template is disabled"),
    lasting(132_018, 400, "Template validation error"),
    lasting(132_068, 400, "Flow is in blocked state"),
    lasting(132_069, 400, "Flow is in throttled state"),
    lasting(133_000, 500, "Incomplete deregistration"),
    lasting(133_004, 503, "Server temporarily unavailable"),
    lasting(133_005, 400, "Two step verification PIN mismatch"),
    lasting(133_006, 400, "Phone number re-verification needed"),
    lasting(133_008, 400, "Too many two step verification PIN guesses"),
    lasting(133_009, 400, "Two step verification PIN guessed too fast"),
    lasting(133_010, 400, "Phone number not registered"),
    lasting(
        133_015,
        400,
        "Please wait a few minutes before attempting to register this phone number",
    ),
    lasting(133_016, 400, "Account register deregister rate limit exceeded"),
    lasting(134_101, 400, "Template is still syncing"),
    lasting(135_000, 400, "Generic user error"),
    lasting(137_000, 400, "Identity key hash mismatch"),
    lasting(2_593_107, 400, "App data was requested before"),
    lasting(
        2_593_108,
        400,
        "App data can be requested within 24 hours of onboarding",
    ),
];

/// The face of a code; one that is not in the table gets 400 and a plain title.
pub(crate) fn face_of(code: u32) -> CodeFace {
    FACES
        .binary_search_by_key(&code, |face| face.code)
        .map_or(lasting(code, 400, "Error"), |at| FACES[at])
}

/// An HTTP status number as given by a rule; one that HTTP does not know becomes 500.
pub(crate) fn status(http: u16) -> StatusCode {
    StatusCode::from_u16(http).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_sorted_so_that_every_row_is_found() {
        assert!(FACES.is_sorted_by_key(|face| face.code));
        for face in FACES {
            assert_eq!(face_of(face.code), *face);
            assert_eq!(status(face.http).as_u16(), face.http);
        }
        assert_eq!(face_of(999_999).http, 400);
    }
}
