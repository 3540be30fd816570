//! The people with whom a tenant has conversations.

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use dakghar_core::domain::ErrorCode;

use super::ApiResult;
use crate::http::auth::{ResourceId, TenantScope};
use crate::http::openapi::{LIST, STORE, problems};
use crate::http::query::{PageParameters, Parameters};
use crate::http::state::HttpState;
use crate::http::views::{PageView, PersonView};

problems!(ListProblems: LIST, STORE);

/// List people
///
/// Everybody with whom the tenant has a conversation, the one with the newest message first.
#[utoipa::path(
    get, path = "/tenants/{tenantId}/people", operation_id = "listPeople", tag = "People",
    params(PageParameters),
    responses((status = 200, description = "A page of people.", body = PageView<PersonView>), ListProblems),
)]
pub(in crate::http) async fn list(
    State(state): State<HttpState>,
    scope: TenantScope,
    uri: Uri,
) -> ApiResult<Json<PageView<PersonView>>> {
    let page = Parameters::of_page(&uri)?.page()?;
    let people = state.app().reading.people(scope.id(), &page).await?;
    Ok(Json(PageView::of(people)))
}

problems!(ReadProblems: STORE, &[ErrorCode::PersonNotFound]);

/// Read a person
#[utoipa::path(
    get, path = "/tenants/{tenantId}/people/{personId}", operation_id = "getPerson", tag = "People",
    responses((status = 200, description = "The person.", body = PersonView), ReadProblems),
)]
pub(in crate::http) async fn read(
    State(state): State<HttpState>,
    scope: TenantScope,
    ResourceId(id): ResourceId,
) -> ApiResult<Json<PersonView>> {
    let person = state.app().reading.person(scope.id(), &id).await?;
    Ok(Json(PersonView::from(&person)))
}
