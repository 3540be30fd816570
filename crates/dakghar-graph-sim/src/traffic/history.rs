//! The history of a number that also has the app: in phases, each in chunks, with the progress of the whole.

use serde_json::{Value, json};

use super::kind::Kind;
use super::maker::Maker;
use super::part::Part;

pub(super) const KINDS: &[Kind] = &[
    Kind::parts("history", "history", waves),
    Kind::of_number("history_declined", "history", |m| {
        json!({"history": [{"errors": [{"code": 2_593_109, "title": "History sync is turned off",
            "message": m.words("declined"), "error_data": {"details": m.words("by the business")}}]}]})
    }),
];

/// Three phases, each in chunks, then the details of the media that were in them.
fn waves(m: &mut Maker) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut media = Vec::new();
    for phase in 0..3_u64 {
        let chunks = 1 + m.below(3);
        for chunk in 1..=chunks {
            let progress = (phase * 100 + 100 * chunk / chunks) / 3;
            let threads: Vec<Value> = (0..=m.below(3)).map(|_| thread(m, &mut media)).collect();
            let value = json!({"history": [{"threads": threads,
                "metadata": {"phase": phase, "chunk_order": chunk, "progress": progress.min(100)}}]});
            parts.push(m.of_number("history", value));
        }
    }
    parts.extend(media);
    parts
}

fn thread(m: &mut Maker, media: &mut Vec<Part>) -> Value {
    let wa_id = format!("1650555{:04}", m.below(40));
    let count = 1 + m.below(4);
    let messages: Vec<Value> = (0..count).map(|_| message(m, &wa_id, media)).collect();
    json!({"id": wa_id, "messages": messages})
}

fn message(m: &mut Maker, wa_id: &str, media: &mut Vec<Part>) -> Value {
    let (id, timestamp) = (m.wamid(), m.timestamp());
    let business = m.number().display_phone_number.clone();
    let is_own = m.roll(0.4);
    let (from, to) = if is_own {
        (business.as_str(), wa_id)
    } else {
        (wa_id, business.as_str())
    };
    let status = m.one_of(&["ERROR", "PENDING", "DELIVERED", "READ", "PLAYED"]);
    let mut message =
        json!({"from": from, "to": to, "id": id, "timestamp": timestamp, "history_context": {"status": status}});
    if m.roll(0.2) {
        message["type"] = json!("media_placeholder");
        let details = json!({"type": "image", "from": from, "id": id, "timestamp": timestamp,
            "image": {"id": m.id("9"), "mime_type": "image/jpeg", "caption": m.words("of long ago")}});
        let value = json!({"messages": [details]});
        media.push(m.of_number("history", value));
    } else {
        message["type"] = json!("text");
        message["text"] = json!({"body": m.words("long ago")});
    }
    message
}
