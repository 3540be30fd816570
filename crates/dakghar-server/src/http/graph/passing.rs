//! Requests that are passed on to Meta: about a number of the tenant, an account of one, or media of one. Whose it is is found
//! out here before the key is checked, and what is nobody's is answered like a wrong key.

use axum::body::Body;
use axum::extract::{Query, Request};
use axum::http::header::{CONTENT_TYPE, HOST};
use axum::http::request::Parts;
use axum::http::uri::Authority;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::response::Response;
use dakghar_core::domain::audit::Principal;
use dakghar_core::domain::tenant::{PhoneNumber, SharedTenant};
use dakghar_core::domain::{ErrorCode, PhoneNumberId, Problem, Scope, TenantId, WabaId};
use dakghar_core::ports::{PassedAnswer, PassedMethod, PassedRequest};

use super::allowed::{self, Of};
use super::errors::GraphError;
use super::form;
use super::members;
use super::messages::refuse_token_in_query;
use super::pages::{self, Here};
use super::path::GraphPath;
use crate::http::auth;
use crate::http::authority::presents_tenant_key;
use crate::http::body::{self, ReadBody};
use crate::http::budget::BytesOwner;
use crate::http::by::principal;
use crate::http::caller::CallerSlot;
use crate::http::state::HttpState;

/// The parameter that names the number that media is of.
const PHONE_NUMBER_ID: &str = "phone_number_id";

/// The thing that a path names, and the tenants that may ask about it.
struct Named {
    of: Of,
    owners: Vec<TenantId>,
}

/// Passes a request on, if it is one that passes and its key is the right one.
pub(super) async fn pass(state: &HttpState, path: &GraphPath<'_>, request: Request) -> Result<Response, GraphError> {
    let (mut head, body) = request.into_parts();
    // Whoever checks the key notes here whose it is.
    head.extensions.insert(CallerSlot::default());
    refuse_token_in_query(head.uri.query())?;
    let parameters = parameters_of(&head)?;
    let named = named(state, &head, path, &parameters).await?;
    let row = allowed::find(named.of, path.edge, &head.method);
    let needed = row.map_or(Scope::Read, |(_, scope)| scope);
    let scope = auth::owner(&head, state, &named.owners, needed).await?;
    let Some((method, _)) = row else {
        return Err(GraphError::unsupported(&head.method, path.id));
    };
    let tenant = scope.tenant;
    if named.of == Of::Account && method != PassedMethod::Get && named.owners.len() > 1 {
        let detail = "The account has numbers of other tenants too, so only the operator may change it, at Meta.";
        return Err(Problem::new(ErrorCode::Forbidden, detail).into());
    }
    let parameters = passing_of(&tenant, parameters)?;
    let number = number_of(&tenant, named.of, path.id, &parameters);
    let number = number.ok_or_else(|| GraphError::unsupported(&head.method, path.id))?;
    // It counts among the bodies in memory until Meta has answered.
    let given = match method {
        PassedMethod::Get => None,
        _ => read(state, &head, body, &tenant, path).await?,
    };
    let place = state.passing();
    let _place = place.try_acquire().map_err(|_| {
        let detail = "Too many requests are being passed on to Meta.";
        Problem::new(ErrorCode::Overloaded, detail).retry_after(std::time::Duration::from_secs(1))
    })?;
    let request = PassedRequest {
        method,
        path: path
            .edge
            .map_or_else(|| path.id.to_owned(), |edge| format!("{}/{edge}", path.id)),
        parameters,
        body: given.as_ref().map(|(kind, body)| (kind.clone(), body.to_vec())),
    };
    if named.of == Of::Media {
        return of_media(state, &tenant, number, (path, &head), request).await;
    }
    let passing = state.app().number_calls.passing();
    // An upload is part of a message.
    let answer = if method == PassedMethod::Get || path.edge == Some("media") {
        passing.pass(&tenant, number, request).await?
    } else {
        passing
            .change(&tenant, number, request, &by(state, &head).await?)
            .await?
    };
    let only_numbers = (named.of == Of::Account && path.edge == Some("phone_numbers")).then_some(&*tenant);
    let changed = pages::changed(&answer.body, &here(state, &head), only_numbers);
    Ok(respond(&answer, changed))
}

