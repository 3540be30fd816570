//! What people said about being written to.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::Uri;
use dakghar_core::app::OptedOut;
use dakghar_core::domain::{ErrorCode, OptOutScope, Problem};
use utoipa::ToSchema;

use super::ApiResult;
use crate::http::auth::TenantScope;
use crate::http::body;
use crate::http::by::By;
use crate::http::fields::Fields;
use crate::http::openapi::{BODY, LIST, STORE, problems};
use crate::http::query::{PageParameters, Parameters};
use crate::http::state::HttpState;
use crate::http::views::{OptOutView, PageView};

/// Who wants no messages.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "documents what read() takes")]
pub(in crate::http) struct SetOptOut {
    /// The phone number with its country code, or an id of the person at Meta.
    #[schema(example = "+919111111111")]
    person: String,
    /// `all` messages, which is meant when absent, or `marketing`.
    scope: Option<String>,
}

fn read(body: &[u8]) -> Result<(String, OptOutScope), Problem> {
    let mut fields = Fields::parse(body)?;
    let person = fields.required_text("person", ErrorCode::InvalidField);
    let scope = fields.one_of("scope", &OptOutScope::ALL, OptOutScope::as_str);
    fields.finish()?;
    Ok((person, scope.unwrap_or(OptOutScope::All)))
}

fn standing(opted_out: &OptedOut) -> PageView<OptOutView> {
    PageView::part(opted_out.opt_outs.iter().map(OptOutView::from).collect(), None)
}

problems!(ListProblems: LIST, STORE, &[ErrorCode::InvalidField]);

/// List the people who opted out
///
/// Those who wrote STOP or another of its words, told Meta, or were set; in no order that means anything. With `person` only
/// what that person opted out of, under whatever number or id it was said.
#[utoipa::path(
    get, path = "/tenants/{tenantId}/opt-outs", operation_id = "listOptOuts", tag = "Conversations",
    params(("person" = Option<String>, Query, description = "Only this person: a phone number with its country code, or an id of the person at Meta."),
        PageParameters),
    responses((status = 200, description = "A page of opt-outs.", body = PageView<OptOutView>), ListProblems),
)]
pub(in crate::http) async fn list(
    State(state): State<HttpState>,
    scope: TenantScope,
    uri: Uri,
) -> ApiResult<Json<PageView<OptOutView>>> {
    let parameters = Parameters::parse(&uri, &["person", "limit", "cursor"])?;
    let page = parameters.page()?;
    if let Some(person) = parameters.get("person") {
        let found = state.app().opt_outs.find(scope.id(), person).await?;
        return Ok(Json(standing(&found)));
    }
    let found = state.app().reading.opt_outs(scope.id(), &page).await?;
    Ok(Json(PageView::of(found)))
}

problems!(SetProblems: BODY, STORE, &[ErrorCode::InvalidField, ErrorCode::UnknownField]);

/// Note that a person opted out
///
/// As if the person had written STOP now, or told Meta that they want no marketing. Answers what the person opted out of.
#[utoipa::path(
    put, path = "/tenants/{tenantId}/opt-outs", operation_id = "setOptOut", tag = "Conversations",
    request_body(content = SetOptOut, example = json!({"person": "+919111111111", "scope": "marketing"})),
    responses((status = 200, description = "What the person opted out of.", body = PageView<OptOutView>), SetProblems),
)]
pub(in crate::http) async fn set(
    State(state): State<HttpState>,
    scope: TenantScope,
    By(by): By,
    request: Request,
) -> ApiResult<Json<PageView<OptOutView>>> {
    let (head, body) = request.into_parts();
    let body = body::read_json(&head.headers, body, &state, Some(*scope.id())).await?;
    let (person, of) = read(&body)?;
    let found = state.app().opt_outs.set(scope.id(), &person, of, &by).await?;
    Ok(Json(standing(&found)))
}

problems!(RemoveProblems: STORE, &[ErrorCode::InvalidField, ErrorCode::InvalidFilter]);

/// Take a person's opt-outs back
///
/// As if the person had written START now. What the person told Meta still holds there, and Meta delivers no marketing.
#[utoipa::path(
    delete, path = "/tenants/{tenantId}/opt-outs", operation_id = "removeOptOut", tag = "Conversations",
    params(("person" = String, Query, description = "A phone number with its country code, or an id of the person at Meta.")),
    responses((status = 200, description = "What the person opted out of: nothing.", body = PageView<OptOutView>), RemoveProblems),
)]
pub(in crate::http) async fn remove(
    State(state): State<HttpState>,
    scope: TenantScope,
    By(by): By,
    uri: Uri,
) -> ApiResult<Json<PageView<OptOutView>>> {
    let parameters = Parameters::parse(&uri, &["person"])?;
    let person = parameters.get("person").unwrap_or_default();
    let found = state.app().opt_outs.remove(scope.id(), person, &by).await?;
    Ok(Json(standing(&found)))
}
