//! An error of Meta's, as both stores keep it inside of a record that is one text.

use std::sync::Arc;

use dakghar_core::domain::send_error::SendError;
use serde::{Deserialize, Serialize};

/// The error as JSON.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ErrorFields {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    code: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    subcode: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    http_status: Option<u16>,
    message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    details: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fbtrace_id: Option<String>,
}

/// Writes an error.
pub(super) fn error_fields(error: &SendError) -> ErrorFields {
    let owned = |text: Option<&Arc<str>>| text.map(ToString::to_string);
    ErrorFields {
        code: error.code,
        subcode: error.subcode,
        http_status: error.http_status,
        message: error.message.to_string(),
        details: owned(error.details.as_ref()),
        fbtrace_id: owned(error.fbtrace_id.as_ref()),
    }
}

/// Reads an error.
pub(super) fn error(fields: ErrorFields) -> SendError {
    SendError {
        code: fields.code,
        subcode: fields.subcode,
        http_status: fields.http_status,
        message: fields.message.into(),
        details: fields.details.map(Into::into),
        fbtrace_id: fields.fbtrace_id.map(Into::into),
    }
}
