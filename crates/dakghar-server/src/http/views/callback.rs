//! What endpoints of the format `standard` are sent.

use dakghar_core::app::{CallbackBodies, FeedItem, Handed, TestedCallback};
use dakghar_core::domain::callback::CallbackFailure;
use dakghar_core::domain::{TenantId, Timestamp};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::feed::{DataView, unreadable};

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
    #[serde(skip_serializing_if = "Option::is_none")]
    unreadable: Option<bool>,
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
            unreadable: unreadable(data),
        }
    }
}

/// An event in which nothing happened.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TestView<'a> {
    id: &'a str,
    r#type: &'static str,
    tenant_id: String,
    occurred_at: String,
    received_at: String,
    attempt: u32,
    data: Value,
}

/// The answer of an endpoint to a test.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = EndpointTest)]
pub(in crate::http) struct TestedCallbackView {
    /// True if the receiver took it: a status 2xx.
    delivered: bool,
    /// The status of the answer, if there was one.
    #[schema(example = 204)]
    status: Option<u16>,
    /// What failed where there was no whole answer: `dns`, `blocked`, `connect`, `tls`, `timeout` or `protocol`.
    failure: Option<&'static str>,
    /// The time that the call took, in milliseconds.
    #[schema(example = 38)]
    ms: u64,
    /// The beginning of an answer that is no success, at most a kilobyte.
    answer: Option<String>,
}

impl From<TestedCallback> for TestedCallbackView {
    fn from(tested: TestedCallback) -> Self {
        Self {
            delivered: tested.end.is_success(),
            status: tested.end.status(),
            failure: tested.end.failure().map(CallbackFailure::as_str),
            ms: u64::try_from(tested.took.as_millis()).unwrap_or(u64::MAX),
            answer: tested.answer,
        }
    }
}

impl CallbackBodies for CallbackViews {
    fn test(&self, tenant_id: &TenantId, id: &str, at: Timestamp) -> Vec<u8> {
        let view = TestView {
            id,
            r#type: "endpoint.test",
            tenant_id: tenant_id.to_string(),
            occurred_at: at.to_string(),
            received_at: at.to_string(),
            attempt: 1,
            data: json!({}),
        };
        serde_json::to_vec(&view).expect("views are JSON")
    }

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
