//! Meta's error envelope.

use std::sync::atomic::{AtomicU64, Ordering};

use axum::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use super::codes::{face_of, status};
use super::version::Version;

/// One refusal, before it becomes a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GraphError {
    pub(crate) code: u32,
    pub(crate) http: u16,
    pub(crate) subcode: Option<u32>,
    pub(crate) details: Option<String>,
    pub(crate) is_transient: bool,
    pub(crate) retry_after_seconds: Option<u64>,
    kind: &'static str,
    message: String,
}

impl GraphError {
    /// The refusal that Meta gives for a code, with the message it usually has.
    pub(crate) fn of(code: u32) -> Self {
        let face = face_of(code);
        let message = match code {
            104 | 190 | 2500 => face.title.to_owned(),
            _ => format!("(#{code}) {}", face.title),
        };
        Self {
            code,
            http: face.http,
            kind: "OAuthException",
            message,
            subcode: None,
            details: None,
            is_transient: face.is_transient,
            retry_after_seconds: None,
        }
    }

    /// Code 100: a parameter of the envelope is absent.
    pub(crate) fn parameter_required(name: &str) -> Self {
        Self::of(100).saying(format!("(#100) The parameter {name} is required."))
    }

    /// Code 100: a parameter has the wrong type or an unknown value.
    pub(crate) fn parameter_invalid(name: &str, must: &str) -> Self {
        Self::of(100).saying(format!("(#100) Param {name} {must}"))
    }

    /// Code 131008 with the path of what is absent.
    pub(crate) fn missing(path: &str) -> Self {
        Self::of(131_008).details(format!("Parameter '{path}' is mandatory"))
    }

    /// Code 131009 with the path and the rule it breaks.
    pub(crate) fn not_valid(path: &str, rule: &str) -> Self {
        Self::of(131_009).details(format!("Parameter '{path}' {rule}"))
    }

    /// Code 2500: the path names no version or endpoint.
    pub(crate) fn unknown_path(component: &str) -> Self {
        Self::of(2500).saying(format!("Unknown path components: /{component}"))
    }

    /// Code 100 with subcode 33: no such object, or the token may not see it.
    pub(crate) fn no_such_object(id: &str) -> Self {
        let message = format!(
            "Unsupported request. Object with ID '{id}' does not exist or cannot be loaded due to missing permissions"
        );
        Self {
            subcode: Some(33),
            kind: "GraphMethodException",
            ..Self::of(100).saying(message)
        }
    }

    pub(crate) fn saying(mut self, message: String) -> Self {
        self.message = message;
        self
    }

    pub(crate) fn details(mut self, details: impl Into<String>) -> Self {
        self.details = Some(details.into());
        self
    }

    fn body(&self, trace: &str) -> Value {
        let mut error = Map::new();
        error.insert("message".to_owned(), json!(self.message));
        error.insert("type".to_owned(), json!(self.kind));
        error.insert("code".to_owned(), json!(self.code));
        if let Some(details) = &self.details {
            let data = json!({"messaging_product": "whatsapp", "details": details});
            error.insert("error_data".to_owned(), data);
        }
        if let Some(subcode) = self.subcode {
            error.insert("error_subcode".to_owned(), json!(subcode));
        }
        if self.is_transient {
            error.insert("is_transient".to_owned(), json!(true));
        }
        error.insert("fbtrace_id".to_owned(), json!(trace));
        json!({ "error": error })
    }

    pub(crate) fn into_response(self, version: Version) -> Response {
        let trace = next_trace();
        let mut response = json_response(status(self.http), version, self.body(&trace).to_string());
        let headers = response.headers_mut();
        if let Ok(value) = HeaderValue::from_str(&trace) {
            headers.insert("x-fb-trace-id", value);
        }
        if let Some(seconds) = self.retry_after_seconds {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.http == 401 {
            let challenge = "OAuth \"Facebook Platform\" \"invalid_token\"";
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        response
    }
}

/// A JSON answer with the headers that every Graph answer carries.
pub(crate) fn json_response(status: StatusCode, version: Version, body: impl Into<axum::body::Body>) -> Response {
    typed_response(status, version, "application/json; charset=UTF-8", body)
}

/// An answer of any content type with the headers that every Graph answer carries.
pub(crate) fn typed_response(
    status: StatusCode,
    version: Version,
    content_type: &'static str,
    body: impl Into<axum::body::Body>,
) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert("content-type", HeaderValue::from_static(content_type));
    let version = HeaderValue::from_str(&version.to_string()).expect("a version is plain ASCII");
    headers.insert("facebook-api-version", version);
    response
}

/// A trace id that is unique in this process.
fn next_trace() -> String {
    static COUNTER: AtomicU64 = AtomicU64::new(1);
    let count = COUNTER.fetch_add(1, Ordering::Relaxed);
    let mut bytes = [0x53_u8; 16];
    bytes[8..].copy_from_slice(&count.to_be_bytes());
    format!("A{}", URL_SAFE_NO_PAD.encode(bytes))
}
