//! What a tenant wants to be sent again by itself.

use dakghar_core::domain::auto_redrive::{AutoRedrive, Cause};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder};

use super::names;

/// What is sent again by itself when its cause has ended. Without causes nothing is.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AutoRedrive)]
pub(in crate::http) struct AutoRedriveView {
    /// The causes after whose end it is: Meta refused the access token (until it is replaced or works again), Meta
    /// restricted the account (until the hold ends), all attempts failed (until Meta takes a message of the number again),
    /// the tenant did not have the number any more (until it has it again).
    #[schema(schema_with = causes)]
    causes: Vec<&'static str>,
    /// Messages a minute that go back into the queue.
    #[schema(minimum = 1, maximum = 60_000, example = 60)]
    per_minute: Option<u32>,
    /// Only dead letters that ended at most so many hours before their cause.
    #[schema(minimum = 1, maximum = 696, example = 24)]
    max_age_hours: Option<u32>,
    /// No message is sent again more often than this, with what people sent again.
    #[schema(minimum = 1, maximum = 10, example = 1)]
    times_max: Option<u32>,
}

impl From<Option<&AutoRedrive>> for AutoRedriveView {
    fn from(policy: Option<&AutoRedrive>) -> Self {
        Self {
            causes: policy.map_or_else(Vec::new, |policy| {
                policy.causes.iter().map(|cause| cause.as_str()).collect()
            }),
            per_minute: policy.map(|policy| policy.per_minute),
            max_age_hours: policy.map(|policy| policy.hours),
            times_max: policy.map(|policy| policy.times),
        }
    }
}

/// The causes that end, for the document.
fn causes() -> ArrayBuilder {
    ArrayBuilder::new().items(cause())
}

/// A cause that ends, for the document.
pub(in crate::http) fn cause() -> ObjectBuilder {
    names(Cause::ALL.map(Cause::as_str))
}
