//! Damaged bodies lose nothing.

use dakghar_testkit::fuzzed;
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
    let codec = webhooks(&[], None);
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
        if serde_json::from_slice::<Value>(&bytes).is_ok() {
            updates_seen += fuzzed::webhook_body(&codec, &bytes);
        } else {
            let parts = codec.parse(&bytes);
            let [WebhookPart::Other(whole)] = parts.as_slice() else {
                panic!("{parts:?}");
            };
            assert_eq!(*whole.raw, *String::from_utf8_lossy(&bytes));
        }
    }
    assert!(
        updates_seen > 1_000,
        "only {updates_seen} messages and statuses were left"
    );
}
