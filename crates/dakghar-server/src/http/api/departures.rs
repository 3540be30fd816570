//! Departures: tenants and numbers that leave.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{StatusCode, Uri};
use dakghar_core::app::NewTenantDeparture;
use dakghar_core::domain::departure::DepartureStep;
use dakghar_core::domain::{ErrorCode, Problem};
use utoipa::ToSchema;

use super::ApiResult;
use crate::http::auth::{Admin, ResourceId, TenantPath};
use crate::http::body;
use crate::http::by::By;
use crate::http::fields::Fields;
use crate::http::openapi::{BODY, LIST, STORE, problems};
use crate::http::query::{PageParameters, Parameters};
use crate::http::state::HttpState;
use crate::http::views::{DepartureView, PageView};

/// The end of messages that were accepted before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Queued {
    Send,
    Cancel,
}

impl Queued {
    const ALL: [Self; 2] = [Self::Send, Self::Cancel];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Send => "send",
            Self::Cancel => "cancel",
        }
    }
}

/// The way in which a tenant, or some of its numbers, leave.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "documents what read() reads")]
pub(in crate::http) struct BeginDeparture {
    /// The numbers that leave, 100 at most; the tenant as a whole when absent.
    #[schema(example = json!(["106540352242922"]))]
    phone_number_ids: Option<Vec<String>>,
    /// The end of messages that were accepted before: `send` (by default), or `cancel`.
    #[schema(example = "send")]
    queued: Option<String>,
    /// The date until which they are sent, within 30 days; a day from now when absent. What is left then is cancelled.
    #[schema(format = DateTime)]
    send_until: Option<String>,
    /// True if the numbers are deregistered from the Cloud API.
    deregister: Option<bool>,
    /// True if the access tokens are revoked at Meta.
    revoke_token: Option<bool>,
    /// True if nobody needs the export: otherwise a tenant is not removed before it was fetched.
    skip_export: Option<bool>,
    /// True if the tenant, or the numbers, stay with all their data, and only do not take messages any more.
    keep_data: Option<bool>,
    /// Those of `override`, `unsubscribe`, `deregister` and `revoke` without which it does not go on, if Meta refuses them.
    #[schema(example = json!(["unsubscribe"]))]
    required: Option<Vec<String>>,
}

fn read(body: &[u8]) -> Result<NewTenantDeparture, Problem> {
    let mut fields = Fields::parse(body)?;
    let new = NewTenantDeparture {
        phone_number_ids: fields.texts("phoneNumberIds", ErrorCode::InvalidPhoneNumberId),
        cancel_queued: fields.one_of("queued", &Queued::ALL, Queued::as_str) == Some(Queued::Cancel),
        send_until: fields.time("sendUntil"),
        deregister: fields.flag("deregister"),
        revoke_token: fields.flag("revokeToken"),
        skip_export: fields.flag("skipExport"),
        keep_data: fields.flag("keepData"),
        required: required(&mut fields),
    };
    fields.finish()?;
    Ok(new)
}

fn required(fields: &mut Fields) -> Vec<DepartureStep> {
    let named = fields.texts("required", ErrorCode::InvalidField).unwrap_or_default();
    let mut required = Vec::new();
    for (place, name) in named.iter().enumerate() {
        match DepartureStep::parse(name).filter(|step| step.is_of_meta()) {
            Some(step) => required.push(step),
            None => {
                let names = DepartureStep::OF_META.map(DepartureStep::as_str).join(", ");
                let message = format!("must be one of {names}");
                fields.refuse_item(ErrorCode::InvalidField, "required", place, &message);
            }
        }
    }
    required
}

problems!(BeginProblems: BODY, STORE, &[
    ErrorCode::TenantNotFound,
    ErrorCode::PhoneNumberNotFound,
    ErrorCode::LastPhoneNumber,
    ErrorCode::DepartureUnderWay,
    ErrorCode::Conflict,
    ErrorCode::InvalidField,
    ErrorCode::UnknownField,
    ErrorCode::InvalidPhoneNumberId,
]);

/// Let a tenant leave, or some of its numbers
///
/// Begins a job: nothing is accepted any more, what is queued is sent or cancelled, the app is unsubscribed from the accounts and their
/// override of the webhook URL is released, numbers are deregistered and tokens revoked if that is wished for, the export is waited for,
/// and the tenant is removed with all its data. `GET` tells where it is and why, also when the tenant is gone. Asked for again in the
/// same way, it is the same departure.
#[utoipa::path(
    post, path = "/tenants/{tenantId}/departures", operation_id = "beginDeparture", tag = "Tenants",
    request_body(content = BeginDeparture, example = json!({"queued": "send", "skipExport": true})),
    responses(
        (status = 202, description = "The departure, which has begun.", body = DepartureView),
        (status = 200, description = "The departure that is under way.", body = DepartureView),
        BeginProblems,
    ),
)]
pub(in crate::http) async fn begin(
    State(state): State<HttpState>,
    _: Admin,
    By(by): By,
    TenantPath(id): TenantPath,
    request: Request,
) -> ApiResult<(StatusCode, Json<DepartureView>)> {
    let (head, body) = request.into_parts();
    let body = body::read_json(&head.headers, body, &state, Some(id)).await?;
    let new = read(&body)?;
    let (departure, is_new) = state.app().departing.begin(&id, &new, &by).await?;
    let status = if is_new { StatusCode::ACCEPTED } else { StatusCode::OK };
    Ok((status, Json(DepartureView::from(&departure))))
}

