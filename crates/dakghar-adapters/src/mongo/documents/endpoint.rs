//! An endpoint of a tenant as one document. Its secrets and headers are in it only sealed.

use std::borrow::Cow;

use bson::{Binary, DateTime, RawDocument, RawDocumentBuf};
use dakghar_core::domain::endpoint::{DeliveryOrder, DisabledReason, Endpoint, EndpointFormat, EndpointState};
use dakghar_core::domain::feed::{EntryFilter, KindPattern, Place};
use dakghar_core::domain::ids::{EndpointId, PhoneNumberId, TenantId};
use dakghar_core::ports::StoreError;
use serde::{Deserialize, Serialize};

use super::secret::SecretFields;
use super::{SCHEMA_VERSION, Unreadable, binary, counter, date, from_raw, timestamp, to_raw};
use crate::stored::replay::ReplayFields;

const WHAT: &str = "endpoint";

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct EndpointFields<'a> {
    #[serde(rename = "_id")]
    id: String,
    schema_version: i32,
    tenant_id: String,
    /// Absent: its own id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kept_under: Option<String>,
    seat: i64,
    url: Cow<'a, str>,
    format: Cow<'a, str>,
    /// Absent: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    kinds: Vec<String>,
    /// Absent: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    phone_number_ids: Vec<String>,
    order: Cow<'a, str>,
    batch_max: i64,
    per_second: i64,
    concurrency: i64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    header_names: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sealed_headers: Option<Binary>,
    secrets: Vec<SecretFields>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sealed_verify_token: Option<Binary>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sealed_creation: Option<Binary>,
    state: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    disabled: Option<DisabledFields<'a>>,
    start: i64,
    /// The latest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    replays: Vec<ReplayFields>,
    created_at: DateTime,
    updated_at: DateTime,
    version: i64,
}

#[derive(Debug, Serialize, Deserialize)]
struct DisabledFields<'a> {
    reason: Cow<'a, str>,
    at: DateTime,
}

/// An endpoint as a document, under this version.
pub(in crate::mongo) fn encode(endpoint: &Endpoint, version: u64) -> Result<RawDocumentBuf, StoreError> {
    let disabled = |(reason, at): (DisabledReason, _)| DisabledFields {
        reason: reason.as_str().into(),
        at: date(at),
    };
    let EntryFilter {
        kinds,
        phone_number_ids,
    } = &endpoint.filter;
    to_raw(&EndpointFields {
        id: endpoint.id.to_string(),
        schema_version: SCHEMA_VERSION,
        tenant_id: endpoint.tenant_id.to_string(),
        kept_under: (endpoint.kept_under != endpoint.id).then(|| endpoint.kept_under.to_string()),
        seat: endpoint.seat.into(),
        url: endpoint.url.as_str().into(),
        format: endpoint.format.as_str().into(),
        kinds: kinds.iter().map(|kind| kind.as_str().to_owned()).collect(),
        phone_number_ids: phone_number_ids.iter().map(ToString::to_string).collect(),
        order: endpoint.order.as_str().into(),
        batch_max: endpoint.batch_max.into(),
        per_second: endpoint.per_second.into(),
        concurrency: endpoint.concurrency.into(),
        header_names: endpoint.header_names.clone(),
        sealed_headers: endpoint.sealed_headers.as_deref().map(binary),
        secrets: endpoint.secrets.iter().map(Into::into).collect(),
        sealed_verify_token: endpoint.sealed_verify_token.as_deref().map(binary),
        sealed_creation: endpoint.sealed_creation.as_deref().map(binary),
        state: endpoint.state.as_str().into(),
        disabled: endpoint.state.disabled().map(disabled),
        start: counter(endpoint.start.number()),
        replays: endpoint.replays.iter().map(ReplayFields::from).collect(),
        created_at: date(endpoint.created_at),
        updated_at: date(endpoint.updated_at),
        version: counter(version),
    })
}

/// Reads an endpoint.
pub(in crate::mongo) fn decode(raw: &RawDocument) -> Result<Endpoint, Unreadable> {
    let fields: EndpointFields<'_> = from_raw(WHAT, raw)?;
    if fields.schema_version > SCHEMA_VERSION {
        return Err(Unreadable::version(WHAT, &fields.id, fields.schema_version));
    }
    let wrong = |field: &'static str| Unreadable::field(WHAT, &fields.id, field);
    let small = |value: i64, field| u32::try_from(value).map_err(|_| wrong(field));
    let count = |value: i64, field| u64::try_from(value).map_err(|_| wrong(field));
    let kinds = fields.kinds.iter().map(|kind| KindPattern::parse(kind));
    let numbers = fields.phone_number_ids.iter().map(|id| PhoneNumberId::parse(id));
    let replays = fields.replays.iter().map(ReplayFields::replay);
    Ok(Endpoint {
        id: EndpointId::parse(&fields.id).map_err(|_| wrong("_id"))?,
        tenant_id: TenantId::parse(&fields.tenant_id).map_err(|_| wrong("tenantId"))?,
        kept_under: EndpointId::parse(fields.kept_under.as_ref().unwrap_or(&fields.id))
            .map_err(|_| wrong("keptUnder"))?,
        seat: small(fields.seat, "seat")?,
        url: fields.url.to_string(),
        format: EndpointFormat::parse(&fields.format).ok_or_else(|| wrong("format"))?,
        filter: EntryFilter {
            kinds: kinds.collect::<Option<_>>().ok_or_else(|| wrong("kinds"))?,
            phone_number_ids: numbers.collect::<Result<_, _>>().map_err(|_| wrong("phoneNumberIds"))?,
        },
        order: DeliveryOrder::parse(&fields.order).ok_or_else(|| wrong("order"))?,
        batch_max: small(fields.batch_max, "batchMax")?,
        per_second: small(fields.per_second, "perSecond")?,
        concurrency: small(fields.concurrency, "concurrency")?,
        header_names: fields.header_names.clone(),
        sealed_headers: fields.sealed_headers.as_ref().map(|sealed| sealed.bytes.clone()),
        secrets: fields.secrets.iter().map(Into::into).collect(),
        sealed_verify_token: fields.sealed_verify_token.as_ref().map(|sealed| sealed.bytes.clone()),
        sealed_creation: fields.sealed_creation.as_ref().map(|sealed| sealed.bytes.clone()),
        state: state(&fields)?,
        start: Place::new(count(fields.start, "start")?),
        replays: replays.collect::<Option<_>>().ok_or_else(|| wrong("replays"))?,
        created_at: timestamp(fields.created_at),
        updated_at: timestamp(fields.updated_at),
        version: count(fields.version, "version")?,
    })
}

/// The id under which what is delivered to an endpoint is kept.
pub(in crate::mongo) fn kept_under(raw: &RawDocument) -> Option<String> {
    let id = raw.get_str("keptUnder").or_else(|_| raw.get_str("_id"));
    id.ok().map(str::to_owned)
}

fn state(fields: &EndpointFields<'_>) -> Result<EndpointState, Unreadable> {
    let wrong = |field: &'static str| Unreadable::field(WHAT, &fields.id, field);
    let disabled = fields.disabled.as_ref().map(|disabled| {
        let reason = DisabledReason::parse(&disabled.reason).ok_or_else(|| wrong("disabled.reason"))?;
        Ok((reason, timestamp(disabled.at)))
    });
    EndpointState::parse(&fields.state, disabled.transpose()?).ok_or_else(|| wrong("state"))
}
