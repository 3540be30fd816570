//! Conversations between a tenant's numbers and people.

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use axum::response::IntoResponse as _;
use dakghar_core::domain::ErrorCode;

use super::ApiResult;
use crate::http::auth::{ResourceId, TenantScope};
use crate::http::openapi::{LIST, STORE, problems};
use crate::http::query::{MessageParameters, PageParameters, Parameters};
use crate::http::state::HttpState;
use crate::http::views::{ConversationView, MessageView, PageView};

problems!(ListProblems: LIST, STORE);

/// List conversations
///
/// The one with the newest message first.
#[utoipa::path(
    get, path = "/tenants/{tenantId}/conversations", operation_id = "listConversations", tag = "Conversations",
    params(PageParameters),
    responses((status = 200, description = "A page of conversations.", body = PageView<ConversationView>),
        ListProblems),
)]
pub(in crate::http) async fn list(
    State(state): State<HttpState>,
    scope: TenantScope,
    uri: Uri,
) -> ApiResult<Json<PageView<ConversationView>>> {
    let page = Parameters::of_page(&uri)?.page()?;
    let conversations = state.app().reading.conversations(scope.id(), &page).await?;
    Ok(Json(PageView::of(conversations)))
}

problems!(ReadProblems: STORE, &[ErrorCode::ConversationNotFound]);

/// Read a conversation
///
/// Also says until when free-form messages may be sent.
#[utoipa::path(
    get, path = "/tenants/{tenantId}/conversations/{conversationId}", operation_id = "getConversation",
    tag = "Conversations",
    responses((status = 200, description = "The conversation.", body = ConversationView), ReadProblems),
)]
pub(in crate::http) async fn read(
    State(state): State<HttpState>,
    scope: TenantScope,
    ResourceId(id): ResourceId,
) -> ApiResult<Json<ConversationView>> {
    let conversation = state.app().reading.conversation(scope.id(), &id).await?;
    Ok(Json(ConversationView::from(&conversation)))
}

problems!(MessagesProblems: LIST, STORE, &[ErrorCode::ConversationNotFound]);

/// List the messages of a conversation
///
/// In both directions, newest first.
#[utoipa::path(
    get, path = "/tenants/{tenantId}/conversations/{conversationId}/messages",
    operation_id = "listConversationMessages", tag = "Conversations",
    params(MessageParameters, PageParameters),
    responses((status = 200, description = "A page of messages.", body = PageView<MessageView>), MessagesProblems),
)]
pub(in crate::http) async fn messages(
    State(state): State<HttpState>,
    scope: TenantScope,
    ResourceId(id): ResourceId,
    uri: Uri,
) -> ApiResult {
    let parameters = Parameters::of_messages(&uri)?;
    let page = parameters.page()?;
    let query = parameters.messages(&scope.tenant)?;
    let conversation = state.app().reading.conversation(scope.id(), &id).await?;
    let Some(query) = query else {
        return Ok(Json(PageView::<MessageView>::complete(Vec::new())).into_response());
    };
    let turn = state.budgets().pages.turn(Some(*scope.id())).await?;
    let reading = &state.app().reading;
    let messages = reading
        .conversation_messages(scope.id(), &conversation, query, &page)
        .await?;
    Ok(turn.page(&PageView::<MessageView>::of(messages))?)
}
