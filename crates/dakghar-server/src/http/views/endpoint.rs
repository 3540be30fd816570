//! Endpoints of tenants. No secret has a field here but once, and of headers there are the names.

use dakghar_core::app::EndpointWithSecret;
use dakghar_core::domain::endpoint::{DeliveryOrder, DisabledReason, EndpointFormat};
use dakghar_core::domain::sealed_secret::SealedSecret;
use dakghar_core::domain::{Endpoint, KindPattern, Secret};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa::openapi::schema::ObjectBuilder;

use super::names;

/// Where a tenant wants its events.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Endpoint)]
pub(in crate::http) struct EndpointView {
    /// Our id.
    #[schema(example = "end_01kamt5c8x7v3b9q2w4e6r8t0y")]
    endpoint_id: String,
    /// The URL that is called.
    #[schema(example = "https://example.com/hook")]
    url: String,
    /// Whether it stands for the `callbackUrl` of the tenant.
    is_callback_url: bool,
    /// What a call looks like.
    #[schema(schema_with = endpoint_formats)]
    format: &'static str,
    /// Which kinds of entries it gets; none are all but `message.history` and `meta.history`, which only an endpoint gets that
    /// names them in full.
    #[schema(example = json!(["message.received", "status.*"]))]
    kinds: Vec<String>,
    /// Of which numbers, by Meta's ids; none are all.
    #[schema(example = json!(["111111111111111"]))]
    phone_number_ids: Vec<String>,
    /// In which order.
    #[schema(schema_with = endpoint_orders)]
    order: &'static str,
    /// The most entries in a call.
    #[schema(minimum = 1, maximum = 100)]
    batch_max: u32,
    /// The most calls in a second.
    #[schema(minimum = 1, maximum = 10_000)]
    per_second: u32,
    /// The most calls under way.
    #[schema(minimum = 1, maximum = 32)]
    concurrency: u32,
    /// The names of the headers that are sent with each call. Their values are never shown.
    #[schema(example = json!(["Authorization"]))]
    headers: Vec<String>,
    /// Its secrets, the present one first. They are never shown.
    secrets: Vec<EndpointSecretView>,
    /// Whether it has a verify token. It is never shown.
    has_verify_token: bool,
    /// Whether it is called. What it does not get meanwhile waits in the feed.
    #[schema(schema_with = states)]
    state: &'static str,
    /// Why it is not called any more; `null` unless it is `disabled`.
    disabled: Option<DisabledView>,
    /// It gets what stands behind this place of the feed.
    #[schema(example = "1042")]
    starts_behind: String,
    /// Counts changes, from 0, or from a greater number where an endpoint that was deleted may have had the same id. It is the
    /// `ETag` as well.
    version: u64,
    /// When it was made.
    #[schema(format = DateTime)]
    created_at: String,
    /// When it was changed last.
    #[schema(format = DateTime)]
    updated_at: String,
}

/// A secret of an endpoint.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = EndpointSecret)]
struct EndpointSecretView {
    /// True for the present one.
    is_present: bool,
    /// When it was added.
    #[schema(format = DateTime)]
    added_at: String,
    /// From when on it signs no more; `null` for the present one.
    #[schema(format = DateTime)]
    valid_until: Option<String>,
}

/// Why an endpoint is not called any more.
#[derive(Serialize, ToSchema)]
#[schema(as = DisabledEndpoint)]
struct DisabledView {
    /// `gone`: it answered 410. `failing`: every call failed for days.
    #[schema(schema_with = reasons)]
    reason: &'static str,
    /// Since when.
    #[schema(format = DateTime)]
    at: String,
}

impl From<&Endpoint> for EndpointView {
    fn from(endpoint: &Endpoint) -> Self {
        let secret = |(place, secret): (usize, &SealedSecret)| EndpointSecretView {
            is_present: place == 0,
            added_at: secret.added_at.to_string(),
            valid_until: secret.valid_until.map(|until| until.to_string()),
        };
        let filter = &endpoint.filter;
        Self {
            endpoint_id: endpoint.id.to_string(),
            url: endpoint.url.clone(),
            is_callback_url: endpoint.is_of_callback_url(),
            format: endpoint.format.as_str(),
            kinds: filter
                .kinds
                .iter()
                .map(KindPattern::as_str)
                .map(str::to_owned)
                .collect(),
            phone_number_ids: filter.phone_number_ids.iter().map(ToString::to_string).collect(),
            order: endpoint.order.as_str(),
            batch_max: endpoint.batch_max,
            per_second: endpoint.per_second,
            concurrency: endpoint.concurrency,
            headers: endpoint.header_names.clone(),
            secrets: endpoint.secrets.iter().enumerate().map(secret).collect(),
            has_verify_token: endpoint.sealed_verify_token.is_some(),
            state: endpoint.state.as_str(),
            disabled: endpoint.state.disabled().map(|(reason, at)| DisabledView {
                reason: reason.as_str(),
                at: at.to_string(),
            }),
            starts_behind: endpoint.start.to_string(),
            version: endpoint.version,
            created_at: endpoint.created_at.to_string(),
            updated_at: endpoint.updated_at.to_string(),
        }
    }
}

/// An endpoint with its present secret.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = EndpointWithSecret)]
pub(in crate::http) struct EndpointWithSecretView {
    #[serde(flatten)]
    endpoint: EndpointView,
    /// The secret that signs its calls. It is shown only now.
    #[schema(example = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwu1dF6q9iYQk=")]
    secret: String,
}

impl From<&EndpointWithSecret> for EndpointWithSecretView {
    fn from(EndpointWithSecret { endpoint, secret }: &EndpointWithSecret) -> Self {
        Self {
            endpoint: EndpointView::from(endpoint),
            secret: secret.reveal().to_owned(),
        }
    }
}

/// An endpoint that was made before, under the same idempotency key.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = RepeatedEndpoint)]
pub(in crate::http) struct RepeatedEndpointView {
    #[serde(flatten)]
    endpoint: EndpointView,
    /// The secret that signs its calls: for a day after it was made, as long as nothing of it has changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwu1dF6q9iYQk=")]
    secret: Option<String>,
}

impl RepeatedEndpointView {
    pub(in crate::http) fn new(endpoint: &Endpoint, secret: Option<&Secret>) -> Self {
        Self {
            endpoint: EndpointView::from(endpoint),
            secret: secret.map(|secret| secret.reveal().to_owned()),
        }
    }
}

/// The formats, for the document.
pub(in crate::http) fn endpoint_formats() -> ObjectBuilder {
    names(EndpointFormat::ALL.map(EndpointFormat::as_str)).description(Some(
        "What a call looks like: `standard` as Standard Webhooks has it, or `meta`, what Meta would have posted.",
    ))
}

/// The orders, for the document.
pub(in crate::http) fn endpoint_orders() -> ObjectBuilder {
    names(DeliveryOrder::ALL.map(DeliveryOrder::as_str)).description(Some(
        "`conversation`: an entry that fails holds back those behind it of the same conversation. `none`: it holds back \
         nothing.",
    ))
}

fn states() -> ObjectBuilder {
    names(["active", "paused", "disabled"])
}

fn reasons() -> ObjectBuilder {
    names(DisabledReason::ALL.map(DisabledReason::as_str))
}
