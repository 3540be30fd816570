//! Signups: numbers that are connected with a code of Meta's dialog.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{StatusCode, Uri};
use dakghar_core::app::{NewNumberSignup, Page, SignupRetry};
use dakghar_core::domain::signup::Signup;
use dakghar_core::domain::{ErrorCode, Problem, Secret};
use utoipa::ToSchema;

use super::ApiResult;
use crate::http::auth::{ResourceId, TenantScope};
use crate::http::body;
use crate::http::by::By;
use crate::http::fields::Fields;
use crate::http::openapi::{BODY, LIST, STORE, problems};
use crate::http::query::{PageParameters, Parameters};
use crate::http::state::HttpState;
use crate::http::views::{PageView, SignupView};

async fn shown(state: &HttpState, signup: Signup) -> ApiResult<Json<SignupView>> {
    let shown = state.app().onboarding.shown_one(signup).await?;
    Ok(Json(SignupView::from(&shown)))
}

/// What Meta's dialog gave.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(in crate::http) struct BeginSignup {
    /// The code. Meta takes it once, and for 30 seconds.
    #[schema(value_type = String, example = "AQBhlX0dP3r7")]
    code: Option<Secret>,
    /// The account, if the dialog named it. It counts only if the code is for it.
    #[schema(example = "102290129340398")]
    waba_id: Option<String>,
    /// The number, if the dialog named it. It counts only if it is in the account.
    #[schema(example = "106540352242922")]
    phone_number_id: Option<String>,
    /// The PIN of the number, six digits, if it has one. Otherwise Dakghar makes one and keeps it.
    #[schema(value_type = Option<String>)]
    pin: Option<Secret>,
    /// The app that the dialog ran with; when absent the first one whose id and secret are known.
    app_id: Option<String>,
    /// Meta's name of how the dialog ended, if it told that. `FINISH_WHATSAPP_BUSINESS_APP_ONBOARDING` says which of several
    /// numbers is meant: the one of the WhatsApp Business app. Whether it is one, Meta is asked.
    #[schema(example = "FINISH_WHATSAPP_BUSINESS_APP_ONBOARDING")]
    event: Option<String>,
}

impl BeginSignup {
    fn read(body: &[u8]) -> Result<NewNumberSignup, Problem> {
        let mut fields = Fields::parse(body)?;
        let code = Secret::new(fields.required_text("code", ErrorCode::InvalidField));
        let request = Self {
            code: Some(code.clone()),
            waba_id: fields.text("wabaId", ErrorCode::InvalidField),
            phone_number_id: fields.text("phoneNumberId", ErrorCode::InvalidPhoneNumberId),
            pin: fields.secret("pin", ErrorCode::InvalidField),
            app_id: fields.text("appId", ErrorCode::InvalidField),
            event: fields.text("event", ErrorCode::InvalidField),
        };
        fields.finish()?;
        Ok(NewNumberSignup {
            code: request.code.unwrap_or(code),
            app_id: request.app_id,
            waba_id: request.waba_id,
            phone_number_id: request.phone_number_id,
            pin: request.pin,
            event: request.event,
        })
    }
}

/// What a person brings so that a signup goes on; all of it may be absent.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(in crate::http) struct RetrySignup {
    /// Another code of Meta's dialog, if the signup needs one.
    #[schema(value_type = Option<String>, example = "AQBhlX0dP3r7")]
    code: Option<Secret>,
    /// The account that is meant.
    waba_id: Option<String>,
    /// The number that is meant.
    phone_number_id: Option<String>,
    /// The PIN of the number.
    #[schema(value_type = Option<String>)]
    pin: Option<Secret>,
    /// Meta's name of how the dialog ended, if it told that.
    event: Option<String>,
}

impl RetrySignup {
    fn read(body: &[u8]) -> Result<SignupRetry, Problem> {
        let mut fields = Fields::parse(body)?;
        let request = Self {
            code: fields.secret("code", ErrorCode::InvalidField),
            waba_id: fields.text("wabaId", ErrorCode::InvalidField),
            phone_number_id: fields.text("phoneNumberId", ErrorCode::InvalidPhoneNumberId),
            pin: fields.secret("pin", ErrorCode::InvalidField),
            event: fields.text("event", ErrorCode::InvalidField),
        };
        fields.finish()?;
        Ok(SignupRetry {
            code: request.code,
            waba_id: request.waba_id,
            phone_number_id: request.phone_number_id,
            pin: request.pin,
            event: request.event,
        })
    }
}

problems!(BeginProblems: BODY, STORE, &[
    ErrorCode::TenantNotFound,
    ErrorCode::AppNotFound,
    ErrorCode::PhoneNumberTaken,
    ErrorCode::AccountTaken,
    ErrorCode::SignupCodeUsed,
    ErrorCode::TooManySignups,
    ErrorCode::TenantLeaving,
    ErrorCode::Conflict,
    ErrorCode::InvalidField,
    ErrorCode::UnknownField,
    ErrorCode::InvalidPhoneNumberId,
]);

