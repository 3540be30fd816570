//! Apps at Meta beside the one of the settings.

use std::time::Duration;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use dakghar_core::app::{MetaAppChanges, NewMetaApp};
use dakghar_core::domain::{ErrorCode, Problem, Secret};
use utoipa::ToSchema;

use super::ApiResult;
use crate::http::auth::{Admin, ResourceId};
use crate::http::body;
use crate::http::by::By;
use crate::http::fields::Fields;
use crate::http::openapi::{BODY, STORE, problems};
use crate::http::state::HttpState;
use crate::http::views::{AddedAppView, AppView, PageView};

/// An app to add.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(in crate::http) struct AddApp {
    /// Meta's id of it.
    #[schema(example = "670843887433847")]
    app_id: String,
    /// What people call it.
    #[schema(example = "Partner app")]
    name: String,
    /// Its secret, from Meta's dashboard.
    #[schema(value_type = String, example = "0123456789abcdef0123456789abcdef")]
    secret: Secret,
    /// What Meta is told to name when it verifies the webhook URL; made up when absent.
    #[schema(value_type = Option<String>)]
    verify_token: Option<Secret>,
    /// Meta's id of its login configuration for Embedded Signup. With one, links may name the app.
    #[schema(example = "1122334455667788")]
    signup_config_id: Option<String>,
}

impl AddApp {
    fn read(body: &[u8]) -> Result<NewMetaApp, Problem> {
        let mut fields = Fields::parse(body)?;
        let request = Self {
            app_id: fields.required_text("appId", ErrorCode::InvalidField),
            name: fields.required_text("name", ErrorCode::InvalidName),
            secret: Secret::new(fields.required_text("secret", ErrorCode::InvalidField)),
            verify_token: fields.secret("verifyToken", ErrorCode::InvalidField),
            signup_config_id: fields.text("signupConfigId", ErrorCode::InvalidField),
        };
        fields.finish()?;
        Ok(NewMetaApp {
            id: request.app_id,
            name: request.name,
            secret: request.secret,
            verify_token: request.verify_token,
            signup_config_id: request.signup_config_id,
        })
    }
}

/// Changes of an app. What is absent stays.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "documents what read() takes")]
pub(in crate::http) struct ChangeApp {
    /// What people call it.
    #[schema(example = "Partner app")]
    name: Option<String>,
    /// Meta's id of its login configuration for Embedded Signup; `null` for none.
    #[schema(example = "1122334455667788")]
    signup_config_id: Option<String>,
}

impl ChangeApp {
    fn read(body: &[u8]) -> Result<MetaAppChanges, Problem> {
        let mut fields = Fields::parse(body)?;
        let has_config = fields.has("signupConfigId");
        let config = fields.text("signupConfigId", ErrorCode::InvalidField);
        let changes = MetaAppChanges {
            name: fields.text("name", ErrorCode::InvalidName),
            signup_config_id: has_config.then_some(config),
        };
        fields.finish()?;
        Ok(changes)
    }
}

/// Another secret of an app.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(in crate::http) struct RotateAppSecret {
    /// The secret that Meta signs with from now on.
    #[schema(value_type = String, example = "fedcba9876543210fedcba9876543210")]
    secret: Secret,
    /// How long what the secret before it signs is still taken; a day when absent.
    #[schema(minimum = 0, maximum = 2_592_000, example = 3_600)]
    overlap_seconds: Option<u32>,
}

impl RotateAppSecret {
    fn read(body: &[u8]) -> Result<Self, Problem> {
        let mut fields = Fields::parse(body)?;
        let request = Self {
            secret: Secret::new(fields.required_text("secret", ErrorCode::InvalidField)),
            overlap_seconds: fields.whole_number("overlapSeconds"),
        };
        fields.finish()?;
        Ok(request)
    }
}

problems!(AddProblems: BODY, STORE, &[
    ErrorCode::AppExists,
    ErrorCode::Conflict,
    ErrorCode::InvalidField,
    ErrorCode::InvalidName,
    ErrorCode::UnknownField,
]);

/// Add an app
///
/// Webhooks that it signs are taken from then on, beside those of the app of the settings; other processes follow within
/// two seconds. Its secrets are stored sealed. Of a new app nothing else is known yet: whose a webhook is, its number or
/// account says. An installation has 50 apps at most.
#[utoipa::path(
    post, path = "/apps", operation_id = "addApp", tag = "Apps",
    request_body(content = AddApp, example = json!({"appId": "670843887433847", "name": "Partner app",
        "secret": "0123456789abcdef0123456789abcdef"})),
    responses((status = 201, description = "Added.", body = AddedAppView), AddProblems),
)]
pub(in crate::http) async fn add(
    State(state): State<HttpState>,
    _: Admin,
    By(by): By,
    request: Request,
) -> ApiResult<(StatusCode, Json<AddedAppView>)> {
    let (head, body) = request.into_parts();
    let body = body::read_json(&head.headers, body, &state, None).await?;
    let added = state.app().apps.add(AddApp::read(&body)?, &by).await?;
    Ok((StatusCode::CREATED, Json(AddedAppView::from(&added))))
}