problems!(ListProblems: LIST, STORE, &[ErrorCode::TenantNotFound]);

/// List the departures of a tenant
///
/// Newest first, also of a tenant that has left. They are kept for a year after their end.
#[utoipa::path(
    get, path = "/tenants/{tenantId}/departures", operation_id = "listDepartures", tag = "Tenants",
    params(PageParameters),
    responses((status = 200, description = "A page of departures.", body = PageView<DepartureView>), ListProblems),
)]
pub(in crate::http) async fn list(
    State(state): State<HttpState>,
    _: Admin,
    TenantPath(id): TenantPath,
    uri: Uri,
) -> ApiResult {
    let page = Parameters::of_page(&uri)?.page()?;
    let turn = state.budgets().pages.turn(Some(id)).await?;
    let departures = state.app().reading.departures(&id, &page).await?;
    Ok(turn.answer(&PageView::<DepartureView>::of(departures))?)
}

problems!(ReadProblems: STORE, &[ErrorCode::TenantNotFound, ErrorCode::DepartureNotFound]);

/// Read a departure
///
/// With what became of each step, why it does not go on, Meta's answer and the advice for it. It names nobody.
#[utoipa::path(
    get, path = "/tenants/{tenantId}/departures/{departureId}", operation_id = "getDeparture", tag = "Tenants",
    responses((status = 200, description = "The departure.", body = DepartureView), ReadProblems),
)]
pub(in crate::http) async fn one(
    State(state): State<HttpState>,
    _: Admin,
    TenantPath(tenant_id): TenantPath,
    ResourceId(id): ResourceId,
) -> ApiResult<Json<DepartureView>> {
    let departure = state.app().departing.find(&tenant_id, &id).await?;
    Ok(Json(DepartureView::from(&departure)))
}

/// The way in which a departure goes on.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(in crate::http) struct RetryDeparture {
    /// True if it goes on without the step that it is at. Neither `accept` nor `remove` can be left out.
    skip: bool,
}

impl RetryDeparture {
    fn read(body: &[u8]) -> Result<Self, Problem> {
        let mut fields = Fields::parse(body)?;
        let request = Self {
            skip: fields.flag("skip"),
        };
        fields.finish()?;
        Ok(request)
    }
}

problems!(RetryProblems: BODY, STORE, &[
    ErrorCode::TenantNotFound,
    ErrorCode::DepartureNotFound,
    ErrorCode::Conflict,
    ErrorCode::InvalidField,
    ErrorCode::UnknownField,
]);

/// Let a departure go on
///
/// One that has stopped goes on from where it is, and one that waits goes on at once. What was done at Meta before is not done twice.
/// One that is under way or over stays as it is.
#[utoipa::path(
    post, path = "/tenants/{tenantId}/departures/{departureId}/retry", operation_id = "retryDeparture", tag = "Tenants",
    request_body(content = RetryDeparture, example = json!({"skip": false})),
    responses((status = 200, description = "The departure.", body = DepartureView), RetryProblems),
)]
pub(in crate::http) async fn retry(
    State(state): State<HttpState>,
    _: Admin,
    By(by): By,
    TenantPath(tenant_id): TenantPath,
    ResourceId(id): ResourceId,
    request: Request,
) -> ApiResult<Json<DepartureView>> {
    let (head, body) = request.into_parts();
    let body = body::read_json(&head.headers, body, &state, Some(tenant_id)).await?;
    let RetryDeparture { skip } = RetryDeparture::read(&body)?;
    let departure = state.app().departing.retry(&tenant_id, &id, skip, &by).await?;
    Ok(Json(DepartureView::from(&departure)))
}

problems!(CancelProblems: STORE, &[
    ErrorCode::TenantNotFound,
    ErrorCode::DepartureNotFound,
    ErrorCode::DepartureTooFar,
    ErrorCode::Conflict,
]);

/// Call a departure off
///
/// As long as nothing was changed at Meta and nothing removed. The tenant takes messages again; what was cancelled stays cancelled.
/// Calling it off twice is fine.
#[utoipa::path(
    post, path = "/tenants/{tenantId}/departures/{departureId}/cancel", operation_id = "cancelDeparture",
    tag = "Tenants",
    responses((status = 200, description = "The departure.", body = DepartureView), CancelProblems),
)]
pub(in crate::http) async fn cancel(
    State(state): State<HttpState>,
    _: Admin,
    By(by): By,
    TenantPath(tenant_id): TenantPath,
    ResourceId(id): ResourceId,
) -> ApiResult<Json<DepartureView>> {
    let departure = state.app().departing.cancel(&tenant_id, &id, &by).await?;
    Ok(Json(DepartureView::from(&departure)))
}
