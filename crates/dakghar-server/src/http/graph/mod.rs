//! Meta's own face: software that was written for the Cloud API, with our address in place of Meta's and an API key of the
//! tenant in place of its access token.
//!
//! These routes are not in the OpenAPI document, because Meta's documents describe them; `docs/graph.md` has the table of
//! what passes. Nothing of a path is decoded: what does not look exactly like Meta's is nothing.

mod allowed;
pub(super) mod errors;
mod form;
mod members;
mod messages;
mod pages;
mod passing;
pub(super) mod path;
mod sent;
mod usage;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::any;
use dakghar_core::domain::{ErrorCode, Problem};

use super::problem::ApiError;
use super::request_id::RequestId;
use super::state::HttpState;
use errors::GraphError;
use path::GraphPath;

/// The routes of this face.
pub(super) fn routes() -> Router<HttpState> {
    Router::new()
        .route("/{version}/{node}", any(answer))
        .route("/{version}/{node}/{edge}", any(answer))
}

/// The answer where no route is, of this face or of none.
pub(super) async fn not_found(request: Request) -> Response {
    let detail = "No route has this path; see /docs.";
    let problem = Problem::new(ErrorCode::NotFound, detail);
    if path::is_metas(request.uri().path()) {
        return GraphError::from(problem).into_response(None);
    }
    ApiError::from(problem).into_response()
}

async fn answer(State(state): State<HttpState>, request: Request) -> Response {
    let request_id = RequestId::of(request.extensions());
    let path = request.uri().path().to_owned();
    let Some(path) = GraphPath::parse(&path) else {
        return not_found(request).await;
    };
    let answered = match path.send_endpoint(request.method()) {
        Some((number, endpoint)) => Box::pin(messages::send(&state, number, endpoint, request)).await,
        None if path.id.is_empty() || !passing::is_passed(request.method()) => {
            Err(GraphError::unsupported(request.method(), path.id))
        }
        None => Box::pin(passing::pass(&state, &path, request)).await,
    };
    answered.unwrap_or_else(|error| error.into_response(request_id.as_deref()))
}