/// An id of media may be that of anything else that the token sees. So Meta is asked what it is before it is removed, and
/// what is no media is not told.
async fn of_media(
    state: &HttpState,
    tenant: &SharedTenant,
    number: &PhoneNumber,
    (path, head): (&GraphPath<'_>, &Parts),
    request: PassedRequest,
) -> Result<Response, GraphError> {
    let passing = state.app().number_calls.passing();
    let look = PassedRequest {
        method: PassedMethod::Get,
        body: None,
        ..request.clone()
    };
    let seen = passing.pass(tenant, number, look).await?;
    if seen.status < 400 && !pages::is_media(&seen.body, path.id) {
        return Err(GraphError::unsupported(&head.method, path.id));
    }
    if seen.status >= 400 || request.method == PassedMethod::Get {
        return Ok(respond(&seen, None));
    }
    let request = PassedRequest { body: None, ..request };
    let by = by(state, head).await?;
    let answer = passing.change(tenant, number, request, &by).await?;
    Ok(respond(&answer, None))
}

/// Whose key it is, for the record.
async fn by(state: &HttpState, head: &Parts) -> Result<Principal, Problem> {
    let caller = head.extensions.get::<CallerSlot>().and_then(CallerSlot::get);
    let nobody = || Problem::new(ErrorCode::Internal, "Nobody has checked the key of this request.");
    Ok(principal(caller.ok_or_else(nobody)?, state.app(), &head.extensions).await)
}

fn no_parameter(name: &str) -> Problem {
    let name: String = name.chars().take(64).collect();
    let detail = format!("'{name}' is no parameter that passes here, or has a value that does not.");
    Problem::new(ErrorCode::InvalidFilter, detail)
}

fn parameters_of(head: &Parts) -> Result<Vec<(String, String)>, Problem> {
    let wrong = |_| Problem::new(ErrorCode::BadRequest, "The parameters cannot be read.");
    let Query(parameters) = Query::<Vec<(String, String)>>::try_from_uri(&head.uri).map_err(wrong)?;
    Ok(parameters)
}

/// The parameters that pass. A number that one of them names is the tenant's own.
fn passing_of(tenant: &SharedTenant, parameters: Vec<(String, String)>) -> Result<Vec<(String, String)>, Problem> {
    let parameters = allowed::passing(parameters).map_err(|name| no_parameter(&name))?;
    let is_foreign = |(name, id): &(String, String)| name == PHONE_NUMBER_ID && !is_own_number(tenant, id);
    if parameters.iter().any(is_foreign) {
        return Err(no_parameter(PHONE_NUMBER_ID));
    }
    Ok(parameters)
}

/// Finds out what an id names. An id that is a number or an account of anybody here is never taken for media.
async fn named(
    state: &HttpState,
    head: &Parts,
    path: &GraphPath<'_>,
    parameters: &[(String, String)],
) -> Result<Named, GraphError> {
    let tenants = &state.app().tenants;
    let nobody = Named {
        of: Of::Number,
        owners: Vec::new(),
    };
    // Whoever presents no key is not worth a look.
    if !presents_tenant_key(&head.headers) || path.id.is_empty() {
        return Ok(nobody);
    }
    if let Ok(number) = PhoneNumberId::parse(path.id)
        && let Some(owner) = tenants.owner_of_number(&number).await?
    {
        let owners = vec![owner];
        return Ok(Named { of: Of::Number, owners });
    }
    if let Ok(account) = WabaId::parse(path.id) {
        let owners = tenants.owners_of_account(&account).await?;
        if !owners.is_empty() {
            return Ok(Named {
                of: Of::Account,
                owners,
            });
        }
    }
    let number = media_number(parameters);
    let owner = match number {
        Some(number) if path.edge.is_none() => tenants.owner_of_number(&number).await?,
        _ => None,
    };
    let owners: Vec<TenantId> = owner.into_iter().collect();
    Ok(Named { of: Of::Media, owners })
}

/// The only number that is named as that of media.
fn media_number(parameters: &[(String, String)]) -> Option<PhoneNumberId> {
    let mut named = parameters.iter().filter(|(name, _)| name == PHONE_NUMBER_ID);
    match (named.next(), named.next()) {
        (Some((_, text)), None) => PhoneNumberId::parse(text).ok(),
        _ => None,
    }
}

/// The number of the tenant whose token is used.
fn number_of<'t>(
    tenant: &'t SharedTenant,
    of: Of,
    id: &str,
    parameters: &[(String, String)],
) -> Option<&'t PhoneNumber> {
    match of {
        Of::Number => tenant.number(Some(&PhoneNumberId::parse(id).ok()?)),
        Of::Media => tenant.number(Some(&media_number(parameters)?)),
        Of::Account => {
            let mut numbers = tenant.phone_numbers.iter();
            numbers.find(|number| number.waba_id.as_ref().is_some_and(|account| account.as_str() == id))
        }
    }
}

/// Reads the body of a request that changes something: JSON, or for an upload a form of several parts.
async fn read(
    state: &HttpState,
    head: &Parts,
    body: Body,
    tenant: &SharedTenant,
    path: &GraphPath<'_>,
) -> Result<Option<(String, ReadBody<BytesOwner>)>, GraphError> {
    let mut kinds = head.headers.get_all(CONTENT_TYPE).iter();
    let kind = kinds.next().and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_form = kind.to_ascii_lowercase().starts_with("multipart/form-data;") && kinds.next().is_none();
    if path.edge == Some("media") && is_form {
        let read = body::read_upload(body, state, Some(tenant.id)).await?;
        let kind = form::check(kind, &read)?;
        return Ok(Some((kind, read)));
    }
    let read = body::read_optional_json(&head.headers, body, state, Some(tenant.id)).await?;
    if read.is_empty() {
        return Ok(None);
    }
    members::check(&read, |id| id == path.id || is_own_number(tenant, id))?;
    Ok(Some(("application/json".to_owned(), read)))
}

fn is_own_number(tenant: &SharedTenant, id: &str) -> bool {
    PhoneNumberId::parse(id).is_ok_and(|id| tenant.number(Some(&id)).is_some())
}

/// The address of this request, as its client wrote it.
fn here(state: &HttpState, head: &Parts) -> Here {
    let host = head.headers.get(HOST).and_then(|value| value.to_str().ok());
    let host = host.or_else(|| head.uri.authority().map(Authority::as_str));
    let forwarded = head
        .headers
        .get("x-forwarded-proto")
        .is_some_and(|value| value == "https");
    let scheme = if forwarded || state.config().tls.is_some() {
        "https"
    } else {
        "http"
    };
    Here(format!("{scheme}://{}{}", host.unwrap_or("localhost"), head.uri.path()))
}

/// Meta's status and its words.
fn respond(answer: &PassedAnswer, changed: Option<String>) -> Response {
    let body = changed.map_or_else(|| Body::from(answer.body.as_bytes().to_vec()), Body::from);
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::BAD_GATEWAY);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    for (name, value) in &answer.headers {
        if let Ok(value) = HeaderValue::try_from(&**value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    response
}

/// True for the methods that may pass.
pub(super) fn is_passed(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::POST | Method::DELETE)
}
