//! What Meta does at once for a number: read marks, blocked people, the profile. Its answers are passed on as they are.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use dakghar_core::app::BLOCKED_AT_ONCE_MAX;
use dakghar_core::domain::audit::Principal;
use dakghar_core::domain::steering::{is_plain_name, names_subject, steers};
use dakghar_core::domain::{ErrorCode, MessageId, MessageKey, Problem};
use dakghar_core::ports::NumberAsk;
use serde::Serialize;
use utoipa::ToSchema;

use super::ApiResult;
use crate::http::auth::{ResourceId, TenantScope};
use crate::http::body;
use crate::http::by::By;
use crate::http::fields::Fields;
use crate::http::openapi::{BODY, STORE, problems};
use crate::http::query::Parameters;
use crate::http::state::HttpState;

/// People on a page of those who are blocked, where the request does not say.
const BLOCKED_LIMIT: u32 = 50;
const USER_CHARS_MAX: usize = 160;

/// Meta did it.
#[derive(Serialize, ToSchema)]
#[schema(as = Done)]
pub(in crate::http) struct DoneView {
    /// Always true.
    success: bool,
}

/// How a message is marked as read.
#[derive(ToSchema)]
#[expect(dead_code, reason = "documents what mark_read() takes")]
pub(in crate::http) struct MarkRead {
    /// Also shows the person that an answer is being typed, for 25 seconds or until it comes.
    typing: Option<bool>,
}

/// People to block, or not to block any more.
#[derive(ToSchema)]
#[expect(dead_code, reason = "documents what people() takes")]
pub(in crate::http) struct BlockPeople {
    /// Up to 100: numbers with `+` and country code, or user ids.
    #[schema(example = json!(["+919111111111"]))]
    users: Vec<String>,
}

/// What people see of the business; what is absent stays. Further fields pass on to Meta.
#[derive(ToSchema)]
#[expect(dead_code, reason = "documents what change_profile() takes")]
pub(in crate::http) struct ChangeProfile {
    /// 1 to 139 characters.
    about: Option<String>,
    /// Up to 256 characters.
    address: Option<String>,
    /// Up to 512 characters.
    description: Option<String>,
    /// Up to 128 characters.
    email: Option<String>,
    /// Up to two, of 256 characters each.
    websites: Option<Vec<String>>,
    /// Meta's name of the trade, such as `RETAIL`.
    vertical: Option<String>,
    /// Meta's handle of an uploaded picture.
    #[schema(rename = "profile_picture_handle")]
    profile_picture_handle: Option<String>,
}

const META: &[ErrorCode] = &[
    ErrorCode::PhoneNumberNotFound,
    ErrorCode::MetaRefused,
    ErrorCode::MetaUnavailable,
];

problems!(MarkReadProblems: BODY, STORE, META, &[
    ErrorCode::MessageNotFound,
    ErrorCode::NotInbound,
    ErrorCode::InvalidField,
    ErrorCode::UnknownField,
]);

/// Mark a message as read
///
/// At once, without a queue. Meta marks those before it in the conversation, too. `typing` shows the person that an answer is
/// being typed.
#[utoipa::path(
    post, path = "/tenants/{tenantId}/messages/{messageId}/read", operation_id = "markMessageRead", tag = "Messages",
    request_body(content = Option<MarkRead>, example = json!({"typing": true})),
    responses((status = 200, description = "Meta has done it.", body = DoneView), MarkReadProblems),
)]
pub(in crate::http) async fn mark_read(
    State(state): State<HttpState>,
    scope: TenantScope,
    ResourceId(id): ResourceId,
    request: Request,
) -> ApiResult {
    let (head, body) = request.into_parts();
    let body = body::read_optional_json(&head.headers, body, &state, Some(*scope.id())).await?;
    let typing = if body.is_empty() { false } else { read_typing(&body)? };
    let not_found = || Problem::new(ErrorCode::MessageNotFound, "The tenant has no such message.");
    let key = MessageKey {
        tenant_id: *scope.id(),
        message_id: MessageId::parse_either(&id).map_err(|_| not_found())?,
    };
    Ok(passed_on(
        StatusCode::OK,
        &state.app().number_calls.mark_read(key, typing).await?,
    ))
}

