//! Properties of any input: nothing panics, strict means stricter than `serde_json`, and the order of fields and white
//! space never matter.

use std::fmt::Write as _;

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::super::json;
use super::*;

fn any_json() -> impl Strategy<Value = Value> {
    let name = prop_oneof!["[a-z_]{1,6}", "\\PC{0,4}", field_name()];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        field_name().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 48, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((name.clone(), inner), 0..6)
                .prop_map(|entries| Value::from(entries.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// Names and values that reach deep into the checks.
fn field_name() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "to",
        "text",
        "type",
        "body",
        "template",
        "name",
        "language",
        "code",
        "components",
        "parameters",
        "image",
        "link",
        "id",
        "https://example.com/a",
        "https://[::1]/",
        "interactive",
        "button",
        "list",
        "action",
        "buttons",
        "sections",
        "rows",
        "reply",
        "title",
        "header",
        "footer",
        "contacts",
        "location",
        "latitude",
        "reaction",
        "emoji",
        "context",
        "message_id",
        "wamid.X",
        "metadata",
        "sendAt",
        "2026-11-22T11:00:00Z",
        "priority",
        "high",
        "recipient",
        "recipient_type",
        "group",
        "ttl_seconds",
        "+919111111111",
    ])
    .prop_map(str::to_owned)
}

/// Writes the value with its members turned round by `turn` and with white space between all tokens.
fn write_shuffled(value: &Value, turn: usize, space: &str, out: &mut String) {
    out.push_str(space);
    match value {
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                out.push_str(if i > 0 { "," } else { "" });
                write_shuffled(item, turn, space, out);
            }
            out.push_str(space);
            out.push(']');
        }
        Value::Object(entries) => {
            let mut entries: Vec<_> = entries.iter().collect();
            if !entries.is_empty() {
                let by = turn % entries.len();
                entries.rotate_left(by);
            }
            out.push('{');
            for (i, (name, member)) in entries.into_iter().enumerate() {
                out.push_str(if i > 0 { "," } else { "" });
                write!(out, "{space}{}{space}:", json!(name)).expect("a string takes everything");
                write_shuffled(member, turn, space, out);
            }
            out.push_str(space);
            out.push('}');
        }
        scalar => write!(out, "{scalar}").expect("a string takes everything"),
    }
    out.push_str(space);
}

proptest! {
    #[test]
    fn bytes_never_panic(body in prop::collection::vec(any::<u8>(), 0..200), header in prop::collection::vec(any::<u8>(), 0..8)) {
        let _ = parse(&body, &[&header], NOW);
    }

    #[test]
    fn text_that_looks_like_json_never_panics(body in "[\\[\\]{}\",:\\\\ud08etox0-9 +.-]{0,60}") {
        let _ = parse(body.as_bytes(), &[], NOW);
    }

    #[test]
    fn json_never_panics(value in any_json(), kind in field_name()) {
        let _ = parse(value.to_string().as_bytes(), &[], NOW);
        let body = json!({"to": "+919111111111", "type": kind, kind: value, "metadata": value, "context": value});
        let _ = parse(body.to_string().as_bytes(), &[], NOW);
    }

    #[test]
    fn links_never_panic(link in "(https://)?[\\PC@:/\\[\\].0-9x]{0,30}") {
        let _ = super::super::link::check_public(&link);
    }

    #[test]
    fn objects_are_read_as_serde_json_reads_them(value in any_json()) {
        let body = json!({ "field": value }).to_string();
        prop_assert!(json::read(body.as_bytes()).is_ok(), "{body}");
    }

    #[test]
    fn nothing_is_read_that_serde_json_refuses(
        value in any_json(),
        position in any::<prop::sample::Index>(),
        byte in prop::sample::select(b"\"\\{}[],:0e- u\x00\xff".to_vec()),
    ) {
        let mut body = json!({ "field": value }).to_string().into_bytes();
        let position = position.index(body.len());
        body[position] = byte;
        if json::read(&body).is_ok() {
            prop_assert!(serde_json::from_slice::<Value>(&body).is_ok(), "{}", String::from_utf8_lossy(&body));
        }
    }

    #[test]
    fn order_and_white_space_do_not_change_the_fingerprint(
        content in any_json(),
        metadata in prop::collection::btree_map("[a-z]{1,8}", any::<i64>(), 0..5),
        turn in 0usize..7,
        space in "[ \t\r\n]{0,3}",
    ) {
        let body = json!({
            "to": "+919111111111", "type": "hologram", "hologram": [content], "metadata": metadata, "priority": "low",
            "context": {"message_id": "wamid.X", "b": [content], "a": 1},
        });
        let mut shuffled = String::new();
        write_shuffled(&body, turn, &space, &mut shuffled);
        prop_assert_eq!(accept(&body.to_string()).fingerprint, accept(&shuffled).fingerprint);
    }

    #[test]
    fn different_contents_have_different_fingerprints(one in any_json(), other in any_json()) {
        let fingerprint = |content: &Value| accept(&of_type("hologram", &json!([content]).to_string())).fingerprint;
        prop_assert_eq!(one == other, fingerprint(&one) == fingerprint(&other));
    }
}
