//! Damaged bodies lose nothing.

use serde_json::Value;

use super::*;

/// Damaged bodies: bytes changed, removed or doubled at random. Nothing may panic, and nothing may vanish.
#[test]
fn no_damage_makes_a_body_disappear() {
    let whole = with_value(
        r#""contacts":[{"wa_id":"1"}],"messages":[{"from":"1","id":"wamid.A","timestamp":"1760000000","type":"text","text":{"body":"caf\u00e9"}}],
        "statuses":[{"id":"wamid.B","status":"failed","errors":[{"code":1,"error_data":{"details":"d"}}]}]"#,
    );
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut draw = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below as u64).unwrap()
    };
    let spices = *b"\"{}[]:,\\0e-\x00\xffn";
    let mut updates_seen = 0;
    for _ in 0..20_000 {
        let mut bytes = whole.clone().into_bytes();
        for _ in 0..=draw(4) {
            let at = draw(bytes.len());
            match draw(4) {
                0 => bytes[at] = spices[draw(spices.len())],
                1 => drop(bytes.remove(at)),
                2 => bytes.insert(at, spices[draw(spices.len())]),
                _ => bytes.truncate(at + 8),
            }
        }
        let parts = parse::parse(&bytes, NOW_SECONDS);
        let kept: Vec<&str> = parts.iter().map(raw).collect();
        match serde_json::from_slice::<Value>(&bytes) {
            Ok(body) => {
                let kept: Vec<Value> = kept
                    .iter()
                    .map(|raw| serde_json::from_str(raw).expect("JSON"))
                    .collect();
                for update in updates(&body) {
                    let is_kept = kept.iter().any(|part| holds(part, update));
                    assert!(is_kept, "{update} of {}", String::from_utf8_lossy(&bytes));
                    updates_seen += 1;
                }
                assert!(!kept.is_empty(), "{}", String::from_utf8_lossy(&bytes));
            }
            Err(_) => assert_eq!(kept, [String::from_utf8_lossy(&bytes)]),
        }
    }
    assert!(
        updates_seen > 1_000,
        "only {updates_seen} messages and statuses were left"
    );
}

fn raw(part: &WebhookPart) -> &str {
    match part {
        WebhookPart::Message(message) => &message.raw,
        WebhookPart::Status(status) => &status.raw,
        WebhookPart::Other(other) => &other.raw,
    }
}

/// Every message and status in a body, wherever its lists are still where Meta puts them.
fn updates(body: &Value) -> impl Iterator<Item = &Value> {
    elements(&body["entry"])
        .flat_map(|entry| elements(&entry["changes"]))
        .flat_map(|change| {
            let value = &change["value"];
            elements(&value["messages"]).chain(elements(&value["statuses"]))
        })
}

fn elements(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

/// True if the value is a part of the other one, or all of it.
fn holds(whole: &Value, part: &Value) -> bool {
    whole == part
        || match whole {
            Value::Array(elements) => elements.iter().any(|element| holds(element, part)),
            Value::Object(fields) => fields.values().any(|field| holds(field, part)),
            _ => false,
        }
}
