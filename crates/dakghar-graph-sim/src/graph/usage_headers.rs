//! The headers in which every answer tells how much of Meta's allowances is used, where that is played.

use std::sync::Arc;

use axum::extract::{Request, State as Shared};
use axum::middleware::Next;
use axum::response::Response;

use crate::state::State;

pub(crate) async fn add(Shared(state): Shared<Arc<State>>, request: Request, next: Next) -> Response {
    let id = request.uri().path().split('/').nth(2).unwrap_or_default().to_owned();
    let mut response = next.run(request).await;
    if !state.allowances.is_empty() {
        state.allowances.show(&state.account_of(&id), response.headers_mut());
    }
    response
}
