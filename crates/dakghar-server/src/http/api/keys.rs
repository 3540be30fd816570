//! API keys of a tenant: made, listed, replaced, revoked.

use std::time::Duration;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use dakghar_core::app::NewApiKey;
use dakghar_core::domain::{ErrorCode, Problem, Scope};
use utoipa::ToSchema;

use super::ApiResult;
use crate::http::auth::{ResourceId, TenantScope};
use crate::http::body;
use crate::http::by::By;
use crate::http::fields::Fields;
use crate::http::openapi::{BODY, STORE, problems};
use crate::http::state::HttpState;
use crate::http::views::{KeyView, PageView, ShownKeyView, scope_names};

/// A key to make.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "documents what read() takes")]
pub(in crate::http) struct CreateKey {
    /// What people call it, 1 to 100 characters.
    #[schema(example = "shop")]
    name: String,
    /// What it may do. No key gives more than it has itself: neither scopes, nor addresses, nor time.
    #[schema(schema_with = scope_names)]
    scopes: Vec<String>,
    /// The time from which it is not valid any more; never when absent.
    #[schema(format = DateTime)]
    expires_at: Option<String>,
    /// The addresses that it may be used from, each one or a range, 16 at most; any when absent.
    #[schema(example = json!(["203.0.113.0/24", "2001:db8::/32"]))]
    addresses: Option<Vec<String>>,
}

fn read_new(body: &[u8]) -> Result<NewApiKey, Problem> {
    let mut fields = Fields::parse(body)?;
    let name = fields.required_text("name", ErrorCode::InvalidName);
    let names = if fields.has("scopes") {
        fields.texts("scopes", ErrorCode::InvalidField).unwrap_or_default()
    } else {
        fields.refuse(ErrorCode::InvalidField, "scopes", "is required");
        Vec::new()
    };
    let mut scopes = Vec::new();
    for (place, name) in names.iter().enumerate() {
        match Scope::parse(name) {
            Some(scope) => scopes.push(scope),
            None => fields.refuse_item(ErrorCode::InvalidField, "scopes", place, "is no scope"),
        }
    }
    let new = NewApiKey {
        name,
        scopes: scopes.into_iter().collect(),
        addresses: fields.texts("addresses", ErrorCode::InvalidField).unwrap_or_default(),
        expires_at: fields.time("expiresAt"),
    };
    fields.finish()?;
    Ok(new)
}

/// How a key gets another secret.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "documents what read() takes")]
pub(in crate::http) struct RotateKey {
    /// How long the secret before it stays valid; a day when absent.
    #[schema(minimum = 0, maximum = 2_592_000, example = 3_600)]
    overlap_seconds: Option<u32>,
}

pub(super) fn read_overlap(body: &[u8]) -> Result<Option<Duration>, Problem> {
    let mut fields = Fields::parse(body)?;
    let seconds = fields.whole_number("overlapSeconds");
    fields.finish()?;
    Ok(seconds.map(|seconds| Duration::from_secs(seconds.into())))
}

problems!(CreateProblems: BODY, STORE, &[
    ErrorCode::TenantNotFound,
    ErrorCode::Conflict,
    ErrorCode::KeyLimit,
    ErrorCode::Forbidden,
    ErrorCode::InvalidField,
    ErrorCode::InvalidName,
    ErrorCode::UnknownField,
]);

/// Make a key
///
/// The answer holds the key, this one time: what is stored of it is a keyed hash. A tenant has 20 keys at most. If the
/// answer is lost, the key is in the list and nobody knows it; revoke it and make another.
#[utoipa::path(
    post, path = "/tenants/{tenantId}/keys", operation_id = "createKey", tag = "Keys",
    request_body(content = CreateKey, example = json!({"name": "shop", "scopes": ["send", "read"],
        "addresses": ["203.0.113.0/24"]})),
    responses((status = 201, description = "Made.", body = ShownKeyView), CreateProblems),
)]
pub(in crate::http) async fn create(
    State(state): State<HttpState>,
    scope: TenantScope,
    By(by): By,
    request: Request,
) -> ApiResult<(StatusCode, Json<ShownKeyView>)> {
    let (head, body) = request.into_parts();
    let body = body::read_json(&head.headers, body, &state, Some(*scope.id())).await?;
    let new = read_new(&body)?;
    let shown = state.app().tenants.create_key(scope.id(), &new, &by).await?;
    Ok((StatusCode::CREATED, Json(ShownKeyView::from(&shown))))
}

problems!(ListProblems: STORE);

/// List the keys
///
/// In the order in which they were made. None of them is shown, only how it begins.
#[utoipa::path(
    get, path = "/tenants/{tenantId}/keys", operation_id = "listKeys", tag = "Keys",
    responses((status = 200, description = "All keys.", body = PageView<KeyView>), ListProblems),
)]
pub(in crate::http) async fn list(
    State(state): State<HttpState>,
    scope: TenantScope,
) -> ApiResult<Json<PageView<KeyView>>> {
    let tenant = state.app().tenants.stored(scope.id()).await?;
    Ok(Json(PageView::complete(
        tenant.keys.iter().map(KeyView::from).collect(),
    )))
}

problems!(RotateProblems: BODY, STORE, &[
    ErrorCode::TenantNotFound,
    ErrorCode::KeyNotFound,
    ErrorCode::Conflict,
    ErrorCode::KeyLimit,
    ErrorCode::Forbidden,
    ErrorCode::InvalidField,
    ErrorCode::UnknownField,
]);

/// Give a key another secret
///
/// The key keeps its id, name, scopes, addresses and expiry. Both secrets are valid for as long as `overlapSeconds` says. A
/// key has four valid secrets at most. If the answer is lost, rotate it again.
#[utoipa::path(
    post, path = "/tenants/{tenantId}/keys/{keyId}/rotate", operation_id = "rotateKey", tag = "Keys",
    request_body(content = RotateKey, example = json!({"overlapSeconds": 3_600})),
    responses((status = 200, description = "The key, shown this one time.", body = ShownKeyView), RotateProblems),
)]
pub(in crate::http) async fn rotate(
    State(state): State<HttpState>,
    scope: TenantScope,
    By(by): By,
    ResourceId(key_id): ResourceId,
    request: Request,
) -> ApiResult<Json<ShownKeyView>> {
    let (head, body) = request.into_parts();
    let body = body::read_json(&head.headers, body, &state, Some(*scope.id())).await?;
    let overlap = read_overlap(&body)?;
    let tenants = &state.app().tenants;
    let shown = tenants.rotate_key(scope.id(), &key_id, overlap, &by).await?;
    Ok(Json(ShownKeyView::from(&shown)))
}

problems!(RevokeProblems: STORE, &[ErrorCode::TenantNotFound, ErrorCode::KeyNotFound, ErrorCode::Conflict]);

/// Revoke a key
///
/// It is refused from then on, with all its secrets; by other processes within a second. A tenant may revoke every key it
/// has, also the one that it uses; the operator can make it another.
#[utoipa::path(
    delete, path = "/tenants/{tenantId}/keys/{keyId}", operation_id = "revokeKey", tag = "Keys",
    responses((status = 204, description = "Revoked."), RevokeProblems),
)]
pub(in crate::http) async fn revoke(
    State(state): State<HttpState>,
    scope: TenantScope,
    By(by): By,
    ResourceId(key_id): ResourceId,
) -> ApiResult<StatusCode> {
    state.app().tenants.revoke_key(scope.id(), &key_id, &by).await?;
    Ok(StatusCode::NO_CONTENT)
}
