//! Errors as Meta writes them: an `error` object with one of Meta's codes, so that a client reacts to ours as it does to
//! Meta's.

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use dakghar_core::app::Failure;
use dakghar_core::domain::message::SendError;
use dakghar_core::domain::{ErrorCode, MessageId, Problem};
use serde_json::{Map, Value, json};

use crate::http::problem::ApiError;

/// Our own code of an error, beside Meta's in the body.
const CODE: HeaderName = HeaderName::from_static("x-dakghar-code");
/// Our id of a message, in every answer about one.
pub(super) const MESSAGE_ID: HeaderName = HeaderName::from_static("x-dakghar-message-id");

/// What a wrong key is told, and one for what nobody has.
const NOBODYS: &str =
    "The key is none of a tenant that has this number or account. Media is asked for with phone_number_id.";

/// Asks the edge to write a problem in Meta's form; an extension of the answer.
#[derive(Clone, Copy)]
pub(in crate::http) struct InMetasForm;

/// Why a request in Meta's form was not carried out.
pub(super) enum GraphError {
    /// We refuse it, or could not do it.
    Ours(ApiError),
    /// Meta refused it, a message with this id if it was one.
    Metas(Box<SendError>, Option<MessageId>),
}

impl From<Problem> for GraphError {
    fn from(problem: Problem) -> Self {
        Self::Ours(problem.into())
    }
}

impl From<ApiError> for GraphError {
    fn from(error: ApiError) -> Self {
        Self::Ours(error)
    }
}

impl From<Failure> for GraphError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::MetaRefused(refusal) => Self::Metas(Box::new(refusal.to_send_error()), None),
            other => Self::Ours(other.into()),
        }
    }
}

impl GraphError {
    /// Meta's word for something that is not there, or not for this token.
    pub(super) fn unsupported(method: &Method, id: &str) -> Self {
        let method = method.as_str().to_ascii_lowercase();
        let detail = format!("Unsupported {method} request: '{id}' does not exist, or does not support it here.");
        Problem::new(ErrorCode::NotFound, detail).into()
    }

    /// Makes the answer. `request_id` stands for Meta's trace where the refusal has none, as one that we made in Meta's place.
    pub(super) fn into_response(self, request_id: Option<&str>) -> Response {
        match self {
            Self::Ours(error) => {
                let mut response = error.into_response();
                response.extensions_mut().insert(InMetasForm);
                response
            }
            Self::Metas(error, message_id) => of_meta(&error, message_id, request_id),
        }
    }
}

/// Meta's refusal, in Meta's words.
fn of_meta(error: &SendError, message_id: Option<MessageId>, request_id: Option<&str>) -> Response {
    let code = error.code.unwrap_or(131_000);
    let mut body = Map::new();
    body.insert("message".into(), (&*error.message).into());
    body.insert("type".into(), "OAuthException".into());
    body.insert("code".into(), code.into());
    if let Some(subcode) = error.subcode {
        body.insert("error_subcode".into(), subcode.into());
    }
    if let Some(details) = &error.details {
        let data = json!({"messaging_product": "whatsapp", "details": &**details});
        body.insert("error_data".into(), data);
    }
    if let Some(fbtrace_id) = error.fbtrace_id.as_deref().or(request_id) {
        body.insert("fbtrace_id".into(), fbtrace_id.into());
    }
    let status = error.http_status.and_then(|status| StatusCode::from_u16(status).ok());
    let status = status.filter(|status| status.is_client_error() || status.is_server_error());
    let mut response = with_error(status.unwrap_or(StatusCode::BAD_REQUEST), &body);
    if let Some(id) = message_id {
        response.headers_mut().insert(MESSAGE_ID, id_value(id));
    }
    response
}

pub(super) fn id_value(id: MessageId) -> HeaderValue {
    HeaderValue::try_from(id.to_string()).expect("letters, digits and _")
}

/// Makes the answer to a request that failed here. `headers` are those of the answer so far.
pub(in crate::http) fn answer(problem: &Problem, request_id: &str, headers: HeaderMap) -> Response {
    let Metas {
        status,
        code,
        subcode,
        kind,
        title,
    } = Metas::of(problem);
    let mut body = Map::new();
    body.insert("message".into(), format!("(#{code}) {title}").into());
    body.insert("type".into(), kind.into());
    body.insert("code".into(), code.into());
    if let Some(subcode) = subcode {
        body.insert("error_subcode".into(), subcode.into());
    }
    let details = match problem.code {
        ErrorCode::TenantNotFound => NOBODYS,
        _ => problem.detail.as_str(),
    };
    let data = json!({"messaging_product": "whatsapp", "details": details});
    body.insert("error_data".into(), data);
    body.insert("is_transient".into(), (status >= 500 || status == 429).into());
    body.insert("fbtrace_id".into(), request_id.into());
    let status = StatusCode::from_u16(status).expect("of the table below");
    let mut response = with_error(status, &body);
    let answered = response.headers_mut();
    answered.extend(headers);
    answered.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answered.insert(CODE, HeaderValue::from_static(problem.code.as_str()));
    if let Some(after) = problem.retry_after {
        let seconds = u64::try_from(after.as_millis().div_ceil(1000).max(1)).unwrap_or(u64::MAX);
        answered.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    if status == StatusCode::UNAUTHORIZED {
        answered.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"dakghar\""));
    }
    response
}