fn read_typing(body: &[u8]) -> Result<bool, Problem> {
    let mut fields = Fields::parse(body)?;
    let typing = fields.flag("typing");
    fields.finish()?;
    Ok(typing)
}

problems!(BlockedProblems: STORE, META, &[ErrorCode::InvalidFilter, ErrorCode::InvalidLimit]);

/// List blocked people
///
/// As Meta tells it now: `data`, and `paging` with the cursor of the next page.
#[utoipa::path(
    get, path = "/tenants/{tenantId}/phone-numbers/{phoneNumberId}/blocked", operation_id = "listBlocked",
    tag = "Phone numbers",
    params(("limit" = Option<u32>, Query, description = "At most so many people, 50 when absent."),
        ("after" = Option<String>, Query, description = "Meta's cursor of the page before.")),
    responses((status = 200, description = "Meta's answer.", body = Object), BlockedProblems),
)]
pub(in crate::http) async fn blocked(
    State(state): State<HttpState>,
    scope: TenantScope,
    ResourceId(number): ResourceId,
    request: Request,
) -> ApiResult {
    let query = Parameters::parse(request.uri(), &["limit", "after"])?;
    let wrong = |_| Problem::new(ErrorCode::InvalidLimit, "limit must be a number of people.");
    let limit = query.get("limit").map(|text| text.parse().map_err(wrong)).transpose()?;
    let (limit, after) = (limit.unwrap_or(BLOCKED_LIMIT), query.get("after"));
    let ask = NumberAsk::Blocked { limit, after };
    ask_about(&state, &scope, &number, ask).await
}

problems!(BlockProblems: BODY, STORE, META, &[ErrorCode::InvalidField, ErrorCode::UnknownField]);

/// Block people
///
/// Meta blocks only those who wrote within the last day. Its answer names who was blocked and who was not.
#[utoipa::path(
    post, path = "/tenants/{tenantId}/phone-numbers/{phoneNumberId}/block", operation_id = "blockPeople",
    tag = "Phone numbers",
    request_body(content = BlockPeople, example = json!({"users": ["+919111111111"]})),
    responses((status = 200, description = "Meta's answer.", body = Object), BlockProblems),
)]
pub(in crate::http) async fn block(
    State(state): State<HttpState>,
    scope: TenantScope,
    By(by): By,
    ResourceId(number): ResourceId,
    request: Request,
) -> ApiResult {
    let people = people(&state, &scope, request).await?;
    change(&state, &scope, &number, NumberAsk::Block(&people), &by).await
}

/// Unblock people
#[utoipa::path(
    post, path = "/tenants/{tenantId}/phone-numbers/{phoneNumberId}/unblock", operation_id = "unblockPeople",
    tag = "Phone numbers",
    request_body(content = BlockPeople, example = json!({"users": ["+919111111111"]})),
    responses((status = 200, description = "Meta's answer.", body = Object), BlockProblems),
)]
pub(in crate::http) async fn unblock(
    State(state): State<HttpState>,
    scope: TenantScope,
    By(by): By,
    ResourceId(number): ResourceId,
    request: Request,
) -> ApiResult {
    let people = people(&state, &scope, request).await?;
    change(&state, &scope, &number, NumberAsk::Unblock(&people), &by).await
}

problems!(ProfileProblems: STORE, META);

/// Show the profile of a number
///
/// What people see of the business, as Meta tells it now.
#[utoipa::path(
    get, path = "/tenants/{tenantId}/phone-numbers/{phoneNumberId}/profile", operation_id = "getProfile",
    tag = "Phone numbers",
    responses((status = 200, description = "Meta's answer.", body = Object), ProfileProblems),
)]
pub(in crate::http) async fn profile(
    State(state): State<HttpState>,
    scope: TenantScope,
    ResourceId(number): ResourceId,
) -> ApiResult {
    ask_about(&state, &scope, &number, NumberAsk::Profile).await
}

