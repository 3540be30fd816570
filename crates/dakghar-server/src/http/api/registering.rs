//! Registering a tenant.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::header::LOCATION;
use axum::http::{HeaderValue, StatusCode};
use axum::response::IntoResponse as _;
use dakghar_core::app::{NewPhoneNumber, NewTenant};
use dakghar_core::domain::message::UnknownOutcome;
use dakghar_core::domain::{ErrorCode, Problem, Secret};
use utoipa::ToSchema;

use super::ApiResult;
use crate::http::auth::Admin;
use crate::http::body;
use crate::http::by::By;
use crate::http::fields::Fields;
use crate::http::openapi::{BODY, STORE, problems};
use crate::http::state::HttpState;
use crate::http::views::{self, RegisteredTenantView};

/// A new tenant with its first number. Without `phoneNumberId` and `accessToken`, its numbers are added or connected later.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(in crate::http) struct RegisterTenant {
    /// What people call it, 1 to 200 characters.
    #[schema(example = "Tenant A")]
    name: String,
    /// Meta's id of its number.
    #[schema(example = "111111111111111")]
    phone_number_id: Option<String>,
    /// The access token of the number, encrypted and never shown again. With one that starts with `mock_`, sends are simulated.
    #[schema(example = "mock_token_tenant_A", value_type = Option<String>)]
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
    /// Where the tenant wants its events: its first endpoint. `callbackSecret` of the answer signs the calls.
    callback_url: Option<String>,
    /// What happens to a message when nobody knows whether Meta took it.
    #[schema(schema_with = views::unknown_outcomes)]
    unknown_outcome: Option<String>,
}

/// The members that describe the first number.
const NUMBER_MEMBERS: [&str; 6] = [
    "phoneNumberId",
    "accessToken",
    "wabaId",
    "displayPhoneNumber",
    "defaultCountry",
    "messagesPerSecond",
];

impl RegisterTenant {
    fn read(body: &[u8]) -> Result<NewTenant, Problem> {
        let mut fields = Fields::parse(body)?;
        // What belongs to a number is nothing without one.
        let has_number = NUMBER_MEMBERS.iter().any(|member| fields.has(member));
        let name = fields.required_text("name", ErrorCode::InvalidName);
        let mut of_number = |member, code| has_number.then(|| fields.required_text(member, code));
        let request = Self {
            name,
            phone_number_id: of_number("phoneNumberId", ErrorCode::InvalidPhoneNumberId),
            access_token: of_number("accessToken", ErrorCode::InvalidToken).map(Secret::new),
            waba_id: fields.text("wabaId", ErrorCode::InvalidField),
            display_phone_number: fields.text("displayPhoneNumber", ErrorCode::InvalidField),
            default_country: fields.text("defaultCountry", ErrorCode::InvalidField),
            messages_per_second: fields.whole_number("messagesPerSecond"),
            callback_url: fields.text("callbackUrl", ErrorCode::InvalidUrl),
            unknown_outcome: fields.text("unknownOutcome", ErrorCode::InvalidPolicy),
        };
        let unknown_outcome = request.unknown_outcome.as_deref().and_then(UnknownOutcome::parse);
        if unknown_outcome.is_none() && request.unknown_outcome.is_some() {
            let message = "must be auto, resend or fail";
            fields.refuse(ErrorCode::InvalidPolicy, "unknownOutcome", message);
        }
        fields.finish()?;
        let number = request.phone_number_id.map(|phone_number_id| NewPhoneNumber {
            phone_number_id,
            access_token: request.access_token,
            waba_id: request.waba_id,
            display_phone_number: request.display_phone_number,
            default_country: request.default_country,
            messages_per_second: request.messages_per_second,
        });
        Ok(NewTenant {
            name: request.name,
            callback_url: request.callback_url,
            unknown_outcome,
            number,
        })
    }
}

const REGISTER: &[ErrorCode] = &[
    ErrorCode::PhoneNumberTaken,
    ErrorCode::Conflict,
    ErrorCode::InvalidField,
    ErrorCode::UnknownField,
    ErrorCode::InvalidName,
    ErrorCode::InvalidToken,
    ErrorCode::AccessTokenRefused,
    ErrorCode::InvalidPhoneNumberId,
    ErrorCode::InvalidUrl,
    ErrorCode::HttpsRequired,
    ErrorCode::ForbiddenUrl,
    ErrorCode::InvalidPolicy,
];

problems!(RegisterProblems: BODY, REGISTER, STORE);

/// Register a tenant
///
/// The answer holds the tenant's API key, and with a `callbackUrl` the secret that signs its calls. Both are shown this one
/// time.
#[utoipa::path(
    post, path = "/tenants/register", operation_id = "registerTenant", tag = "Tenants",
    request_body(content = RegisterTenant, example = json!({
        "name": "Tenant A", "phoneNumberId": "111111111111111", "accessToken": "mock_token_tenant_A"})),
    responses((status = 201, description = "Registered.", body = RegisteredTenantView), RegisterProblems),
)]
pub(in crate::http) async fn register(
    State(state): State<HttpState>,
    _: Admin,
    By(by): By,
    request: Request,
) -> ApiResult {
    let (head, body) = request.into_parts();
    let body = body::read_json(&head.headers, body, &state, None).await?;
    let registered = state
        .app()
        .endpoints
        .register_tenant(RegisterTenant::read(&body)?, &by)
        .await?;
    let location = format!("/tenants/{}", registered.tenant.id);
    let mut response = (StatusCode::CREATED, Json(RegisteredTenantView::from(&registered))).into_response();
    let location = HeaderValue::try_from(location).expect("ids are letters and digits");
    response.headers_mut().insert(LOCATION, location);
    Ok(response)
}
