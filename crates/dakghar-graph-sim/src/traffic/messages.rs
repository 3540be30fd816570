//! What people send: every type of message, and every way in which one comes.

use serde_json::{Value, json};

use super::kind::Kind;
use super::maker::Maker;

pub(super) const KINDS: &[Kind] = &[
    Kind::message("text", text),
    Kind::message("image", |m| media(m, "image", "image/jpeg")),
    Kind::message("video", |m| media(m, "video", "video/mp4")),
    Kind::message("audio", |m| media(m, "audio", "audio/mpeg")),
    Kind::message("voice", |m| {
        let mut message = media(m, "audio", "audio/ogg; codecs=opus");
        message["audio"]["voice"] = json!(true);
        message
    }),
    Kind::message("document", |m| {
        let mut message = media(m, "document", "application/pdf");
        message["document"]["filename"] = json!(m.words("file.pdf"));
        message
    }),
    Kind::message("sticker", |m| {
        let mut message = media(m, "sticker", "image/webp");
        message["sticker"]["animated"] = json!(m.roll(0.5));
        message
    }),
    Kind::message("location", |m| {
        json!({"type": "location", "location": {"latitude": 23.8, "longitude": 90.4, "name": m.words("Place"),
            "address": m.words("Road"), "url": "https://maps.example/x"}})
    }),
    Kind::message("contacts", |m| {
        json!({"type": "contacts", "contacts": [{"origin": m.one_of(&["contact_request", "other"]),
            "name": {"formatted_name": m.words("Friend")}, "vcard": m.words("BEGIN:VCARD\nFN:"),
            "phones": [{"phone": "+16505550002", "wa_id": "16505550002", "type": "MOBILE"}]}]})
    }),
    Kind::message(
        "reaction",
        |m| json!({"type": "reaction", "reaction": {"message_id": m.sent_wamid(), "emoji": "\u{1f44d}"}}),
    ),
    Kind::message(
        "reaction_removed",
        |m| json!({"type": "reaction", "reaction": {"message_id": m.sent_wamid()}}),
    ),
    Kind::message(
        "button",
        |m| json!({"type": "button", "context": context(m), "button": {"payload": m.words("STOP"), "text": m.words("Stop")}}),
    ),
    Kind::message("button_reply", |m| {
        let reply = json!({"id": m.id("b"), "title": m.words("Yes")});
        interactive(m, "button_reply", &reply)
    }),
    Kind::message("list_reply", |m| {
        let reply = json!({"id": m.id("r"), "title": m.words("Row"), "description": m.words("of a list")});
        interactive(m, "list_reply", &reply)
    }),
    Kind::message("flow_reply", |m| form(m, "flow")),
    Kind::message("address_reply", |m| form(m, "address_message")),
    Kind::message("call_permission_reply", |m| {
        let reply = json!({"response": m.one_of(&["accept", "reject"]), "response_source": "user_action",
            "expiration_timestamp": m.seconds()});
        interactive(m, "call_permission_reply", &reply)
    }),
    Kind::message("order", |m| {
        json!({"type": "order", "order": {"catalog_id": m.id("cat"), "text": m.words("my order"), "product_items": [
            {"product_retailer_id": m.id("sku"), "quantity": 2, "item_price": 30, "currency": "USD"},
            {"product_retailer_id": m.id("sku"), "quantity": "1", "item_price": 9.5, "currency": "BDT"}]}})
    }),
    Kind::message("system_changed_number", |m| {
        json!({"type": "system", "system": {"type": "user_changed_number", "body": m.words("changed the number"),
            "wa_id": format!("1219555{:04}", m.below(10_000)), "user_id": m.id("US."), "previous_user_id": m.id("US.")}})
    }),
    Kind::message("system_changed_user_id", |m| {
        json!({"type": "system", "system": {"type": "user_changed_user_id", "body": m.words("changed the id"),
            "user_id": m.id("US."), "previous_user_id": m.id("US.")}})
    }),
    Kind::message("system_identity_changed", |m| {
        json!({"type": "system", "system": {"type": "customer_identity_changed", "body": m.words("identity")},
            "identity": {"acknowledged": true, "created_timestamp": m.timestamp(), "hash": m.id("hash")}})
    }),
    Kind::message("edit", |m| {
        json!({"type": "edit", "edit": {"original_message_id": m.wamid(),
            "message": {"type": "text", "text": {"body": m.words("edited")}}}})
    }),
    Kind::message(
        "revoke",
        |m| json!({"type": "revoke", "revoke": {"original_message_id": m.wamid()}}),
    ),
    Kind::message("unsupported", |m| {
        let what = [
            "gif",
            "poll_creation",
            "pin",
            "keep_in_chat",
            "link_preview",
            "media_placeholder",
            "group_invite",
        ];
        unsupported(m, "unsupported", &what)
    }),
    Kind::message("unknown", |m| unsupported(m, "unknown", &["list", "poll_update"])),
    Kind::message("request_welcome", |_| json!({"type": "request_welcome"})),
    Kind::message(
        "unknown_message_type",
        |m| json!({"type": "hologram", "hologram": {"layers": [m.words("front"), m.words("back")]}}),
    ),
    Kind::message("from_an_ad", |m| {
        let mut message = text(m);
        message["referral"] = json!({"source_url": "https://fb.example/x", "source_id": m.id("ad"), "source_type": "ad",
            "headline": m.words("Chat"), "body": m.words("Sale"), "media_type": "image", "ctwa_clid": m.id("clid"),
            "image_url": "https://cdn.example/i.jpg", "welcome_message": {"text": m.words("Welcome")}});
        message
    }),
    Kind::message("product_enquiry", |m| {
        let mut message = text(m);
        message["context"] = context(m);
        message["context"]["referred_product"] = json!({"catalog_id": m.id("cat"), "product_retailer_id": m.id("sku")});
        message
    }),
    Kind::message("reply", |m| {
        let mut message = text(m);
        message["context"] = context(m);
        message
    }),
    Kind::message("forwarded", |m| {
        let mut message = media(m, "image", "image/png");
        message["context"] = json!({m.one_of(&["forwarded", "frequently_forwarded"]): true});
        message
    }),
    Kind::message("group_message", |m| {
        let mut message = text(m);
        message["group_id"] = json!(format!("Y2FwaV9ncm91cDox{}", m.below(5)));
        message
    }),
    Kind::message("number_as_text", |m| {
        // Meta's own pages disagree about which of these are texts.
        let mut message = text(m);
        message["timestamp"] = json!(m.seconds());
        message
    }),
];