/// Change the profile of a number
#[utoipa::path(
    patch, path = "/tenants/{tenantId}/phone-numbers/{phoneNumberId}/profile", operation_id = "changeProfile",
    tag = "Phone numbers",
    request_body(content = ChangeProfile, example = json!({"about": "Books for Dhaka"})),
    responses((status = 200, description = "Meta has done it.", body = DoneView), BlockProblems),
)]
pub(in crate::http) async fn change_profile(
    State(state): State<HttpState>,
    scope: TenantScope,
    By(by): By,
    ResourceId(number): ResourceId,
    request: Request,
) -> ApiResult {
    let (head, body) = request.into_parts();
    let body = body::read_json(&head.headers, body, &state, Some(*scope.id())).await?;
    check_profile(&body)?;
    let fields = std::str::from_utf8(&body).map_err(|_| Problem::new(ErrorCode::MalformedJson, "not UTF-8"))?;
    change(&state, &scope, &number, NumberAsk::ChangeProfile(fields), &by).await
}

/// Notes what Meta would refuse. Fields that are not known here are Meta's to judge, but for those that would make another
/// request of this one.
fn check_profile(body: &[u8]) -> Result<(), Problem> {
    let mut fields = Fields::parse(body)?;
    for (name, chars_max) in [
        ("about", 139),
        ("address", 256),
        ("description", 512),
        ("email", 128),
        ("vertical", 64),
        ("profile_picture_handle", 4_096),
    ] {
        let text = fields.text(name, ErrorCode::InvalidField);
        if text.is_some_and(|text| text.chars().count() > chars_max) {
            let message = format!("must have {chars_max} characters at most");
            fields.refuse(ErrorCode::InvalidField, name, &message);
        }
    }
    let websites = fields.texts("websites", ErrorCode::InvalidField).unwrap_or_default();
    if websites.len() > 2 || websites.iter().any(|website| website.chars().count() > 256) {
        fields.refuse(
            ErrorCode::InvalidField,
            "websites",
            "must be two links of 256 characters at most",
        );
    }
    let is_metas = |name: &String| is_plain_name(name) && !steers(name) && !names_subject(name);
    for name in fields.names().into_iter().filter(is_metas) {
        fields.pass(&name);
    }
    fields.finish()
}

async fn people(state: &HttpState, scope: &TenantScope, request: Request) -> Result<Vec<String>, Problem> {
    let (head, body) = request.into_parts();
    let body = body::read_json(&head.headers, body, state, Some(*scope.id())).await?;
    let mut fields = Fields::parse(&body)?;
    let users = fields.texts("users", ErrorCode::InvalidField).unwrap_or_default();
    let is_wrong = |user: &String| user.is_empty() || user.chars().count() > USER_CHARS_MAX;
    if !(1..=BLOCKED_AT_ONCE_MAX).contains(&users.len()) || users.iter().any(is_wrong) {
        let message = "must be 1 to 100 numbers with + and country code, or user ids";
        fields.refuse(ErrorCode::InvalidField, "users", message);
    }
    fields.finish()?;
    Ok(users)
}

async fn ask_about(state: &HttpState, scope: &TenantScope, number: &str, ask: NumberAsk<'_>) -> ApiResult {
    let answer = state.app().number_calls.ask(scope.id(), Some(number), ask).await?;
    Ok(passed_on(StatusCode::OK, &answer))
}

async fn change(state: &HttpState, scope: &TenantScope, number: &str, ask: NumberAsk<'_>, by: &Principal) -> ApiResult {
    let answer = state.app().number_calls.change(scope.id(), number, ask, by).await?;
    Ok(passed_on(StatusCode::OK, &answer))
}

/// Meta's own JSON, as it came.
pub(in crate::http) fn passed_on(status: StatusCode, answer: &Arc<str>) -> Response {
    let mut response = Response::new(Body::from(answer.as_bytes().to_vec()));
    *response.status_mut() = status;
    let media_type = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, media_type);
    response
}
