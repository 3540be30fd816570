//! A report on a message as a document.

use std::borrow::Cow;
use std::sync::Arc;

use bson::{DateTime, RawDocument, RawDocumentBuf};
use dakghar_core::domain::ids::{MessageId, MessageKey, TenantId, Wamid};
use dakghar_core::domain::message::{Evidence, EvidenceStatus, Reported, StatusRecord};
use dakghar_core::ports::StoreError;
use serde::{Deserialize, Serialize};

use super::message::{ErrorFields, error_fields};
use super::{SCHEMA_VERSION, Unreadable, date, from_raw, timestamp, to_raw};

/// The texts, which nobody needs to know the state of a message.
pub(in crate::mongo) const TEXTS: [&str; 2] = ["raw", "frame"];

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct StatusFields<'a> {
    /// Tenant, message and digest, with slashes between.
    #[serde(rename = "_id")]
    id: String,
    schema_version: i32,
    status: Cow<'a, str>,
    wamid: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    attempt: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    participant: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reported_at: Option<DateTime>,
    received_at: DateTime,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<ErrorFields<'a>>,
    /// Absent where only [`Reported`] was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    raw: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    frame: Option<Cow<'a, str>>,
}

/// A report as a document.
pub(in crate::mongo) fn encode(status: &StatusRecord) -> Result<RawDocumentBuf, StoreError> {
    let Reported { evidence, received_at } = &status.reported;
    to_raw(&StatusFields {
        id: status.id(),
        schema_version: SCHEMA_VERSION,
        status: evidence.status.as_str().into(),
        wamid: evidence.wamid.as_str().into(),
        attempt: evidence.attempt.map(i64::from),
        participant: evidence.participant.as_deref().map(Cow::from),
        reported_at: evidence.reported_at.map(date),
        received_at: date(*received_at),
        error: evidence.error.as_ref().map(error_fields),
        raw: Some((&*status.raw).into()),
        frame: status.frame.as_deref().map(Cow::from),
    })
}

/// Reads a whole report.
pub(in crate::mongo) fn decode(raw: &RawDocument) -> Result<StatusRecord, Unreadable> {
    let fields = fields(raw)?;
    let wrong = |field| Unreadable::field("status", &fields.id, field);
    Ok(StatusRecord {
        key: key_in(&fields.id).ok_or_else(|| wrong("_id"))?,
        reported: reported(&fields)?,
        raw: fields.raw.as_deref().map(Arc::from).ok_or_else(|| wrong("raw"))?,
        frame: fields.frame.as_deref().map(Arc::from),
    })
}

/// Reads what counts for the state of the message, and which message that is.
pub(in crate::mongo) fn decode_reported(raw: &RawDocument) -> Result<(MessageKey, Reported), Unreadable> {
    let fields = fields(raw)?;
    let key = key_in(&fields.id).ok_or_else(|| Unreadable::field("status", &fields.id, "_id"))?;
    Ok((key, reported(&fields)?))
}

fn fields(raw: &RawDocument) -> Result<StatusFields<'_>, Unreadable> {
    let fields: StatusFields<'_> = from_raw("status", raw)?;
    if fields.schema_version > SCHEMA_VERSION {
        return Err(Unreadable::version("status", &fields.id, fields.schema_version));
    }
    Ok(fields)
}

fn key_in(id: &str) -> Option<MessageKey> {
    let mut parts = id.split('/');
    Some(MessageKey {
        tenant_id: TenantId::parse(parts.next()?).ok()?,
        message_id: MessageId::parse(parts.next()?).ok()?,
    })
}

fn reported(fields: &StatusFields<'_>) -> Result<Reported, Unreadable> {
    let wrong = |field| Unreadable::field("status", &fields.id, field);
    let attempt = fields
        .attempt
        .map(|attempt| u32::try_from(attempt).map_err(|_| wrong("attempt")));
    let error = fields
        .error
        .as_ref()
        .map(|error| error.read().ok_or_else(|| wrong("error.httpStatus")));
    Ok(Reported {
        evidence: Evidence {
            status: EvidenceStatus::parse(&fields.status).ok_or_else(|| wrong("status"))?,
            wamid: Wamid::parse(&fields.wamid).map_err(|_| wrong("wamid"))?,
            attempt: attempt.transpose()?,
            participant: fields.participant.as_deref().map(Arc::from),
            reported_at: fields.reported_at.map(timestamp),
            error: error.transpose()?,
            by_webhook: true,
        },
        received_at: timestamp(fields.received_at),
    })
}
