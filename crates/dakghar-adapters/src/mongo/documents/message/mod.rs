//! A message as a document, in two parts: what is fixed at acceptance, and what every save writes anew.
//!
//! Both parts lie side by side in one flat document. The message's content is kept as the JSON text it came as.

mod decode;
mod encode;
mod shape;
#[cfg(test)]
mod tests;

use bson::raw::{CStr, cstr};
use dakghar_core::domain::message::Message;

pub(in crate::mongo) use decode::{ENTRY_FIELDS, decode, decode_entry};
pub(super) use encode::error_fields;
pub(in crate::mongo) use encode::{encode, encode_claim, encode_delivery};
pub(super) use shape::ErrorFields;

/// Every field of [`DeliveryFields`](shape::DeliveryFields) that can be absent: what a save must unset when the message
/// has no value.
pub(in crate::mongo) const OPTIONAL_DELIVERY_FIELDS: [&str; 17] = [
    "lease",
    "calledAt",
    "graceUntil",
    "slotAt",
    "wakeAt",
    "enqueuedAt",
    "expiresAt",
    "deadReason",
    "deadLetter",
    "holdReason",
    "wamid",
    "wamids",
    "error",
    "receipt",
    "statusSeenAt",
    "conversationId",
    "timeline",
];

/// The field that a claim takes away.
pub(in crate::mongo) const FIELD_A_CLAIM_UNSETS: &CStr = cstr!("enqueuedAt");

/// The ids of the saves that told something in the feed, and are not known to be settled, the latest last.
pub(in crate::mongo) const TOLD_SAVES: &str = "toldSaves";
/// Is there if [`TOLD_SAVES`] has as many ids as it may have, which is sixteen.
pub(in crate::mongo) const TOLD_SAVES_ARE_FULL: &CStr = cstr!("toldSaves.15");

/// The key under which a message that Meta reports is received once; `None` for one of a client.
pub(in crate::mongo) fn inbound_key(message: &Message) -> Option<String> {
    let wamid = message.delivery.wamid.as_ref().filter(|_| message.is_reported())?;
    Some(format!("{}:{wamid}", message.accepted.phone_number_id))
}