problems!(ListProblems: STORE);

/// List apps
///
/// The app of the settings first, if they name its secret, then the others by their ids.
#[utoipa::path(
    get, path = "/apps", operation_id = "listApps", tag = "Apps",
    responses((status = 200, description = "All apps.", body = PageView<AppView>), ListProblems),
)]
pub(in crate::http) async fn list(State(state): State<HttpState>, _: Admin) -> ApiResult<Json<PageView<AppView>>> {
    let apps = &state.app().apps;
    let page = state.app().onboarding.page();
    let of_settings = apps.default_app().map(|app| AppView::of_settings(app, page));
    let others = apps.list().await?;
    let all = of_settings.into_iter().chain(others.iter().map(AppView::from));
    Ok(Json(PageView::complete(all.collect())))
}

problems!(ReadProblems: STORE, &[ErrorCode::AppNotFound]);

/// Read an app
///
/// One of those that were added.
#[utoipa::path(
    get, path = "/apps/{appId}", operation_id = "getApp", tag = "Apps",
    responses((status = 200, description = "The app.", body = AppView), ReadProblems),
)]
pub(in crate::http) async fn read(
    State(state): State<HttpState>,
    _: Admin,
    ResourceId(id): ResourceId,
) -> ApiResult<Json<AppView>> {
    let app = state.app().apps.find(&id).await?;
    Ok(Json(AppView::from(&app)))
}

problems!(ChangeProblems: BODY, STORE, &[
    ErrorCode::AppNotFound,
    ErrorCode::Conflict,
    ErrorCode::InvalidField,
    ErrorCode::InvalidName,
    ErrorCode::UnknownField,
]);

/// Change an app
///
/// Its name, or the login configuration with which the onboarding page runs its dialog. Links that were made before use the
/// new one. That of the app of the settings is `SIGNUP_CONFIG_ID`.
#[utoipa::path(
    patch, path = "/apps/{appId}", operation_id = "changeApp", tag = "Apps",
    request_body(content = ChangeApp, example = json!({"signupConfigId": "1122334455667788"})),
    responses((status = 200, description = "The app.", body = AppView), ChangeProblems),
)]
pub(in crate::http) async fn change(
    State(state): State<HttpState>,
    _: Admin,
    By(by): By,
    ResourceId(id): ResourceId,
    request: Request,
) -> ApiResult<Json<AppView>> {
    let (head, body) = request.into_parts();
    let body = body::read_json(&head.headers, body, &state, None).await?;
    let app = state.app().apps.change(&id, &ChangeApp::read(&body)?, &by).await?;
    Ok(Json(AppView::from(&app)))
}

problems!(RotateProblems: BODY, STORE, &[
    ErrorCode::AppNotFound,
    ErrorCode::Conflict,
    ErrorCode::InvalidField,
    ErrorCode::UnknownField,
]);

/// Give an app another secret
///
/// Both are valid for as long as `overlapSeconds` says, so that nothing is refused while Meta changes from one to the
/// other. Giving it the secret that it has changes nothing. An app has four valid secrets at most.
#[utoipa::path(
    post, path = "/apps/{appId}/secret", operation_id = "rotateAppSecret", tag = "Apps",
    request_body(content = RotateAppSecret, example = json!({"secret": "fedcba9876543210fedcba9876543210",
        "overlapSeconds": 3_600})),
    responses((status = 200, description = "The app.", body = AppView), RotateProblems),
)]
pub(in crate::http) async fn rotate(
    State(state): State<HttpState>,
    _: Admin,
    By(by): By,
    ResourceId(id): ResourceId,
    request: Request,
) -> ApiResult<Json<AppView>> {
    let (head, body) = request.into_parts();
    let body = body::read_json(&head.headers, body, &state, None).await?;
    let asked = RotateAppSecret::read(&body)?;
    let overlap = asked.overlap_seconds.map(|seconds| Duration::from_secs(seconds.into()));
    let app = state.app().apps.rotate(&id, &asked.secret, overlap, &by).await?;
    Ok(Json(AppView::from(&app)))
}

problems!(RemoveProblems: STORE, &[ErrorCode::AppNotFound]);

/// Remove an app
///
/// What it signs is refused from then on, by other processes within two seconds.
#[utoipa::path(
    delete, path = "/apps/{appId}", operation_id = "removeApp", tag = "Apps",
    responses((status = 204, description = "Removed."), RemoveProblems),
)]
pub(in crate::http) async fn remove(
    State(state): State<HttpState>,
    _: Admin,
    By(by): By,
    ResourceId(id): ResourceId,
) -> ApiResult<StatusCode> {
    state.app().apps.remove(&id, &by).await?;
    Ok(StatusCode::NO_CONTENT)
}
