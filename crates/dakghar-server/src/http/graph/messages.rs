//! `POST /{version}/{phone_number_id}/messages` and `/marketing_messages`: Meta's body, through our queue.

use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use dakghar_core::app::{AcceptedMessage, Fault, Outcome, OutcomeWait};
use dakghar_core::domain::allowance::AllowancesUsed;
use dakghar_core::domain::send_request::read_mark::{self, ReadMark};
use dakghar_core::domain::send_request::{self, SendRequest};
use dakghar_core::domain::tenant::SharedTenant;
use dakghar_core::domain::trace::{Attribute, SpanName};
use dakghar_core::domain::{ErrorCode, MessageId, MessageKey, PhoneNumberId, Problem, Scope, Tenant, TenantId};
use dakghar_core::ports::NumberAsk;
use dakghar_core::traces::Span;
use tokio::time::timeout;

use super::errors::GraphError;
use super::path::Endpoint;
use super::sent::{ANSWER, Asked};
use super::usage;
use crate::http::api::number_calls::passed_on;
use crate::http::auth::{self, TenantScope};
use crate::http::authority::presents_tenant_key;
use crate::http::body;
use crate::http::config::GraphAnswer;
use crate::http::idempotency::idempotency_keys;
use crate::http::request_id::RequestId;
use crate::http::state::HttpState;
use crate::http::trace_parent::trace_parent;

/// The longest wait until it is stored by which id a client knows its message. Then it is answered all the same.
const SETTLING_MAX: Duration = Duration::from_millis(500);

/// Sends a message, or passes a read mark on.
pub(super) async fn send(
    state: &HttpState,
    number: PhoneNumberId,
    endpoint: Endpoint,
    request: Request,
) -> Result<Response, GraphError> {
    let (head, body) = request.into_parts();
    let scope = owner_of(&head, state, &number, Scope::Send).await?;
    refuse_token_in_query(head.uri.query())?;
    let wanted = wanted_answer(&head.headers, state.config().graph_answer)?;
    let accept = accept(state, &scope, (&number, endpoint), (&head, body), wanted);
    let (asked, accepted, wait) = match Box::pin(accept).await? {
        Sent::Marked(answer) => return Ok(answer),
        Sent::Accepted(asked, accepted, wait) => (asked, accepted, wait),
    };
    let tenant = scope.tenant;
    let (tenant_id, message_id) = (tenant.id, accepted.message_id);
    // From here on a client that leaves changes nothing: the message is stored.
    let (outcome, used) = match wait {
        None => (Outcome::Open, None),
        Some(wait) => {
            let outcome = timeout(state.config().graph_wait, wait.outcome()).await;
            (outcome.unwrap_or(Outcome::Open), wait.used())
        }
    };
    let is_settled = match outcome {
        // Of a new message that is not waited for it was stored with it.
        Outcome::Open => wanted == GraphAnswer::Queue && !accepted.duplicate,
        // The first request may have been answered with the gateway id.
        Outcome::Taken { .. } => !accepted.duplicate,
        Outcome::Refused(_) => true,
    };
    let outcome = if is_settled {
        outcome
    } else {
        settled(state, &MessageKey { tenant_id, message_id }, outcome).await
    };
    let request_id = RequestId::of(&head.extensions);
    let answer = asked.answer(&accepted, outcome);
    let mut answer = answer.unwrap_or_else(|error| error.into_response(request_id.as_deref()));
    if wanted == GraphAnswer::Wait {
        show_usage(state, &tenant, &number, used, answer.headers_mut());
    }
    Ok(answer)
}

/// Shows how much of Meta's allowances is used: what the answer to the message's own call told, or else what is known here.
fn show_usage(
    state: &HttpState,
    tenant: &Tenant,
    number: &PhoneNumberId,
    used: Option<AllowancesUsed>,
    headers: &mut HeaderMap,
) {
    let last_told = || {
        Some(
            state
                .app()
                .allowances
                .last_told(&tenant.id, tenant.number(Some(number))?),
        )
    };
    if let Some(used) = used.or_else(last_told) {
        usage::show(headers, &used);
    }
}

/// Settles by which id the client knows its message. What fails here is no error for the client, which would send the message
/// again: it is answered with what is known, and callbacks may name the message by another id.
async fn settled(state: &HttpState, key: &MessageKey, known: Outcome) -> Outcome {
    let settling = state.app().changing.settle_id(key);
    let failure = match timeout(SETTLING_MAX, settling).await {
        Ok(Ok(outcome)) => return outcome,
        Ok(Err(failure)) => Some(failure).filter(|failure| failure.fault() != Fault::Surroundings),
        Err(_) => None,
    };
    let MessageKey { tenant_id, message_id } = key;
    match failure {
        Some(failure) => {
            tracing::warn!(%tenant_id, %message_id, %failure, "it is not stored by which id a client was answered");
        }
        // That the store is away is told once.
        None => {
            tracing::debug!(%tenant_id, %message_id, "it is not known to be stored by which id a client was answered");
        }
    }
    known
}