fn text(m: &mut Maker) -> Value {
    json!({"type": "text", "text": {"body": m.words("hello")}})
}

fn media(m: &mut Maker, kind: &str, mime_type: &str) -> Value {
    let mut object = json!({"id": m.id("9"), "mime_type": mime_type, "sha256": m.id("sha"),
        "url": "https://lookaside.example/x"});
    if !matches!(kind, "audio" | "sticker") {
        object["caption"] = json!(m.words("caption"));
    }
    json!({"type": kind, kind: object})
}

fn context(m: &mut Maker) -> Value {
    json!({"from": m.number().display_phone_number.clone(), "id": m.sent_wamid()})
}

fn interactive(m: &mut Maker, kind: &str, reply: &Value) -> Value {
    json!({"type": "interactive", "context": context(m), "interactive": {"type": kind, kind: reply}})
}

fn form(m: &mut Maker, name: &str) -> Value {
    let filled_in = json!({"flow_token": m.id("token"), "name": m.words("Ana")}).to_string();
    let reply = json!({"name": name, "body": "Sent", "response_json": filled_in});
    interactive(m, "nfm_reply", &reply)
}

fn unsupported(m: &mut Maker, kind: &str, what: &[&'static str]) -> Value {
    json!({"type": kind, "unsupported": {"type": m.one_of(what)}, "errors": [{"code": 131_051,
        "title": "Message type unknown", "message": "Message type unknown",
        "error_data": {"details": m.words("not supported")}}]})
}
