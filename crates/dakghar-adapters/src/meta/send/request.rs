//! Meta's request body for one message, put together from texts: what the client wrote is copied, never read again.

use std::fmt::Write as _;

use dakghar_core::domain::message::Message;
use serde_json::value::RawValue;

use super::super::lenient_json::Fields;

/// Room for everything but the content itself.
const FRAME_BYTES: usize = 256;

/// Fields that are ours to write; the same names among the client's further fields are left out.
const OWN_FIELDS: [&str; 5] = [
    "messaging_product",
    "to",
    "type",
    "biz_opaque_callback_data",
    "recipient_type",
];

/// The message cannot be put into Meta's form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unwritable(pub(super) &'static str);

/// Writes the body of `POST /{phone_number_id}/messages`, with `opaque` as the callback data.
pub(super) fn write(message: &Message, opaque: &str) -> Result<String, Unwritable> {
    let content = &message.accepted.content;
    let further = match content.envelope.as_deref() {
        None => None,
        Some(text) => Some(Fields::parse(text).ok_or(Unwritable("the message's further fields are not an object"))?),
    };
    let recipient = further.as_ref().and_then(|fields| fields.get("recipient"));
    let recipient_type = further.as_ref().and_then(|fields| fields.get("recipient_type"));

    let mut body = String::with_capacity(
        FRAME_BYTES + content.body.len() + content.envelope.as_ref().map_or(0, |text| text.len()) + opaque.len(),
    );
    body.push_str(r#"{"messaging_product":"whatsapp","recipient_type":"#);
    body.push_str(recipient_type.map_or(r#""individual""#, RawValue::get));
    if recipient.is_none() {
        let peer = message
            .accepted
            .peer
            .as_deref()
            .ok_or(Unwritable("the message names no recipient"))?;
        let name = if is_business_scoped_id(peer) { "recipient" } else { "to" };
        push_field(&mut body, name, &quoted(peer));
    }
    push_field(&mut body, "type", &quoted(&content.kind));
    // A raw message may have no object of its type.
    if &*content.body != "null" {
        push_field(&mut body, &content.kind, &content.body);
    }
    for (name, value) in further.iter().flat_map(Fields::iter) {
        if !OWN_FIELDS.contains(&name) && name != &*content.kind {
            push_field(&mut body, name, value.get());
        }
    }
    push_field(&mut body, "biz_opaque_callback_data", &quoted(opaque));
    body.push('}');
    Ok(body)
}

/// True if this is a business-scoped user id (`US.1349…`, two capital letters and a dot) and not a number or a group.
fn is_business_scoped_id(peer: &str) -> bool {
    matches!(peer.as_bytes(), [a, b, b'.', _, ..] if a.is_ascii_uppercase() && b.is_ascii_uppercase())
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("a string always has a JSON form")
}

fn push_field(body: &mut String, name: &str, json: &str) {
    write!(body, ",{}:{json}", quoted(name)).expect("writing to a string cannot fail");
}