fn with_error(status: StatusCode, error: &Map<String, Value>) -> Response {
    let mut response = Response::new(Body::from(json!({"error": error}).to_string()));
    *response.status_mut() = status;
    let media_type = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, media_type);
    response
}

/// Meta's answer in our place.
struct Metas {
    status: u16,
    code: i64,
    subcode: Option<i64>,
    kind: &'static str,
    title: &'static str,
}

impl Metas {
    fn of(problem: &Problem) -> Self {
        use ErrorCode as E;
        let make = |status, code, title| Self {
            status,
            code,
            subcode: None,
            kind: "OAuthException",
            title,
        };
        let is_missing = problem
            .errors
            .first()
            .is_some_and(|error| error.message == "is required");
        match problem.code {
            // A key that fits nobody's number and a number that nobody has are one answer.
            E::Unauthenticated | E::KeyExpired | E::TenantNotFound => make(401, 190, "Invalid access token"),
            E::Forbidden | E::MissingScope | E::AddressNotAllowed => make(403, 10, "Permission denied"),
            E::NotFound | E::MethodNotAllowed | E::PhoneNumberNotFound | E::MessageNotFound => Self {
                subcode: Some(33),
                kind: "GraphMethodException",
                ..make(400, 100, "Object does not exist or cannot be loaded")
            },
            E::RateLimited | E::TooManyReaders => make(429, 80_007, "Rate limit issues"),
            E::TooManyWaiting => make(429, 130_429, "Rate limit hit"),
            E::Overloaded | E::StoreUnavailable | E::ShuttingDown | E::StoreFull | E::MetaUnavailable | E::Conflict => {
                make(503, 2, "Service temporarily unavailable")
            }
            // Meta refuses such messages by these, mostly in a status after it has taken them.
            E::OptedOut => make(400, 131_050, "The person wants no such messages"),
            E::WindowClosed => make(400, 131_047, "The person wrote more than 24 hours ago, or never"),
            E::MetaAnswerTooLarge => make(400, 100, "Too much was asked for at once"),
            // A client that repeats what Meta calls transient must not repeat this.
            E::MetaOutcomeUnknown => make(400, 135_000, "Nobody knows whether it was done"),
            E::Internal | E::RecordUnreadable => make(500, 131_000, "Something went wrong"),
            _ if is_missing => make(400, 131_008, "Required parameter is missing"),
            E::InvalidTo
            | E::InvalidField
            | E::InvalidType
            | E::EmptyText
            | E::TextTooLong
            | E::InvalidText
            | E::InvalidTemplate
            | E::InvalidMedia
            | E::InvalidUrl
            | E::ForbiddenUrl
            | E::InvalidInteractive
            | E::InvalidContext
            | E::NotInbound => make(400, 131_009, "Parameter value is not valid"),
            _ => make(400, 100, "Invalid parameter"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_of_ours_has_one_of_metas_and_only_what_may_help_later_is_called_transient() {
        for code in ErrorCode::ALL {
            let problem = Problem::new(*code, "x");
            let metas = Metas::of(&problem);
            let kind_of = |status: u16| status / 100;
            assert!((4..=5).contains(&kind_of(metas.status)), "{code:?}");
            // Whoever may try again with us may do so by Meta's answer, and nobody else.
            let is_retryable = |status: u16| status >= 500 || status == 429;
            if *code != ErrorCode::Conflict {
                assert_eq!(is_retryable(metas.status), is_retryable(code.http_status()), "{code:?}");
            }
        }
        let missing = Problem::field(ErrorCode::InvalidTo, "/to", "is required");
        assert_eq!(Metas::of(&missing).code, 131_008);
        for (code, expected) in [
            (ErrorCode::OptedOut, (400, 131_050)),
            (ErrorCode::WindowClosed, (400, 131_047)),
            (ErrorCode::MetaAnswerTooLarge, (400, 100)),
            (ErrorCode::MetaOutcomeUnknown, (400, 135_000)),
            (ErrorCode::MetaUnavailable, (503, 2)),
        ] {
            let metas = Metas::of(&Problem::new(code, "x"));
            assert_eq!((metas.status, metas.code), expected, "{code:?}");
        }
    }
}
