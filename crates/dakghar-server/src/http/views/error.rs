//! What was said against a message.

use dakghar_core::domain::graph_error;
use dakghar_core::domain::message::SendError;
use serde::Serialize;
use utoipa::ToSchema;

/// What Meta (or the network) said against a message, with what it means and what can be done.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SendError)]
pub(in crate::http) struct ErrorView {
    /// Meta's error code; `null` when the failure was not Meta's.
    #[schema(example = 131_026)]
    code: Option<i64>,
    /// Meta's error subcode.
    subcode: Option<i64>,
    /// The HTTP status of the answer.
    http_status: Option<u16>,
    /// The message in Meta's words.
    message: String,
    /// Meta's details.
    details: Option<String>,
    /// What Meta's support asks for.
    fbtrace_id: Option<String>,
    /// What the code means, in our words; `null` for a code that is not known.
    meaning: Option<&'static str>,
    /// What can be done about it.
    advice: Option<&'static str>,
}

impl From<&SendError> for ErrorView {
    fn from(error: &SendError) -> Self {
        let (meaning, advice) = error
            .code
            .and_then(|code| graph_error::describe(code, error.subcode))
            .unzip();
        Self {
            code: error.code,
            subcode: error.subcode,
            http_status: error.http_status,
            message: error.message.as_ref().to_owned(),
            details: error.details.as_deref().map(str::to_owned),
            fbtrace_id: error.fbtrace_id.as_deref().map(str::to_owned),
            meaning,
            advice,
        }
    }
}
