//! The bodies of requests about endpoints.

use std::collections::BTreeMap;

use dakghar_core::app::{EndpointChanges, NewEndpoint, StartAt};
use dakghar_core::domain::endpoint::{
    BATCH_DEFAULT, CONCURRENCY_DEFAULT, DeliveryOrder, EndpointFormat, PER_SECOND_DEFAULT,
};
use dakghar_core::domain::{ErrorCode, Problem, Secret, Timestamp};
use utoipa::ToSchema;

use crate::http::fields::Fields;
use crate::http::views::{endpoint_formats, endpoint_orders};

/// An endpoint to make.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "documents what read() reads")]
pub(in crate::http) struct CreateEndpoint {
    /// The URL that is called: https, with a public host, without a user, a password or a fragment.
    #[schema(example = "https://example.com/hook")]
    url: String,
    /// Which kinds of entries it gets, as the feed names them, or the beginning of kinds and `*`; without any, all.
    #[schema(example = json!(["message.received", "status.*"]), max_items = 50)]
    kinds: Option<Vec<String>>,
    /// Of which numbers, by Meta's ids; without any, all. What is about no number, such as an event of a whole account,
    /// comes only without.
    #[schema(example = json!(["111111111111111"]), max_items = 100)]
    phone_number_ids: Option<Vec<String>>,
    #[schema(schema_with = endpoint_orders)]
    order: Option<String>,
    /// The most entries in a call, 1 when absent.
    #[schema(minimum = 1, maximum = 100)]
    batch_max: Option<u32>,
    /// The most calls in a second, 50 when absent.
    #[schema(minimum = 1, maximum = 10_000)]
    per_second: Option<u32>,
    /// The most calls under way, 8 when absent.
    #[schema(minimum = 1, maximum = 32)]
    concurrency: Option<u32>,
    /// Headers that are sent with each call, by name: 20 at most, 8 KB together. They take the place of all that were there.
    #[schema(value_type = Option<BTreeMap<String, String>>, example = json!({"Authorization": "Bearer 7f3a"}))]
    headers: Option<BTreeMap<String, Secret>>,
    /// The token of Meta's challenge, for the format `meta`: 8 to 256 printable characters. With one, the receiver must answer
    /// `GET` with `hub.mode`, `hub.challenge` and `hub.verify_token` as Meta wants it, whenever the URL or the token is new.
    #[schema(value_type = Option<String>)]
    verify_token: Option<Secret>,
    #[schema(schema_with = endpoint_formats)]
    format: Option<String>,
    /// From where on it gets entries: `now` (when absent), `beginning`, or what came at a time or later.
    #[schema(example = "now")]
    start_at: Option<String>,
    /// The secret that signs its calls: `whsec_` and 24 to 64 bytes in base64 for the format `standard`, 8 to 256 printable
    /// characters for `meta`. Made up when absent.
    #[schema(value_type = Option<String>)]
    secret: Option<Secret>,
}

/// What is changed of an endpoint. What is not named stays; `null` makes it what it is by itself.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "documents what read() reads")]
pub(in crate::http) struct ChangeEndpoint {
    /// The URL that is called: https, with a public host, without a user, a password or a fragment.
    #[schema(example = "https://example.com/hook")]
    url: Option<String>,
    /// Which kinds of entries it gets, as the feed names them, or the beginning of kinds and `*`; without any, all.
    #[schema(example = json!(["message.received", "status.*"]), max_items = 50)]
    kinds: Option<Vec<String>>,
    /// Of which numbers, by Meta's ids; without any, all. What is about no number, such as an event of a whole account,
    /// comes only without.
    #[schema(example = json!(["111111111111111"]), max_items = 100)]
    phone_number_ids: Option<Vec<String>>,
    #[schema(schema_with = endpoint_orders)]
    order: Option<String>,
    /// The most entries in a call, 1 when absent.
    #[schema(minimum = 1, maximum = 100)]
    batch_max: Option<u32>,
    /// The most calls in a second, 50 when absent.
    #[schema(minimum = 1, maximum = 10_000)]
    per_second: Option<u32>,
    /// The most calls under way, 8 when absent.
    #[schema(minimum = 1, maximum = 32)]
    concurrency: Option<u32>,
    /// Headers that are sent with each call, by name: 20 at most, 8 KB together. They take the place of all that were there.
    #[schema(value_type = Option<BTreeMap<String, String>>, example = json!({"Authorization": "Bearer 7f3a"}))]
    headers: Option<BTreeMap<String, Secret>>,
    /// The token of Meta's challenge, for the format `meta`: 8 to 256 printable characters. With one, the receiver must answer
    /// `GET` with `hub.mode`, `hub.challenge` and `hub.verify_token` as Meta wants it, whenever the URL or the token is new.
    #[schema(value_type = Option<String>)]
    verify_token: Option<Secret>,
}

