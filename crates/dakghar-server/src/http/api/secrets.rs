//! The keys that data keys are wrapped under, and moving to another one.

use axum::Json;
use axum::extract::{Request, State};
use dakghar_core::app::{Replacement, ReplacingStep, RotationStep, WrappedBy, WrappingKeys};
use dakghar_core::domain::{ErrorCode, Problem, TenantId};
use serde::Serialize;
use utoipa::ToSchema;

use super::ApiResult;
use crate::http::auth::Admin;
use crate::http::body;
use crate::http::by::By;
use crate::http::fields::Fields;
use crate::http::openapi::{BODY, STORE, problems};
use crate::http::state::HttpState;

/// The keys that data keys are wrapped under.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = WrappingKeys)]
pub(in crate::http) struct WrappingKeysView {
    /// The present one first, then those that something is under.
    keys: Vec<WrappingKeyView>,
    /// Data keys that are not under the present one, and that a rotation would move.
    left: u64,
    /// Data keys that are damaged.
    unreadable: u64,
}

/// A key that data keys are wrapped under.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = WrappingKey)]
struct WrappingKeyView {
    /// Its name: of a master key a mark that says nothing about it, of one elsewhere its place there.
    #[schema(example = "vault:transit/dakghar")]
    key: String,
    /// True if data keys are wrapped under it now.
    present: bool,
    /// Tenants whose data key is under it.
    tenants: u64,
    /// Apps at Meta whose data key is under it.
    apps: u64,
    /// True if the secrets of the installation are under it: those that hash API keys and sign callback data and cursors.
    installation: bool,
    /// True if data keys need it.
    needed: bool,
}

impl From<&WrappedBy> for WrappingKeyView {
    fn from(wrapped: &WrappedBy) -> Self {
        Self {
            key: wrapped.key.to_string(),
            present: wrapped.is_present,
            tenants: wrapped.tenants,
            apps: wrapped.apps,
            installation: wrapped.has_installation,
            needed: wrapped.is_needed(),
        }
    }
}

impl From<WrappingKeys> for WrappingKeysView {
    fn from(keys: WrappingKeys) -> Self {
        Self {
            left: keys.left(),
            unreadable: keys.unreadable,
            keys: keys.keys.iter().map(WrappingKeyView::from).collect(),
        }
    }
}

/// What to move.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(in crate::http) struct RotateKeys {
    /// Where the step before this one ended: its `next`. Absent for the first step.
    #[schema(example = "ten_0190a5e2c1d37f4e8a9b0c1d2e3f4a5b")]
    after: Option<String>,
    /// True to make new data keys instead, where one is older than a day, and to seal everything anew under them. The old
    /// one of a tenant stays for two minutes: go on, from the beginning, until `replaced`, `dropped` and `kept` are 0.
    #[schema(required = false)]
    data_keys: bool,
}

impl RotateKeys {
    fn read(body: &[u8]) -> Result<(Option<TenantId>, bool), Problem> {
        let mut fields = Fields::parse(body)?;
        let request = Self {
            after: fields.text("after", ErrorCode::InvalidField),
            data_keys: fields.flag("dataKeys"),
        };
        fields.finish()?;
        let parse = |text: String| {
            let no_place = |_| Problem::field(ErrorCode::InvalidField, "/after", "no place where a step ended");
            TenantId::parse(&text).map_err(no_place)
        };
        Ok((request.after.map(parse).transpose()?, request.data_keys))
    }
}

/// What a step moved.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = RotatedKeys)]
pub(in crate::http) struct RotatedView {
    /// Data keys that it moved.
    moved: u64,
    /// Data keys in the place of which it put new ones.
    replaced: u64,
    /// Old data keys that nothing was under any more and that it let go.
    dropped: u64,
    /// Old data keys that stay for now beside new ones.
    kept: u64,
    /// Those that nobody can move, with the reason. The others went on.
    failed: Vec<NotRotatedView>,
    /// Where the next step begins; `null` if this was the last.
    next: Option<String>,
}

/// A data key that nobody can move.
#[derive(Serialize, ToSchema)]
#[schema(as = NotRotatedKey)]
struct NotRotatedView {
    /// Whose it is.
    owner: String,
    /// Why it cannot be moved.
    reason: String,
}

impl RotatedView {
    fn new(failed: Vec<(String, String)>, next: Option<TenantId>) -> Self {
        let failed = failed.into_iter();
        Self {
            moved: 0,
            replaced: 0,
            dropped: 0,
            kept: 0,
            failed: failed.map(|(owner, reason)| NotRotatedView { owner, reason }).collect(),
            next: next.map(|id| id.to_string()),
        }
    }
}

impl From<RotationStep> for RotatedView {
    fn from(step: RotationStep) -> Self {
        Self {
            moved: step.moved,
            ..Self::new(step.failed, step.next)
        }
    }
}

impl From<ReplacingStep> for RotatedView {
    fn from(step: ReplacingStep) -> Self {
        Self {
            replaced: step.replaced,
            dropped: step.dropped,
            kept: step.kept,
            ..Self::new(step.failed, step.next)
        }
    }
}

problems!(KeysProblems: STORE);

/// The keys that data keys are wrapped under
///
/// And how many are under each. One that nothing needs can be taken out of the settings.
#[utoipa::path(
    get, path = "/operators/secrets", operation_id = "getWrappingKeys", tag = "Operations",
    responses((status = 200, description = "The keys.", body = WrappingKeysView), KeysProblems),
)]
pub(in crate::http) async fn show(State(state): State<HttpState>, _: Admin) -> ApiResult<Json<WrappingKeysView>> {
    Ok(Json(state.app().rotating.keys().await?.into()))
}

problems!(RotateProblems: BODY, STORE, &[ErrorCode::InvalidField, ErrorCode::UnknownField]);

/// Move data keys to the present key, or make new ones
///
/// One step of it, which moves those of a few tenants; ask for the next with its `next` until that is `null`. Nothing is
/// held meanwhile, and a step may be repeated. `dakghar secrets rotate` does all of it.
#[utoipa::path(
    post, path = "/operators/secrets/rotate", operation_id = "rotateWrappingKey", tag = "Operations",
    request_body(content = RotateKeys, example = json!({})),
    responses((status = 200, description = "What was moved.", body = RotatedView), RotateProblems),
)]
pub(in crate::http) async fn rotate(
    State(state): State<HttpState>,
    _: Admin,
    By(by): By,
    request: Request,
) -> ApiResult<Json<RotatedView>> {
    let (head, body) = request.into_parts();
    let body = body::read_json(&head.headers, body, &state, None).await?;
    let (after, data_keys) = RotateKeys::read(&body)?;
    if data_keys {
        let replacing = state.app().replacing();
        let step = replacing.step(Replacement::default(), after, &by).await?;
        return Ok(Json(step.into()));
    }
    Ok(Json(state.app().rotating.step(after, &by).await?.into()))
}
