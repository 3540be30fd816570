//! The shapes that clients see: conversions from the domain, and their place in the OpenAPI document.
//!
//! Fields without a value are `null`, so that every answer has the same fields. Only timeline entries leave out what
//! does not apply. Nothing secret has a field here.

mod app;
mod conversation;
mod error;
mod event;
mod message;
mod person;
mod redrive;
mod status;
mod tenant;
mod timeline;

use dakghar_core::app::Page;
use dakghar_core::domain::Timestamp;
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

pub(super) use app::{AddedAppView, AppView};
pub(super) use conversation::ConversationView;
pub(super) use event::EventView;
pub(super) use message::{MessageView, priorities, statuses};
pub(super) use person::PersonView;
pub(super) use redrive::{RedrivePreviewView, RedriveView, dead_reasons, dead_statuses};
pub(super) use tenant::{PhoneNumberView, RegisteredTenantView, TenantLimitsView, TenantView, unknown_outcomes};

/// One page of a list, newest first.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Page)]
pub(super) struct PageView<T> {
    /// The items.
    data: Vec<T>,
    /// Give it as `cursor` to get the next page; `null` on the last one.
    next_cursor: Option<String>,
}

impl<T> PageView<T> {
    pub(super) fn of<Item>(page: Page<Item>) -> Self
    where
        T: for<'item> From<&'item Item>,
    {
        Self {
            data: page.items.iter().map(T::from).collect(),
            next_cursor: page.next_cursor,
        }
    }

    /// A list that is complete on one page.
    pub(super) const fn complete(data: Vec<T>) -> Self {
        Self {
            data,
            next_cursor: None,
        }
    }
}

/// The milliseconds from what Meta says happened until it came; 0 where its clock is ahead of ours.
fn delay_ms(received_at: Timestamp, reported_at: Timestamp) -> u64 {
    u64::try_from(received_at.since(reported_at).as_millis()).unwrap_or(u64::MAX)
}

/// JSON text as JSON; what is no JSON (a webhook's lossy text) as a string.
fn raw_json(text: &str) -> Box<RawValue> {
    RawValue::from_string(text.to_owned()).unwrap_or_else(|_| {
        let quoted = serde_json::to_string(text).expect("a string can always be written");
        RawValue::from_string(quoted).expect("a quoted string is JSON")
    })
}
