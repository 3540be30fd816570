//! The numbers of a tenant.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use dakghar_core::app::{NewPhoneNumber, PhoneNumberChanges};
use dakghar_core::domain::{ErrorCode, Problem, Secret};
use utoipa::ToSchema;

use super::ApiResult;
use crate::http::auth::{Admin, ResourceId, TenantScope};
use crate::http::body;
use crate::http::by::By;
use crate::http::fields::Fields;
use crate::http::openapi::{BODY, STORE, problems};
use crate::http::state::HttpState;
use crate::http::views::{ListedNumberView, PageView, TenantView};

/// Another number for a tenant.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(in crate::http) struct AddPhoneNumber {
    /// Meta's id of the number.
    #[schema(example = "222222222222222")]
    phone_number_id: String,
    /// Its access token; that of the tenant's first number when absent.
    #[schema(value_type = Option<String>, example = "mock_token_tenant_A")]
    access_token: Option<Secret>,
    /// The WhatsApp Business Account at Meta.
    waba_id: Option<String>,
    /// The number as people write it.
    display_phone_number: Option<String>,
    /// The country whose people write numbers for it without a country code, by its two capital letters.
    #[schema(example = "IN")]
    default_country: Option<String>,
    /// Meta's limit for the number, 80 when absent.
    #[schema(minimum = 1, maximum = 100_000)]
    messages_per_second: Option<u32>,
}

impl AddPhoneNumber {
    fn read(body: &[u8]) -> Result<NewPhoneNumber, Problem> {
        let mut fields = Fields::parse(body)?;
        let request = Self {
            phone_number_id: fields.required_text("phoneNumberId", ErrorCode::InvalidPhoneNumberId),
            access_token: fields.secret("accessToken", ErrorCode::InvalidToken),
            waba_id: fields.text("wabaId", ErrorCode::InvalidField),
            display_phone_number: fields.text("displayPhoneNumber", ErrorCode::InvalidField),
            default_country: fields.text("defaultCountry", ErrorCode::InvalidField),
            messages_per_second: fields.whole_number("messagesPerSecond"),
        };
        fields.finish()?;
        Ok(NewPhoneNumber {
            phone_number_id: request.phone_number_id,
            access_token: request.access_token,
            waba_id: request.waba_id,
            display_phone_number: request.display_phone_number,
            default_country: request.default_country,
            messages_per_second: request.messages_per_second,
        })
    }
}

/// What can be changed of a number; what is absent stays.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(in crate::http) struct ChangePhoneNumber {
    /// Meta's limit for the number. Only the operator changes it.
    #[schema(minimum = 1, maximum = 100_000, example = 250)]
    messages_per_second: Option<u32>,
    /// The number as people write it.
    display_phone_number: Option<String>,
    /// The country whose people write numbers for it without a country code, by its two capital letters; empty for none.
    #[schema(example = "IN")]
    default_country: Option<String>,
}

impl ChangePhoneNumber {
    fn read(body: &[u8]) -> Result<Self, Problem> {
        let mut fields = Fields::parse(body)?;
        let request = Self {
            messages_per_second: fields.whole_number("messagesPerSecond"),
            display_phone_number: fields.text("displayPhoneNumber", ErrorCode::InvalidField),
            default_country: fields.text("defaultCountry", ErrorCode::InvalidField),
        };
        fields.finish()?;
        Ok(request)
    }
}

problems!(ListProblems: STORE);

/// List the numbers of a tenant
#[utoipa::path(
    get, path = "/tenants/{tenantId}/phone-numbers", operation_id = "listPhoneNumbers", tag = "Phone numbers",
    responses((status = 200, description = "All numbers, the default one first.", body = PageView<ListedNumberView>),
        ListProblems),
)]
pub(in crate::http) async fn list(
    State(state): State<HttpState>,
    scope: TenantScope,
) -> ApiResult<Json<PageView<ListedNumberView>>> {
    let allowances = &state.app().allowances;
    Ok(Json(PageView::complete(ListedNumberView::all_of(
        &scope.tenant,
        allowances,
    ))))
}

problems!(AddProblems: BODY, STORE, &[
    ErrorCode::TenantLeaving,
    ErrorCode::TenantNotFound,
    ErrorCode::PhoneNumberTaken,
    ErrorCode::Conflict,
    ErrorCode::InvalidField,
    ErrorCode::UnknownField,
    ErrorCode::InvalidToken,
    ErrorCode::AccessTokenRefused,
    ErrorCode::InvalidPhoneNumberId,
]);

/// Add a number
///
/// The operator says which numbers and accounts are the tenant's, because webhooks are routed by them.
#[utoipa::path(
    post, path = "/tenants/{tenantId}/phone-numbers", operation_id = "addPhoneNumber", tag = "Phone numbers",
    request_body(content = AddPhoneNumber, example = json!({"phoneNumberId": "222222222222222"})),
    responses((status = 201, description = "Added; the tenant.", body = TenantView), AddProblems),
)]
pub(in crate::http) async fn add(
    State(state): State<HttpState>,
    _: Admin,
    scope: TenantScope,
    By(by): By,
    request: Request,
) -> ApiResult<(StatusCode, Json<TenantView>)> {
    let (head, body) = request.into_parts();
    let body = body::read_json(&head.headers, body, &state, Some(*scope.id())).await?;
    let tenant = state
        .app()
        .tenants
        .add_phone_number(scope.id(), AddPhoneNumber::read(&body)?, &by)
        .await?;
    Ok((StatusCode::CREATED, Json(TenantView::from(&*tenant))))
}

