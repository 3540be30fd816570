//! A webhook event as a document.

use std::borrow::Cow;
use std::sync::Arc;

use bson::{Binary, DateTime, RawDocument, RawDocumentBuf};
use dakghar_core::domain::amendment::{AmendedContent, Amendment};
use dakghar_core::domain::ids::{EventId, PhoneNumberId, TenantId, WabaId, Wamid};
use dakghar_core::domain::webhook::{EventReason, WebhookEvent};
use dakghar_core::ports::StoreError;
use serde::{Deserialize, Serialize};

use super::{SCHEMA_VERSION, Unreadable, binary, date, from_raw, timestamp, to_raw};

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct EventFields<'a> {
    #[serde(rename = "_id")]
    id: String,
    schema_version: i32,
    /// Absent: nobody could be found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tenant_id: Option<String>,
    reason: Cow<'a, str>,
    field: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    phone_number_id: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    waba_id: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    problem: Option<Cow<'a, str>>,
    raw: Cow<'a, str>,
    fingerprint: Binary,
    received_at: DateTime,
    /// Absent also in documents of earlier builds.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    amends: Option<AmendsFields<'a>>,
}

/// What it changes of a message. An edit has a type and a content, a revocation none.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct AmendsFields<'a> {
    wamid: Cow<'a, str>,
    by: Cow<'a, str>,
    at: DateTime,
    revokes: bool,
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    kind: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content: Option<Cow<'a, str>>,
}

impl<'a> AmendsFields<'a> {
    fn of(amends: &'a Amendment) -> Self {
        let content = amends.content.as_ref();
        Self {
            wamid: amends.of.as_str().into(),
            by: amends.by.as_str().into(),
            at: date(amends.at),
            revokes: amends.revokes(),
            kind: content.map(|content| (&*content.kind).into()),
            content: content.map(|content| (&*content.body).into()),
        }
    }

    fn read(&self) -> Option<Amendment> {
        let content = match (self.revokes, &self.kind, &self.content) {
            (true, None, None) => None,
            (false, Some(kind), Some(content)) => Some(AmendedContent {
                kind: (&**kind).into(),
                body: (&**content).into(),
            }),
            _ => return None,
        };
        Some(Amendment {
            of: Wamid::parse(&self.wamid).ok()?,
            by: Wamid::parse(&self.by).ok()?,
            at: timestamp(self.at),
            content,
        })
    }
}

/// The fields of [`decode_amendment`].
pub(in crate::mongo) const AMENDMENT_FIELDS: [&str; 3] = ["_id", "phoneNumberId", "amends"];

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct AmendingFields<'a> {
    #[serde(rename = "_id")]
    id: String,
    #[serde(borrow)]
    phone_number_id: Cow<'a, str>,
    #[serde(borrow)]
    amends: AmendsFields<'a>,
}

/// Reads the number and what is changed of a message of it.
pub(in crate::mongo) fn decode_amendment(raw: &RawDocument) -> Result<(String, Amendment), Unreadable> {
    let fields: AmendingFields<'_> = from_raw("webhook event", raw)?;
    let amends = fields.amends.read();
    let amends = amends.ok_or_else(|| Unreadable::field("webhook event", &fields.id, "amends"))?;
    Ok((fields.phone_number_id.into_owned(), amends))
}

/// An event as a document.
pub(in crate::mongo) fn encode(event: &WebhookEvent) -> Result<RawDocumentBuf, StoreError> {
    to_raw(&EventFields {
        id: event.id.to_string(),
        schema_version: SCHEMA_VERSION,
        tenant_id: event.tenant_id.map(|id| id.to_string()),
        reason: event.reason.as_str().into(),
        field: (&*event.field).into(),
        phone_number_id: event.phone_number_id.as_ref().map(|id| id.as_str().into()),
        waba_id: event.waba_id.as_ref().map(|id| id.as_str().into()),
        problem: event.problem.as_deref().map(Cow::from),
        raw: (&*event.raw).into(),
        fingerprint: binary(&event.fingerprint),
        received_at: date(event.received_at),
        amends: event.amends.as_ref().map(AmendsFields::of),
    })
}

/// Reads an event.
pub(in crate::mongo) fn decode(raw: &RawDocument) -> Result<WebhookEvent, Unreadable> {
    let fields: EventFields<'_> = from_raw("webhook event", raw)?;
    if fields.schema_version > SCHEMA_VERSION {
        return Err(Unreadable::version("webhook event", &fields.id, fields.schema_version));
    }
    let wrong = |field: &'static str| Unreadable::field("webhook event", &fields.id, field);
    Ok(WebhookEvent {
        id: EventId::parse(&fields.id).map_err(|_| wrong("_id"))?,
        tenant_id: fields
            .tenant_id
            .as_deref()
            .map(|id| TenantId::parse(id).map_err(|_| wrong("tenantId")))
            .transpose()?,
        reason: EventReason::parse(&fields.reason).ok_or_else(|| wrong("reason"))?,
        field: (&*fields.field).into(),
        phone_number_id: fields
            .phone_number_id
            .as_deref()
            .map(|id| PhoneNumberId::parse(id).map_err(|_| wrong("phoneNumberId")))
            .transpose()?,
        waba_id: fields
            .waba_id
            .as_deref()
            .map(|id| WabaId::parse(id).map_err(|_| wrong("wabaId")))
            .transpose()?,
        problem: fields.problem.as_deref().map(Arc::from),
        raw: (&*fields.raw).into(),
        fingerprint: fields
            .fingerprint
            .bytes
            .as_slice()
            .try_into()
            .map_err(|_| wrong("fingerprint"))?,
        received_at: timestamp(fields.received_at),
        amends: fields
            .amends
            .as_ref()
            .map(|amends| amends.read().ok_or_else(|| wrong("amends")))
            .transpose()?,
    })
}
