//! Requests of tenants that are passed on as they are. What Meta answers goes back as it is, too.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use dakghar_core::domain::allowance::AllowancesUsed;
use dakghar_core::domain::secret::Secret;
use dakghar_core::domain::time::Timestamp;
use dakghar_core::ports::{Clock, NoAnswer, PassedAnswer, PassedMethod, PassedRequest};
use reqwest::Method;

use super::http::{CallFailure, GraphAnswer, GraphHttp, header_text};
use super::lenient_json::Fields;
use super::proof;
use super::refusal::refusal;
use super::usage;

/// The headers that go back: what is used up, and what Meta's support asks for.
const HEADERS: [&str; 6] = [
    "x-business-use-case-usage",
    "x-app-usage",
    "x-ad-account-usage",
    "facebook-api-version",
    "x-fb-trace-id",
    "retry-after",
];
/// The longest of them.
const HEADER_BYTES_MAX: usize = 4_096;

/// A request that may be made again.
pub(super) struct Outgoing {
    method: Method,
    path: String,
    parameters: Vec<(String, String)>,
    body: Option<(String, Bytes)>,
}

impl Outgoing {
    pub(super) fn new(request: PassedRequest) -> Self {
        let method = match request.method {
            PassedMethod::Get => Method::GET,
            PassedMethod::Post => Method::POST,
            PassedMethod::Delete => Method::DELETE,
        };
        Self {
            method,
            path: request.path,
            parameters: request.parameters,
            body: request.body.map(|(kind, bytes)| (kind, Bytes::from(bytes))),
        }
    }

    /// Makes it once. `clock` tells when the answer came.
    pub(super) async fn send(
        &self,
        (http, clock): (&GraphHttp, &dyn Clock),
        token: &Secret,
        proof: Option<&str>,
        timeout: Duration,
    ) -> Result<PassedAnswer, NoAnswer> {
        let parameters = self
            .parameters
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        let proof = proof.map(|proof| (proof::PARAMETER, proof));
        let parameters: Vec<(&str, &str)> = parameters.chain(proof).collect();
        let body = self.body.as_ref().map(|(kind, bytes)| (kind.as_str(), bytes.clone()));
        let what = (self.method.clone(), self.path.as_str());
        match http.any(what, &parameters, token, body, timeout).await {
            Ok(answer) => passed_back(answer, clock.wall()),
            Err(failure) => Err(unanswered(failure)),
        }
    }
}

fn unanswered(failure: CallFailure) -> NoAnswer {
    match failure {
        CallFailure::Unreachable(why) | CallFailure::Unwritable(why) => NoAnswer::NotDone(why),
        CallFailure::Unknown(why) => NoAnswer::Lost(why),
        CallFailure::TooLarge(why) => NoAnswer::TooLarge(why),
    }
}

/// An answer that is no JSON object is not from the Graph API, but from something before it. Such a thing may have passed the request on
/// before it gave up, unless it blames the request.
fn passed_back(answer: GraphAnswer, now: Timestamp) -> Result<PassedAnswer, NoAnswer> {
    let status = answer.status.as_u16();
    let text = String::from_utf8(answer.body).ok();
    let text = text.filter(|text| Fields::parse(text).is_some());
    let body = text.ok_or_else(|| {
        let why = format!("the answer is not a JSON object (HTTP {status})").into();
        if matches!(status, 400..=498 | 511) && status != 408 {
            NoAnswer::NotDone(why)
        } else {
            NoAnswer::Lost(why)
        }
    })?;
    let header = |name: &'static str| {
        let value = header_text(&answer.headers, name).filter(|value| value.len() <= HEADER_BYTES_MAX)?;
        Some((name, Arc::from(value)))
    };
    let fields = Fields::parse(&body).filter(|_| status >= 400);
    Ok(PassedAnswer {
        status,
        headers: HEADERS.into_iter().filter_map(header).collect(),
        used: usage::read(&answer.headers),
        refusal: fields.and_then(|fields| refusal(status, &answer.headers, &fields, now)),
        body: body.into(),
    })
}

/// True if Meta refused the request for its proof, and so did nothing.
pub(super) fn refuses_proof(answer: &PassedAnswer) -> bool {
    answer.refusal.as_ref().is_some_and(proof::is_why)
}

/// The answer for a token that starts with `mock_`.
pub(super) fn simulated(method: PassedMethod) -> PassedAnswer {
    let body = match method {
        PassedMethod::Get => r#"{"data":[]}"#,
        PassedMethod::Post | PassedMethod::Delete => r#"{"success":true}"#,
    };
    PassedAnswer {
        status: 200,
        headers: Vec::new(),
        used: AllowancesUsed::default(),
        refusal: None,
        body: body.into(),
    }
}