/// Lets in the tenant that has the number, by a key with this scope.
pub(super) async fn owner_of(
    head: &Parts,
    state: &HttpState,
    number: &PhoneNumberId,
    needed: Scope,
) -> Result<TenantScope, GraphError> {
    let mut owner: Option<TenantId> = None;
    // Whoever presents no key is not worth a look.
    if presents_tenant_key(&head.headers) {
        owner = state.app().tenants.owner_of_number(number).await?;
    }
    Ok(auth::owner(head, state, owner.as_slice(), needed).await?)
}

/// Refuses an access token in the URL, where logs and proxies keep it. Nobody is to get used to that.
pub(super) fn refuse_token_in_query(query: Option<&str>) -> Result<(), Problem> {
    let names = query
        .unwrap_or_default()
        .split('&')
        .map(|pair| pair.split('=').next().unwrap_or_default());
    // Any escape in such a name makes it another one for nobody but a decoder.
    for name in names {
        let name = name.to_ascii_lowercase();
        if name.contains("access_token") || name.contains("appsecret") || name.contains('%') {
            let detail = "The API key belongs into the Authorization header, and nothing like it into the URL.";
            return Err(Problem::new(ErrorCode::BadRequest, detail));
        }
    }
    Ok(())
}

fn wanted_answer(headers: &HeaderMap, usual: GraphAnswer) -> Result<GraphAnswer, Problem> {
    let Some(value) = headers.get(ANSWER) else {
        return Ok(usual);
    };
    let wanted = value.to_str().ok().and_then(GraphAnswer::parse);
    wanted.ok_or_else(|| Problem::new(ErrorCode::BadRequest, "x-dakghar-answer must be wait or queue."))
}

/// The end of the request.
enum Sent {
    /// Meta's answer to a read mark.
    Marked(Response),
    /// A message was accepted, and may be waited for.
    Accepted(Asked, AcceptedMessage, Option<OutcomeWait>),
}

/// Carries the request out. Its body and its span end with it, before anybody waits.
async fn accept(
    state: &HttpState,
    scope: &TenantScope,
    (number, endpoint): (&PhoneNumberId, Endpoint),
    (head, body): (&Parts, Body),
    wanted: GraphAnswer,
) -> Result<Sent, GraphError> {
    let app = state.app();
    let mut span = app.traces.within(SpanName::Accept, || trace_parent(&head.headers));
    span.say(Attribute::Tenant(*scope.id()));
    let body = body::read_json(&head.headers, body, state, Some(*scope.id())).await?;
    if let Some(mark) = read_mark::read(&body)? {
        return mark_read(state, scope.id(), number, mark).await.map(Sent::Marked);
    }
    // The tenant may have changed while the body arrived.
    let tenant = app.tenants.find(scope.id()).await?;
    let keys = idempotency_keys(&head.headers);
    let mut request = send_request::parse_from(number, &body, &keys, app.wall(), &|from| tenant.home_of(from))?;
    if endpoint == Endpoint::Marketing {
        request = request.for_marketing()?;
    }
    let asked = Asked::of(&request, &body);
    request.trace = span.context();
    request.by_gateway_id = wanted == GraphAnswer::Queue;
    let accepted = store(state, &tenant, request, wanted).await;
    tell(&mut span, &accepted);
    let (accepted, wait) = accepted?;
    Ok(Sent::Accepted(asked, accepted, wait))
}

async fn store(
    state: &HttpState,
    tenant: &SharedTenant,
    request: SendRequest,
    wanted: GraphAnswer,
) -> Result<(AcceptedMessage, Option<OutcomeWait>), GraphError> {
    let accepting = &state.app().accepting;
    Ok(match wanted {
        GraphAnswer::Wait => accepting.accept_watched(tenant, request).await?,
        GraphAnswer::Queue => (accepting.accept(tenant, request).await?, None),
    })
}

fn tell(span: &mut Span, accepted: &Result<(AcceptedMessage, Option<OutcomeWait>), GraphError>) {
    match accepted {
        Ok((accepted, _)) => span.say(Attribute::Message(accepted.message_id)),
        Err(GraphError::Ours(error)) if error.problem.code.http_status() >= 500 => {
            span.fail(error.problem.code.as_str());
        }
        Err(GraphError::Ours(error)) => span.say(Attribute::Outcome(error.problem.code.as_str())),
        Err(GraphError::Metas(..)) => {}
    }
}

/// Passes a read mark on at once. One under a gateway id is that of a message that a person wrote, by our id.
async fn mark_read(
    state: &HttpState,
    tenant_id: &TenantId,
    number: &PhoneNumberId,
    mark: ReadMark,
) -> Result<Response, GraphError> {
    if mark.from.as_ref().is_some_and(|from| from != number) {
        let message = "is another number than the one that is asked";
        return Err(Problem::field(ErrorCode::InvalidPhoneNumberId, "/from", message).into());
    }
    let calls = &state.app().number_calls;
    let answer = match MessageId::of_gateway_id(mark.wamid.as_str()) {
        Some(message_id) => {
            let tenant_id = *tenant_id;
            calls
                .mark_read(MessageKey { tenant_id, message_id }, mark.typing)
                .await?
        }
        None => {
            let (wamid, typing) = (mark.wamid.as_str(), mark.typing);
            let ask = NumberAsk::MarkRead { wamid, typing };
            calls.ask(tenant_id, Some(number.as_str()), ask).await?
        }
    };
    Ok(passed_on(StatusCode::OK, &answer))
}
