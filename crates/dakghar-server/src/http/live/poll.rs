//! Long polling: a page that is waited for.

use std::pin::pin;

use axum::Json;
use axum::response::{IntoResponse as _, Response};
use dakghar_core::metrics::LiveWay;
use tokio::time::sleep;

use super::request::LiveRequest;
use crate::http::problem::ApiError;
use crate::http::views::FeedView;

/// Answers with entries as soon as there are some, or after the wait with none. The cursor of the answer is behind
/// everything that was looked at.
pub(in crate::http) async fn poll(request: LiveRequest) -> Result<Response, ApiError> {
    let app = request.state.app();
    // First of all, so that what comes after the first read is told.
    let mut subscription = app.watching.subscribe(&request.tenant_id);
    let mut over = pin!(async {
        tokio::select! {
            () = sleep(request.query.wait) => {}
            () = request.connected.shut_down() => {}
        }
    });
    let (mut after, mut place_of_reader) = (request.start().await?, None);
    loop {
        let (turn, page) = request.read(after).await?;
        if !page.items.is_empty() {
            if place_of_reader.is_some() {
                request.note_lag(&page.items);
            }
            return Ok(turn.answer(&FeedView::new(&page, request.query.wants_raw))?);
        }
        drop(turn);
        if place_of_reader.is_none() && !request.query.wait.is_zero() {
            let entered = request.state.readers().enter(request.tenant_id, LiveWay::LongPoll)?;
            place_of_reader = Some(entered);
        }
        // Where more is left to look at, only the end of the wait comes before it.
        let more = async {
            if page.is_at_end {
                subscription.behind(page.next).await;
            }
        };
        tokio::select! {
            biased;
            () = &mut over => return Ok(empty(&FeedView::new(&page, false))),
            () = more => {}
        }
        after = Some(page.next);
    }
}

fn empty(page: &FeedView) -> Response {
    Json(page).into_response()
}
