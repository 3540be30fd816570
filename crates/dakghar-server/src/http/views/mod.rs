//! The shapes that clients see: conversions from the domain, and their place in the OpenAPI document.
//!
//! Fields without a value are `null`, so that every answer has the same fields. Only timeline entries leave out what
//! does not apply. Nothing secret has a field here.

mod app;
mod audit;
mod auto_redrive;
mod callback;
mod conversation;
mod delivery;
mod departure;
mod endpoint;
mod erasure;
mod error;
mod event;
mod feed;
mod key;
mod message;
mod number;
mod opt_out;
mod person;
mod redrive;
mod replay;
mod signup;
mod standing;
mod status;
mod tenant;
mod timeline;

use dakghar_core::app::Page;
use dakghar_core::domain::Timestamp;
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;
use utoipa::openapi::schema::{ObjectBuilder, SchemaType, Type};

pub(super) use app::{AddedAppView, AppView};
pub(super) use audit::AuditRecordView;
pub(super) use auto_redrive::{AutoRedriveView, cause};
pub use callback::CallbackViews;
pub(super) use callback::TestedCallbackView;
pub(super) use conversation::ConversationView;
pub(super) use delivery::{AttemptView, EndpointWithProgressView, ExceptionView};
pub(super) use departure::DepartureView;
pub(super) use endpoint::{
    EndpointView, EndpointWithSecretView, RepeatedEndpointView, endpoint_formats, endpoint_orders,
};
pub(super) use erasure::ErasureView;
pub(super) use event::EventView;
pub(super) use feed::FeedView;
pub use feed::feed_entry_json;
pub(super) use key::{KeyView, OperatorKeyView, ShownKeyView, ShownOperatorKeyView, role_names, scope_names};
pub use message::message_json;
pub(super) use message::{MessageView, priorities, statuses, statuses_or_null};
pub(super) use number::ListedNumberView;
pub(super) use opt_out::{OptOutView, SendingRulesView, enforced, quiet_for};
pub(super) use person::PersonView;
pub(super) use redrive::{RedrivePreviewView, RedriveView, dead_reasons, dead_statuses};
pub(super) use replay::{ReplayPreviewView, ReplayView};
pub(super) use signup::{OnboardingLinkView, SignupView};
pub(super) use tenant::{ChangedTenantView, RegisteredTenantView, TenantLimitsView, TenantView, unknown_outcomes};

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

    /// The number of items.
    pub(super) const fn len(&self) -> u64 {
        self.data.len() as u64
    }

    /// A page with these items.
    pub(super) const fn part(data: Vec<T>, next_cursor: Option<String>) -> Self {
        Self { data, next_cursor }
    }

    /// A list that is complete on one page.
    pub(super) const fn complete(data: Vec<T>) -> Self {
        Self {
            data,
            next_cursor: None,
        }
    }
}

/// A text that is one of these names, for the document.
fn names<const N: usize>(names: [&'static str; N]) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(names))
}

/// A text that is one of these names, or `null`, for the document.
fn or_null<const N: usize>(names: [&'static str; N]) -> ObjectBuilder {
    let values = names.into_iter().map(serde_json::Value::from);
    ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([Type::String, Type::Null]))
        .enum_values(Some(values.chain([serde_json::Value::Null])))
}

/// The milliseconds from what Meta says happened until it came; 0 where its clock is ahead of ours.
fn delay_ms(received_at: Timestamp, reported_at: Timestamp) -> u64 {
    u64::try_from(received_at.since(reported_at).as_millis()).unwrap_or(u64::MAX)
}

/// The most objects and arrays inside each other in what is handed out as JSON. With what stands around it, that is within
/// the 64 that some parsers take.
const DEPTH_MAX: usize = 48;

/// JSON text as JSON. What is no JSON (a webhook's lossy text) is a string, and so is what many a parser would not read,
/// because it is nested too deep.
fn raw_json(text: &str) -> Box<RawValue> {
    let value = RawValue::from_string(text.to_owned()).ok();
    value
        .filter(|value| depth(value.get()) <= DEPTH_MAX)
        .unwrap_or_else(|| {
            let quoted = serde_json::to_string(text).expect("a string can always be written");
            RawValue::from_string(quoted).expect("a quoted string is JSON")
        })
}

/// How many objects and arrays are inside each other in this JSON.
fn depth(json: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let (mut is_text, mut is_escaped) = (false, false);
    for byte in json.bytes() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_text => is_escaped = true,
            b'"' => is_text = !is_text,
            _ if is_text => {}
            b'[' | b'{' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' => depth -= 1,
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_nested_too_deep_is_its_text_and_brackets_in_texts_do_not_count() {
        let lists = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        for json in [lists(DEPTH_MAX), format!("[{}]", [&*lists(DEPTH_MAX - 1); 9].join(","))] {
            assert_eq!(raw_json(&json).get(), json);
        }
        for json in [
            lists(DEPTH_MAX + 1),
            r#"{"a":"#.repeat(9_000) + "1" + &"}".repeat(9_000),
        ] {
            let text: String = serde_json::from_str(raw_json(&json).get()).expect("a string");
            assert_eq!(text, json);
        }
        let text = format!(r#"{{"a\"[{{":"\\","b":"{}\"{}"}}"#, "[".repeat(99), "{".repeat(99));
        assert_eq!((depth(&text), raw_json(&text).get()), (1, &*text));
    }
}
