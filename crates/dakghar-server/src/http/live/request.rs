//! What both ways of reading live have in common.

use dakghar_core::app::{FeedItem, FeedPage};
use dakghar_core::domain::{Place, TenantId};

use crate::http::connected::Connected;
use crate::http::feed_query::{FeedQuery, Start};
use crate::http::held_key::HeldKey;
use crate::http::pages::Turn;
use crate::http::problem::ApiError;
use crate::http::state::HttpState;

/// A request for entries of a feed.
pub(in crate::http) struct LiveRequest {
    pub(in crate::http) state: HttpState,
    pub(in crate::http) tenant_id: TenantId,
    pub(in crate::http) query: FeedQuery,
    pub(in crate::http) connected: Connected,
    pub(in crate::http) key: HeldKey,
}

impl LiveRequest {
    /// Returns the place to begin behind; `None` for the earliest entry.
    pub(super) async fn start(&self) -> Result<Option<Place>, ApiError> {
        Ok(match self.query.start {
            Start::Earliest => None,
            Start::Behind(place) => Some(place),
            Start::Latest => Some(self.state.app().reading.feed_end(&self.tenant_id).await?),
        })
    }

    /// Reads the next page, in turn with other lists.
    pub(super) async fn read(&self, after: Option<Place>) -> Result<(Turn<Option<TenantId>>, FeedPage), ApiError> {
        let turn = self.state.budgets().pages.turn(Some(self.tenant_id)).await?;
        let reading = &self.state.app().reading;
        let page = reading.feed_page(&self.tenant_id, after, self.query.limit, &self.query.filter);
        let page = page.await?;
        // Behind the reading: what came while it waited is for who may read now.
        self.key.check(&self.state, &self.tenant_id).await?;
        Ok((turn, page))
    }

    /// Records how late entries are that somebody has waited for.
    pub(super) fn note_lag(&self, items: &[FeedItem]) {
        let app = self.state.app();
        let now = app.wall();
        for item in items {
            app.metrics.feed_live_lag.observe(now.since(item.entry.at));
        }
    }
}