problems!(ChangeProblems: BODY, STORE, &[
    ErrorCode::Forbidden,
    ErrorCode::PhoneNumberNotFound,
    ErrorCode::Conflict,
    ErrorCode::InvalidField,
    ErrorCode::UnknownField,
]);

/// Change a number
///
/// `messagesPerSecond` is for the admin key only: the pace of a number is the operator's to give. So is
/// `displayPhoneNumber` while the number's account has other tenants, because events of Meta name numbers by it.
#[utoipa::path(
    patch, path = "/tenants/{tenantId}/phone-numbers/{phoneNumberId}", operation_id = "changePhoneNumber",
    tag = "Phone numbers",
    request_body(content = ChangePhoneNumber, example = json!({"displayPhoneNumber": "+1 555 0100"})),
    responses((status = 200, description = "The tenant.", body = TenantView), ChangeProblems),
)]
pub(in crate::http) async fn change(
    State(state): State<HttpState>,
    scope: TenantScope,
    By(by): By,
    ResourceId(number): ResourceId,
    request: Request,
) -> ApiResult<Json<TenantView>> {
    let (head, body) = request.into_parts();
    let body = body::read_json(&head.headers, body, &state, Some(*scope.id())).await?;
    let change = ChangePhoneNumber::read(&body)?;
    let tenant = state
        .app()
        .tenants
        .change_phone_number(
            scope.id(),
            &number,
            PhoneNumberChanges {
                messages_per_second: change.messages_per_second,
                display_phone_number: change.display_phone_number,
                default_country: change.default_country,
            },
            &by,
        )
        .await?;
    Ok(Json(TenantView::from(&*tenant)))
}

problems!(RemoveProblems: STORE, &[
    ErrorCode::TenantNotFound,
    ErrorCode::PhoneNumberNotFound,
    ErrorCode::LastPhoneNumber,
    ErrorCode::Conflict,
]);

/// Remove a number
///
/// For the operator, as adding one. The last number of a tenant stays.
#[utoipa::path(
    delete, path = "/tenants/{tenantId}/phone-numbers/{phoneNumberId}", operation_id = "removePhoneNumber",
    tag = "Phone numbers",
    responses((status = 204, description = "Removed."), RemoveProblems),
)]
pub(in crate::http) async fn remove(
    State(state): State<HttpState>,
    _: Admin,
    scope: TenantScope,
    By(by): By,
    ResourceId(number): ResourceId,
) -> ApiResult<StatusCode> {
    let tenants = &state.app().tenants;
    tenants.remove_phone_number(scope.id(), &number, &by).await?;
    Ok(StatusCode::NO_CONTENT)
}

problems!(CheckProblems: STORE, &[
    ErrorCode::TenantNotFound,
    ErrorCode::PhoneNumberNotFound,
    ErrorCode::Conflict,
    ErrorCode::MetaUnavailable,
]);

/// Check a number at Meta now
///
/// Every number is checked by itself some times a day. What has changed is told in the feed (`number.changed`), and shown as
/// `standing`; a number that cannot send is put on hold.
#[utoipa::path(
    post, path = "/tenants/{tenantId}/phone-numbers/{phoneNumberId}/check", operation_id = "checkPhoneNumber",
    tag = "Phone numbers",
    responses((status = 200, description = "The tenant, with what was seen.", body = TenantView), CheckProblems),
)]
pub(in crate::http) async fn check(
    State(state): State<HttpState>,
    _: Admin,
    scope: TenantScope,
    ResourceId(number): ResourceId,
) -> ApiResult<Json<TenantView>> {
    let tenant = state.app().number_checks.check_now(scope.id(), &number).await?;
    Ok(Json(TenantView::from(&*tenant)))
}

problems!(PauseProblems: STORE, &[ErrorCode::PhoneNumberNotFound, ErrorCode::Conflict]);
problems!(ResumeProblems: STORE, &[ErrorCode::Forbidden, ErrorCode::PhoneNumberNotFound, ErrorCode::Conflict]);

/// Stop sending from a number
#[utoipa::path(
    post, path = "/tenants/{tenantId}/phone-numbers/{phoneNumberId}/pause", operation_id = "pausePhoneNumber",
    tag = "Phone numbers",
    responses((status = 200, description = "The tenant.", body = TenantView), PauseProblems),
)]
pub(in crate::http) async fn pause(
    State(state): State<HttpState>,
    scope: TenantScope,
    By(by): By,
    ResourceId(number): ResourceId,
) -> ApiResult<Json<TenantView>> {
    let tenant = state.app().tenants.pause(scope.id(), Some(&number), &by).await?;
    Ok(Json(TenantView::from(&*tenant)))
}

/// Send again from a number
///
/// Ends its hold, whatever the reason. A pause by the operator is ended by the admin key only.
#[utoipa::path(
    post, path = "/tenants/{tenantId}/phone-numbers/{phoneNumberId}/resume", operation_id = "resumePhoneNumber",
    tag = "Phone numbers",
    responses((status = 200, description = "The tenant.", body = TenantView), ResumeProblems),
)]
pub(in crate::http) async fn resume(
    State(state): State<HttpState>,
    scope: TenantScope,
    By(by): By,
    ResourceId(number): ResourceId,
) -> ApiResult<Json<TenantView>> {
    let tenant = state.app().tenants.resume(scope.id(), Some(&number), &by).await?;
    Ok(Json(TenantView::from(&*tenant)))
}