fn settings(fields: &mut Fields) -> Result<EndpointChanges, Problem> {
    // A field that is `null` is back at its default, one that is absent stays.
    let or_default = |given: bool, value: Option<u32>, default| value.or(given.then_some(default));
    let (kinds, numbers) = (fields.has("kinds"), fields.has("phoneNumberIds"));
    let (order, token) = (fields.has("order"), fields.has("verifyToken"));
    let counts = ["batchMax", "perSecond", "concurrency"].map(|name| fields.has(name));
    let has_headers = fields.has("headers");
    let has_url = fields.has("url");
    let url = fields.text("url", ErrorCode::InvalidUrl);
    let verify_token = fields.secret("verifyToken", ErrorCode::InvalidField);
    Ok(EndpointChanges {
        url: url.or_else(|| has_url.then(String::new)),
        kinds: fields
            .texts("kinds", ErrorCode::InvalidEventType)
            .or_else(|| kinds.then(Vec::new)),
        phone_number_ids: fields
            .texts("phoneNumberIds", ErrorCode::InvalidPhoneNumberId)
            .or_else(|| numbers.then(Vec::new)),
        order: fields
            .one_of("order", &DeliveryOrder::ALL, DeliveryOrder::as_str)
            .or(order.then_some(DeliveryOrder::None)),
        batch_max: or_default(counts[0], fields.whole_number("batchMax"), BATCH_DEFAULT),
        per_second: or_default(counts[1], fields.whole_number("perSecond"), PER_SECOND_DEFAULT),
        concurrency: or_default(counts[2], fields.whole_number("concurrency"), CONCURRENCY_DEFAULT),
        headers: headers(fields)?.or_else(|| has_headers.then(Vec::new)),
        verify_token: token.then_some(verify_token),
    })
}

fn headers(fields: &mut Fields) -> Result<Option<Vec<(String, Secret)>>, Problem> {
    let Some(mut given) = fields.object("headers")? else {
        return Ok(None);
    };
    let names = given.names().into_iter();
    let headers = names.map(|name| {
        let value = Secret::new(given.required_text(&name, ErrorCode::InvalidField));
        (name, value)
    });
    let headers = headers.collect();
    given.finish()?;
    Ok(Some(headers))
}

impl CreateEndpoint {
    pub(super) fn read(body: &[u8]) -> Result<NewEndpoint, Problem> {
        let mut fields = Fields::parse(body)?;
        let format = fields.one_of("format", &EndpointFormat::ALL, EndpointFormat::as_str);
        let secret = fields.secret("secret", ErrorCode::InvalidField);
        let start = start_at(&mut fields);
        let settings = settings(&mut fields)?;
        fields.finish()?;
        Ok(NewEndpoint {
            format: format.unwrap_or_default(),
            settings,
            start,
            secret,
        })
    }
}

impl ChangeEndpoint {
    pub(super) fn read(body: &[u8]) -> Result<EndpointChanges, Problem> {
        let mut fields = Fields::parse(body)?;
        let changes = settings(&mut fields)?;
        fields.finish()?;
        Ok(changes)
    }
}

fn start_at(fields: &mut Fields) -> StartAt {
    let text = fields.text("startAt", ErrorCode::InvalidField);
    match text.as_deref() {
        None | Some("now") => StartAt::Now,
        Some("beginning") => StartAt::Beginning,
        Some(time) => match Timestamp::parse_rfc3339(time) {
            Some(time) => StartAt::Time(time),
            None => {
                let message = "must be now, beginning, or a time such as 2026-11-22T10:00:00Z";
                fields.refuse(ErrorCode::InvalidField, "startAt", message);
                StartAt::Now
            }
        },
    }
}

/// Another secret of an endpoint.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(in crate::http) struct RotateEndpointSecret {
    /// The secret; made up when absent.
    #[schema(value_type = Option<String>)]
    pub(super) secret: Option<Secret>,
    /// How long the one before it signs as well; a day when absent.
    #[schema(minimum = 0, maximum = 2_592_000, example = 3_600)]
    pub(super) overlap_seconds: Option<u32>,
}

impl RotateEndpointSecret {
    pub(super) fn read(body: &[u8]) -> Result<Self, Problem> {
        let mut fields = Fields::parse(if body.is_empty() { b"{}" } else { body })?;
        let request = Self {
            secret: fields.secret("secret", ErrorCode::InvalidField),
            overlap_seconds: fields.whole_number("overlapSeconds"),
        };
        fields.finish()?;
        Ok(request)
    }
}
