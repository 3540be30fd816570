//! A conversation as a document.
//!
//! The newest message's time and id lie in one embedded document, so that they move forward together.

use bson::{DateTime, RawArrayBuf, RawBson, RawDocument, RawDocumentBuf, raw::cstr, rawdoc};
use dakghar_core::domain::conversation::{Conversation, ConversationKind};
use dakghar_core::domain::ids::{ConversationId, MessageId, PhoneNumberId, TenantId, WaId};
use dakghar_core::domain::person_name::PersonName;
use dakghar_core::domain::time::Timestamp;
use serde::Deserialize;

use super::{SCHEMA_VERSION, Unreadable, date, from_raw, timestamp};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ConversationFields {
    #[serde(rename = "_id")]
    id: String,
    schema_version: i32,
    tenant_id: String,
    phone_number_id: String,
    wa_id: String,
    last_message: LastMessage,
    #[serde(default)]
    last_inbound_at: Option<DateTime>,
    /// Absent for a person, also in documents of earlier builds.
    #[serde(default)]
    kind: Option<String>,
    /// Absent in documents of earlier builds.
    #[serde(default)]
    first_message_at: Option<DateTime>,
    /// Absent where there are none.
    #[serde(default)]
    also: Vec<String>,
    #[serde(default)]
    name: Option<Name>,
}

#[derive(Debug, Deserialize)]
struct LastMessage {
    at: DateTime,
    id: String,
}

#[derive(Debug, Deserialize)]
struct Name {
    at: DateTime,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    username: Option<String>,
}

/// A conversation as it stands. One that exists is only ever moved forward.
pub(in crate::mongo) fn encode(conversation: &Conversation) -> RawDocumentBuf {
    let mut document = rawdoc! {
        "_id": conversation.id.to_string(),
        "schemaVersion": SCHEMA_VERSION,
        "tenantId": conversation.tenant_id.to_string(),
        "phoneNumberId": conversation.phone_number_id.as_str(),
        "waId": conversation.wa_id.as_str(),
        "lastMessage": newest(conversation.last_message_at, &conversation.last_message_id),
    };
    if let Some(at) = conversation.last_inbound_at {
        document.append(cstr!("lastInboundAt"), date(at));
    }
    if let Some(kind) = conversation.kind.stored() {
        document.append(cstr!("kind"), kind);
    }
    if let Some(at) = conversation.first_message_at {
        document.append(cstr!("firstMessageAt"), date(at));
    }
    if !conversation.also.is_empty() {
        document.append(cstr!("also"), ids(&conversation.also));
    }
    if let Some(told) = &conversation.name {
        document.append(cstr!("name"), name(told));
    }
    document
}

/// The newest message of a conversation.
pub(in crate::mongo) fn newest(at: Timestamp, id: &MessageId) -> RawDocumentBuf {
    rawdoc! { "at": date(at), "id": id.to_string() }
}

/// The further ids of a person.
pub(in crate::mongo) fn ids(ids: &[WaId]) -> RawArrayBuf {
    ids.iter().map(WaId::as_str).collect()
}

/// The names of a person. Those told at the same time compare field by field.
pub(in crate::mongo) fn name(told: &PersonName) -> RawDocumentBuf {
    let mut document = rawdoc! { "at": date(told.at) };
    document.append(cstr!("name"), text(told.name.as_deref()));
    document.append(cstr!("username"), text(told.username.as_deref()));
    document
}

fn text(text: Option<&str>) -> RawBson {
    text.map_or(RawBson::Null, |text| RawBson::String(text.to_owned()))
}

/// Reads a conversation.
pub(in crate::mongo) fn decode(raw: &RawDocument) -> Result<Conversation, Unreadable> {
    let fields: ConversationFields = from_raw("conversation", raw)?;
    if fields.schema_version > SCHEMA_VERSION {
        return Err(Unreadable::version("conversation", &fields.id, fields.schema_version));
    }
    let wrong = |field: &'static str| Unreadable::field("conversation", &fields.id, field);
    Ok(Conversation {
        id: ConversationId::parse(&fields.id).map_err(|_| wrong("_id"))?,
        tenant_id: TenantId::parse(&fields.tenant_id).map_err(|_| wrong("tenantId"))?,
        phone_number_id: PhoneNumberId::parse(&fields.phone_number_id).map_err(|_| wrong("phoneNumberId"))?,
        wa_id: WaId::parse(&fields.wa_id).map_err(|_| wrong("waId"))?,
        last_message_id: MessageId::parse(&fields.last_message.id).map_err(|_| wrong("lastMessage.id"))?,
        last_message_at: timestamp(fields.last_message.at),
        last_inbound_at: fields.last_inbound_at.map(timestamp),
        kind: match fields.kind.as_deref() {
            None => ConversationKind::Person,
            Some(kind) => ConversationKind::parse(kind).ok_or_else(|| wrong("kind"))?,
        },
        first_message_at: fields.first_message_at.map(timestamp),
        also: {
            let mut also: Vec<WaId> = (fields.also.iter().map(|id| WaId::parse(id)))
                .collect::<Result<_, _>>()
                .map_err(|_| wrong("also"))?;
            // The server keeps a set in no order.
            also.sort_unstable();
            also
        },
        name: fields.name.as_ref().map(|told| PersonName {
            at: timestamp(told.at),
            name: told.name.as_deref().map(Into::into),
            username: told.username.as_deref().map(Into::into),
        }),
    })
}
