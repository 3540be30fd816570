//! A conversation as a document.
//!
//! The newest message's time and id lie in one embedded document, so that they move forward together.

use bson::{DateTime, RawDocument, RawDocumentBuf, raw::cstr, rawdoc};
use dakghar_core::domain::conversation::{Conversation, ConversationKind};
use dakghar_core::domain::ids::{ConversationId, MessageId, PhoneNumberId, TenantId, WaId};
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
}

#[derive(Debug, Deserialize)]
struct LastMessage {
    at: DateTime,
    id: String,
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
    document
}

/// The newest message of a conversation.
pub(in crate::mongo) fn newest(at: Timestamp, id: &MessageId) -> RawDocumentBuf {
    rawdoc! { "at": date(at), "id": id.to_string() }
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
    })
}