/// Connect a number
///
/// Takes the code that Meta's Embedded Signup gave, and begins a job: the code is exchanged for a token, the token is checked, the
/// app is subscribed to the account, the number is registered, and the tenant can send from it. `GET` tells where it is and why. The
/// same code again returns the same signup.
#[utoipa::path(
    post, path = "/tenants/{tenantId}/signups", operation_id = "beginSignup", tag = "Phone numbers",
    request_body(content = BeginSignup, example = json!({"code": "AQBhlX0dP3r7", "wabaId": "102290129340398"})),
    responses(
        (status = 202, description = "The signup, which has begun.", body = SignupView),
        (status = 200, description = "The signup that began with this code before.", body = SignupView),
        BeginProblems,
    ),
)]
pub(in crate::http) async fn begin(
    State(state): State<HttpState>,
    scope: TenantScope,
    By(by): By,
    request: Request,
) -> ApiResult<(StatusCode, Json<SignupView>)> {
    let (head, body) = request.into_parts();
    let body = body::read_json(&head.headers, body, &state, Some(*scope.id())).await?;
    let new = BeginSignup::read(&body)?;
    let (signup, is_new) = state.app().onboarding.begin(scope.id(), new, &by).await?;
    let status = if is_new { StatusCode::ACCEPTED } else { StatusCode::OK };
    Ok((status, shown(&state, signup).await?))
}

problems!(ListProblems: LIST, STORE);

/// List the signups of a tenant
///
/// Newest first. They are kept as long as the tenant.
#[utoipa::path(
    get, path = "/tenants/{tenantId}/signups", operation_id = "listSignups", tag = "Phone numbers",
    params(PageParameters),
    responses((status = 200, description = "A page of signups.", body = PageView<SignupView>), ListProblems),
)]
pub(in crate::http) async fn list(State(state): State<HttpState>, scope: TenantScope, uri: Uri) -> ApiResult {
    let page = Parameters::of_page(&uri)?.page()?;
    let turn = state.budgets().pages.turn(Some(*scope.id())).await?;
    let signups = state.app().reading.signups(scope.id(), &page).await?;
    let signups = Page {
        items: state.app().onboarding.shown(scope.id(), signups.items).await?,
        next_cursor: signups.next_cursor,
    };
    Ok(turn.answer(&PageView::<SignupView>::of(signups))?)
}

problems!(ReadProblems: STORE, &[ErrorCode::SignupNotFound]);

/// Read a signup
///
/// With the step that it is at, why it does not go on, Meta's answer and the advice for it.
#[utoipa::path(
    get, path = "/tenants/{tenantId}/signups/{signupId}", operation_id = "getSignup", tag = "Phone numbers",
    responses((status = 200, description = "The signup.", body = SignupView), ReadProblems),
)]
pub(in crate::http) async fn one(
    State(state): State<HttpState>,
    scope: TenantScope,
    ResourceId(id): ResourceId,
) -> ApiResult<Json<SignupView>> {
    let signup = state.app().onboarding.find(scope.id(), &id).await?;
    shown(&state, signup).await
}

problems!(RetryProblems: BODY, STORE, &[
    ErrorCode::SignupNotFound,
    ErrorCode::TenantNotFound,
    ErrorCode::TenantLeaving,
    ErrorCode::SignupCodeUsed,
    ErrorCode::SignupNeedsCode,
    ErrorCode::Conflict,
    ErrorCode::InvalidField,
    ErrorCode::UnknownField,
    ErrorCode::InvalidPhoneNumberId,
]);

/// Let a signup go on
///
/// One that has stopped goes on from where it is, and one that waits goes on at once. What was done at Meta before is not done twice.
/// One that is under way or done stays as it is.
#[utoipa::path(
    post, path = "/tenants/{tenantId}/signups/{signupId}/retry", operation_id = "retrySignup", tag = "Phone numbers",
    request_body(content = RetrySignup, example = json!({"pin": "123456"})),
    responses((status = 200, description = "The signup.", body = SignupView), RetryProblems),
)]
pub(in crate::http) async fn retry(
    State(state): State<HttpState>,
    scope: TenantScope,
    By(by): By,
    ResourceId(id): ResourceId,
    request: Request,
) -> ApiResult<Json<SignupView>> {
    let (head, body) = request.into_parts();
    let body = body::read_json(&head.headers, body, &state, Some(*scope.id())).await?;
    let retry = RetrySignup::read(&body)?;
    let signup = state.app().onboarding.retry(scope.id(), &id, retry, &by).await?;
    shown(&state, signup).await
}

problems!(CancelProblems: STORE, &[
    ErrorCode::SignupNotFound,
    ErrorCode::SignupBegun,
    ErrorCode::Conflict,
]);

/// Take an onboarding link back
///
/// The link of a signup that is `invited` cannot be used any more. Taking it back twice is fine. A signup that has begun goes on.
#[utoipa::path(
    post, path = "/tenants/{tenantId}/signups/{signupId}/cancel", operation_id = "cancelSignup", tag = "Phone numbers",
    responses((status = 200, description = "The signup.", body = SignupView), CancelProblems),
)]
pub(in crate::http) async fn cancel(
    State(state): State<HttpState>,
    scope: TenantScope,
    By(by): By,
    ResourceId(id): ResourceId,
) -> ApiResult<Json<SignupView>> {
    let signup = state.app().onboarding.cancel(scope.id(), &id, &by).await?;
    shown(&state, signup).await
}
