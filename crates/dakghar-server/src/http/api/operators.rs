//! Keys of operators: made, listed, replaced, revoked.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use dakghar_core::app::NewOperatorKey;
use dakghar_core::domain::operator_key::Role;
use dakghar_core::domain::{ErrorCode, Problem};
use utoipa::ToSchema;

use super::ApiResult;
use super::keys::{RotateKey, read_overlap};
use crate::http::auth::{Admin, ResourceId};
use crate::http::body;
use crate::http::by::By;
use crate::http::fields::Fields;
use crate::http::openapi::{BODY, STORE, problems};
use crate::http::state::HttpState;
use crate::http::views::{OperatorKeyView, PageView, ShownOperatorKeyView, role_names};

/// A key to make.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "documents what read() takes")]
pub(in crate::http) struct CreateOperatorKey {
    /// What people call it, 1 to 100 characters.
    #[schema(example = "Asha's laptop")]
    name: String,
    /// What its owner may do: everything, or register tenants, add numbers and replace access tokens.
    #[schema(schema_with = role_names)]
    role: String,
    /// The time from which it is not valid any more; never when absent.
    #[schema(format = DateTime)]
    expires_at: Option<String>,
    /// The addresses that it may be used from, each one or a range, 16 at most; any when absent.
    #[schema(example = json!(["203.0.113.0/24", "2001:db8::/32"]))]
    addresses: Option<Vec<String>>,
}

fn read_new(body: &[u8]) -> Result<NewOperatorKey, Problem> {
    let mut fields = Fields::parse(body)?;
    let name = fields.required_text("name", ErrorCode::InvalidName);
    if !fields.has("role") {
        fields.refuse(ErrorCode::InvalidField, "role", "is required");
    }
    let role = fields.one_of("role", &Role::ALL, Role::as_str);
    let addresses = fields.texts("addresses", ErrorCode::InvalidField).unwrap_or_default();
    let expires_at = fields.time("expiresAt");
    fields.finish()?;
    let role = role.ok_or_else(|| Problem::field(ErrorCode::InvalidField, "/role", "is required"))?;
    Ok(NewOperatorKey {
        name,
        role,
        addresses,
        expires_at,
    })
}

problems!(CreateProblems: BODY, STORE, &[
    ErrorCode::Conflict,
    ErrorCode::KeyLimit,
    ErrorCode::InvalidField,
    ErrorCode::InvalidName,
    ErrorCode::UnknownField,
]);

/// Make a key of an operator
///
/// The answer holds the key, this one time: what is stored of it is a keyed hash. There are 100 at most. Other processes know
/// it within a second.
#[utoipa::path(
    post, path = "/operators/keys", operation_id = "createOperatorKey", tag = "Keys",
    request_body(content = CreateOperatorKey, example = json!({"name": "Asha's laptop", "role": "admin"})),
    responses((status = 201, description = "Made.", body = ShownOperatorKeyView), CreateProblems),
)]
pub(in crate::http) async fn create(
    State(state): State<HttpState>,
    _: Admin,
    By(by): By,
    request: Request,
) -> ApiResult<(StatusCode, Json<ShownOperatorKeyView>)> {
    let (head, body) = request.into_parts();
    let body = body::read_json(&head.headers, body, &state, None).await?;
    let shown = state.app().operators.create(&read_new(&body)?, &by).await?;
    Ok((StatusCode::CREATED, Json(ShownOperatorKeyView::from(&shown))))
}

problems!(ListProblems: STORE);

/// List the keys of operators
///
/// In the order in which they were made. That of the settings, `ADMIN_API_KEY`, is not among them.
#[utoipa::path(
    get, path = "/operators/keys", operation_id = "listOperatorKeys", tag = "Keys",
    responses((status = 200, description = "All keys.", body = PageView<OperatorKeyView>), ListProblems),
)]
pub(in crate::http) async fn list(
    State(state): State<HttpState>,
    _: Admin,
) -> ApiResult<Json<PageView<OperatorKeyView>>> {
    let keys = state.app().operators.list().await?;
    Ok(Json(PageView::complete(
        keys.iter().map(OperatorKeyView::from).collect(),
    )))
}

problems!(RotateProblems: BODY, STORE, &[
    ErrorCode::KeyNotFound,
    ErrorCode::Conflict,
    ErrorCode::KeyLimit,
    ErrorCode::InvalidField,
    ErrorCode::UnknownField,
]);

/// Give a key of an operator another secret
///
/// Both secrets are valid for as long as `overlapSeconds` says. A key has four valid secrets at most. If the answer is lost,
/// rotate it again.
#[utoipa::path(
    post, path = "/operators/keys/{keyId}/rotate", operation_id = "rotateOperatorKey", tag = "Keys",
    request_body(content = RotateKey, example = json!({"overlapSeconds": 3_600})),
    responses((status = 200, description = "The key, shown this one time.", body = ShownOperatorKeyView), RotateProblems),
)]
pub(in crate::http) async fn rotate(
    State(state): State<HttpState>,
    _: Admin,
    By(by): By,
    ResourceId(key_id): ResourceId,
    request: Request,
) -> ApiResult<Json<ShownOperatorKeyView>> {
    let (head, body) = request.into_parts();
    let body = body::read_json(&head.headers, body, &state, None).await?;
    let overlap = read_overlap(&body)?;
    let shown = state.app().operators.rotate(&key_id, overlap, &by).await?;
    Ok(Json(ShownOperatorKeyView::from(&shown)))
}

problems!(RevokeProblems: STORE, &[ErrorCode::KeyNotFound]);

/// Revoke a key of an operator
///
/// It is refused from then on, with all its secrets; by other processes within a second.
#[utoipa::path(
    delete, path = "/operators/keys/{keyId}", operation_id = "revokeOperatorKey", tag = "Keys",
    responses((status = 204, description = "Revoked."), RevokeProblems),
)]
pub(in crate::http) async fn revoke(
    State(state): State<HttpState>,
    _: Admin,
    By(by): By,
    ResourceId(key_id): ResourceId,
) -> ApiResult<StatusCode> {
    state.app().operators.revoke(&key_id, &by).await?;
    Ok(StatusCode::NO_CONTENT)
}
