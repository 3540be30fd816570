//! Records as NDJSON: all of them in one answer, one a line; here the dead letters.
//!
//! The answer is pulled: a page is read when the connection has room for it, in turn with other lists and within their
//! bytes, and only then. So an export holds one page at a time however much there is. A page that cannot be read breaks the
//! answer off, which its client notices; an answer that ends well has everything.

use std::io;

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;
use bytes::Bytes;
use dakghar_core::app::PageRequest;
use dakghar_core::domain::TenantId;
use dakghar_core::domain::page::PAGE_ITEMS_MAX;
use futures_util::stream;

use super::accepting::accepts;
use super::connected::Connected;
use super::problem::ApiError;
use super::state::HttpState;
use super::views::message_json;

/// The media type of an export.
pub(super) const NDJSON: &str = "application/x-ndjson";

/// True if a request asks for an export.
pub(super) fn wants_export(headers: &HeaderMap) -> bool {
    accepts(headers, NDJSON)
}

/// An export under way: it is read page by page.
pub(super) trait Pages: Send + Sized + 'static {
    /// What is exported, for the log.
    const WHAT: &'static str;

    /// The connection of the client.
    fn connected(&self) -> &Connected;

    /// Reads the lines of the next page. `None` is the end.
    fn page(&mut self) -> impl Future<Output = Result<Option<Bytes>, ApiError>> + Send;

    /// Answers with all lines. The first page is read before the answer begins, so that a store that is away is a problem like any
    /// other. A later one that cannot be read breaks the answer off.
    fn answer(mut self) -> impl Future<Output = Result<Response, ApiError>> + Send {
        async move {
            let first = self.page().await?;
            let pages = stream::unfold(Some((self, first)), |export| async move {
                let (mut export, ready) = export?;
                if let Some(bytes) = ready {
                    return Some((Ok(bytes), Some((export, None))));
                }
                let connected = export.connected().clone();
                let page = tokio::select! {
                    biased;
                    () = connected.shut_down() => Err(io::Error::other("the process stops")),
                    page = export.page() => page.map_err(|error| io::Error::other(error.problem.detail)),
                };
                match page {
                    Ok(bytes) => bytes.map(|bytes| (Ok(bytes), Some((export, None)))),
                    Err(error) => {
                        tracing::warn!(%error, what = Self::WHAT, "an export broke off");
                        Some((Err(error), None))
                    }
                }
            });
            let mut response = Response::new(Body::from_stream(pages));
            let media_type = HeaderValue::from_static(NDJSON);
            response.headers_mut().insert(CONTENT_TYPE, media_type);
            Ok(response)
        }
    }
}

/// An export of dead letters under way.
pub(super) struct Export {
    state: HttpState,
    tenant_id: Option<TenantId>,
    connected: Connected,
    /// Where the next page begins; `None` once the last one was read.
    next: Option<PageRequest>,
}

impl Export {
    /// An export of a tenant's dead letters, or (for the operator) of all.
    pub(super) const fn new(state: HttpState, tenant_id: Option<TenantId>, connected: Connected) -> Self {
        Self {
            state,
            tenant_id,
            connected,
            next: Some(PageRequest {
                limit: PAGE_ITEMS_MAX,
                cursor: None,
            }),
        }
    }
}

impl Pages for Export {
    const WHAT: &'static str = "dead letters";

    fn connected(&self) -> &Connected {
        &self.connected
    }

    /// Reads on until there are lines. `None` is the end.
    async fn page(&mut self) -> Result<Option<Bytes>, ApiError> {
        while let Some(request) = &self.next {
            let turn = self.state.budgets().pages.turn(self.tenant_id).await?;
            let reading = &self.state.app().reading;
            let page = reading.dead_letters(self.tenant_id.as_ref(), request).await?;
            let mut lines = Vec::new();
            for message in &page.items {
                lines.extend_from_slice(message_json(message).as_bytes());
                lines.push(b'\n');
            }
            self.next = page.next_cursor.map(|cursor| PageRequest {
                limit: PAGE_ITEMS_MAX,
                cursor: Some(cursor),
            });
            if !lines.is_empty() {
                return Ok(Some(turn.lease(lines)?));
            }
        }
        Ok(None)
    }
}
