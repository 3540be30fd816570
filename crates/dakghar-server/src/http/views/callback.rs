//! What endpoints of the format `standard` are sent.

use dakghar_core::app::{CallbackBodies, FeedItem, Handed};
use dakghar_core::domain::Timestamp;
use serde::Serialize;

use super::feed::DataView;

/// Writes callbacks in the words of the API.
pub struct CallbackViews;

/// An event, as an endpoint is sent it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CallbackView {
    /// The same however often it is sent.
    id: String,
    /// What happened: a kind of the feed.
    r#type: String,
    tenant_id: String,
    /// Where it stands in the feed.
    place: String,
    /// When it happened: according to Meta, or else when it came.
    occurred_at: String,
    received_at: String,
    /// 1 for the first attempt.
    attempt: u32,
    data: Option<DataView>,
}

/// Several events.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct BatchView {
    r#type: &'static str,
    tenant_id: String,
    data: Vec<CallbackView>,
}

impl CallbackView {
    fn new(item: &FeedItem, attempt: u32) -> Self {
        let FeedItem { place, entry, data } = item;
        Self {
            id: entry.id().to_string(),
            r#type: entry.kind.as_str().to_owned(),
            tenant_id: entry.tenant_id.to_string(),
            place: place.to_string(),
            occurred_at: entry.reported_at.as_ref().unwrap_or(&entry.at).to_string(),
            received_at: Timestamp::to_string(&entry.at),
            attempt,
            data: DataView::new(&entry.subject, data, false),
        }
    }
}

impl CallbackBodies for CallbackViews {
    fn standard(&self, handed: Handed<'_>) -> Vec<u8> {
        let view = |item| CallbackView::new(item, handed.attempt);
        let written = match handed.items {
            [only] if !handed.is_batch => serde_json::to_vec(&view(only)),
            several => serde_json::to_vec(&BatchView {
                r#type: "batch",
                tenant_id: handed.tenant_id.to_string(),
                data: several.iter().map(view).collect(),
            }),
        };
        written.expect("views are JSON")
    }
}
