//! Everything of a body is in its parts, and the parts are at most three times the body.

use std::collections::BTreeSet;

use dakghar_core::domain::webhook::{contact_in, framed};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};

use super::*;

/// Bytes that a part may add for JSON's own signs, and for the field and value of its change.
const SIGNS_BYTES: usize = 96;

/// A body with everything that Meta is known to send, mixed at random. Every leaf is a text of its own.
struct Mix {
    dice: StdRng,
    leaves: usize,
}

impl Mix {
    fn leaf(&mut self) -> Value {
        self.leaves += 1;
        json!(format!("leaf{}\u{e9}", self.leaves))
    }

    fn often(&mut self) -> bool {
        self.dice.random_bool(0.7)
    }

    fn rarely(&mut self) -> bool {
        self.dice.random_bool(0.15)
    }

    fn person(&mut self) -> String {
        format!("1650555{}", self.dice.random_range(0..6))
    }

    /// An object that nobody knows, some levels deep.
    fn anything(&mut self, depth: u32) -> Value {
        match (depth, self.dice.random_range(0..4)) {
            (0, _) | (_, 0) => self.leaf(),
            (_, 1) => json!([self.anything(depth - 1), self.anything(depth - 1)]),
            _ => json!({"x": self.anything(depth - 1), "y": {"z": self.leaf()}}),
        }
    }

    fn contact(&mut self) -> Value {
        let mut contact = json!({"profile": {"name": self.leaf()}});
        if self.often() {
            contact["wa_id"] = json!(self.person());
        }
        if self.rarely() {
            contact["user_id"] = json!(format!("US.{}", self.person()));
            contact["profile"]["username"] = self.leaf();
        }
        if self.rarely() {
            contact["never_heard_of"] = self.anything(2);
        }
        contact
    }

    fn message(&mut self) -> Value {
        let kinds = ["text", "image", "system", "order", "never_heard_of", "edit", "revoke"];
        let kind = *kinds.choose(&mut self.dice).expect("kinds");
        let id = self.leaf();
        let mut message = json!({"id": format!("wamid.{}", id.as_str().expect("a text").trim_end_matches('\u{e9}')),
            "timestamp": "1760000000", "type": kind});
        message[kind] = match kind {
            "edit" => {
                json!({"original_message_id": self.leaf(), "message": {"type": "text", "text": self.anything(3)}})
            }
            "revoke" if self.often() => json!({"original_message_id": self.person()}),
            _ => self.anything(3),
        };
        match self.dice.random_range(0..4) {
            0 => message["from_user_id"] = json!(format!("US.{}", self.person())),
            1 => {}
            2 => message["from"] = json!(format!("+{}", self.person())),
            _ => message["from"] = json!(self.person()),
        }
        if self.rarely() {
            message["context"] = self.anything(2);
        }
        message
    }

    fn status(&mut self) -> Value {
        let words = [
            "sent",
            "delivered",
            "read",
            "played",
            "failed",
            "deleted",
            "captured",
            "",
        ];
        let word = *words.choose(&mut self.dice).expect("words");
        let mut status = json!({"id": format!("wamid.{}", self.person()), "status": word, "timestamp": 1_760_000_000,
            "recipient_id": self.person(), "pricing": {"category": self.leaf()}});
        if self.rarely() {
            status["type"] = json!("payment");
            status["payment"] = self.anything(2);
        }
        if word == "failed" {
            status["errors"] =
                json!([{"code": 131_047, "title": self.leaf()}, {"code": 1, "error_data": self.anything(1)}]);
        }
        status
    }

    /// A part of a history, as Meta sends it or otherwise.
    fn wave(&mut self) -> Value {
        let threads = self.list(
            |mix| json!({"id": mix.person(), "messages": mix.list(Self::message, 4), "beside": mix.anything(1)}),
            3,
        );
        if self.often() {
            json!({"metadata": {"phase": self.leaf()}, "threads": threads})
        } else {
            self.anything(2)
        }
    }

    fn list(&mut self, of: fn(&mut Self) -> Value, max: usize) -> Value {
        let count = self.dice.random_range(0..=max);
        (0..count).map(|_| of(self)).collect()
    }

    fn change(&mut self) -> Value {
        if self.rarely() {
            let echoes = self.list(Self::message, 4);
            return json!({"field": "smb_message_echoes", "value": {"metadata": {"display_phone_number": self.leaf(),
                "phone_number_id": "111"}, "message_echoes": echoes, "beside": self.anything(1)}});
        }
        if self.rarely() {
            let waves = self.list(Self::wave, 3);
            return json!({"field": "history", "value": {"metadata": {"display_phone_number": self.person(),
                "phone_number_id": "111"}, "history": waves}});
        }
        if self.rarely() {
            return json!({"field": "account_update", "value": self.anything(3)});
        }
        let mut value = json!({"messaging_product": "whatsapp"});
        if self.often() {
            value["metadata"] = json!({"display_phone_number": self.leaf(), "phone_number_id": "111"});
        }
        if self.often() {
            value["contacts"] = self.list(Self::contact, 4);
        }
        if self.often() {
            value["messages"] = self.list(Self::message, 5);
        }
        if self.often() {
            value["statuses"] = self.list(Self::status, 5);
        }
        for name in ["errors", "calls", "message_echoes", "never_heard_of"] {
            if self.rarely() {
                value[name] = self.anything(3);
            }
        }
        for name in ["messages", "contacts", "metadata", "statuses"] {
            if self.dice.random_bool(0.03) {
                value[name] = self.leaf();
            }
        }
        let mut change = json!({"field": "messages", "value": value});
        if self.rarely() {
            change["beside"] = self.anything(2);
        }
        change
    }

    fn entry(&mut self) -> Value {
        let mut entry = json!({"id": "900", "changes": self.list(Self::change, 3)});
        if self.rarely() {
            entry["time"] = json!(1_760_000_000);
        }
        if self.rarely() {
            entry["beside"] = self.anything(2);
        }
        entry
    }

    fn body(&mut self) -> Value {
        let mut body = json!({"object": "whatsapp_business_account", "entry": self.list(Self::entry, 3)});
        if self.rarely() {
            body["beside"] = self.anything(2);
        }
        body
    }
}

/// The texts that stand for themselves in a value.
fn leaves(value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::Array(elements) => elements.iter().for_each(|element| leaves(element, into)),
        Value::Object(fields) => fields.values().for_each(|field| leaves(field, into)),
        Value::String(text) => drop(into.insert(text.trim_start_matches("wamid.").to_owned())),
        other => drop(into.insert(other.to_string())),
    }
}

/// Returns all that is kept of a part as one JSON text, and the bytes that it takes.
pub(super) fn kept(part: &WebhookPart) -> (String, usize) {
    let with = |frame: &Option<Arc<str>>, list: &str, raw: &str, body: usize| {
        let bytes = raw.len() + body + frame.as_ref().map_or(0, |frame| frame.len());
        let whole = frame.as_ref().map(|frame| framed(frame, list, raw).expect("a frame"));
        (whole.unwrap_or_else(|| raw.to_owned()), bytes)
    };
    match part {
        WebhookPart::Message(message) => with(&message.frame, message.list(), &message.raw, message.body.len()),
        WebhookPart::Status(status) => with(&status.frame, "statuses", &status.raw, 0),
        WebhookPart::Other(other) => {
            let content = other.amends.as_ref().and_then(|amends| amends.content.as_ref());
            let bytes = other.raw.len() + content.map_or(0, |content| content.body.len());
            (other.raw.to_string(), bytes)
        }
    }
}

#[test]
fn every_leaf_of_a_body_is_in_a_part() {
    for seed in 0..2_000 {
        let mut mix = Mix {
            dice: StdRng::seed_from_u64(seed),
            leaves: 0,
        };
        let body = mix.body();
        let text = body.to_string();
        let parts = parse(&text);
        let mut found = BTreeSet::new();
        let mut bytes = 0;
        for part in &parts {
            let (whole, size) = kept(part);
            let value = serde_json::from_str(&whole).unwrap_or_else(|error| panic!("seed {seed}: {error}: {whole}"));
            leaves(&value, &mut found);
            bytes += size;
        }
        let mut sent = BTreeSet::new();
        leaves(&body["entry"], &mut sent);
        leaves(&body["beside"], &mut sent);
        sent.remove("null");
        let lost: Vec<_> = sent.difference(&found).collect();
        assert!(lost.is_empty(), "seed {seed}: {lost:?} of {text}");
        let max = 3 * text.len() + parts.len() * SIGNS_BYTES;
        assert!(bytes <= max, "seed {seed}: {bytes} bytes of {}", text.len());
    }
}

#[test]
fn a_message_takes_the_contact_of_its_own_person() {
    let body = with_value(
        r#""contacts":[{"wa_id":"1","profile":{"name":"One"}},{"user_id":"US.2","profile":{"name":"Two"}},{"wa_id":"3"}],
        "messages":[{"id":"a","from":"+1"},{"id":"b","from_user_id":"US.2"},{"id":"c","from":"1"},{"id":"d","from":"4"}]"#,
    );
    let parts = parse(&body);
    let contacts: Vec<_> = parts
        .iter()
        .filter_map(|part| match part {
            WebhookPart::Message(message) => Some(contact_in(message.frame.as_deref().expect("a frame"))),
            _ => None,
        })
        .collect();
    let one = Some(r#"{"wa_id":"1","profile":{"name":"One"}}"#);
    let two = Some(r#"{"user_id":"US.2","profile":{"name":"Two"}}"#);
    assert_eq!(contacts, [one, two, one, None]);
    let [.., WebhookPart::Other(rest)] = parts.as_slice() else {
        panic!("{parts:?}");
    };
    assert_eq!(rest.problem, None);
    assert!(rest.raw.contains(r#""contacts":[{"wa_id":"3"}]"#), "{}", rest.raw);
    assert!(!rest.raw.contains("One"), "{}", rest.raw);
}

#[test]
fn a_long_contact_of_many_messages_is_kept_with_the_first_ones() {
    let name = "x".repeat(100_000);
    let messages: Vec<String> = (0..500).map(|n| format!(r#"{{"id":"{n}","from":"1"}}"#)).collect();
    let body = with_value(&format!(
        r#""contacts":[{{"wa_id":"1","profile":{{"name":"{name}"}}}}],"messages":[{}]"#,
        messages.join(",")
    ));
    let parts = parse(&body);
    let bytes: usize = parts.iter().map(|part| kept(part).1).sum();
    assert!(bytes <= 3 * body.len(), "{bytes} bytes of {}", body.len());
    assert!(parts.iter().any(|part| kept(part).0.contains(&name)));
    assert!(matches!(&parts[0], WebhookPart::Message(message) if message.frame.is_some()));
}

#[test]
fn what_is_said_twice_under_one_name_is_kept_twice() {
    let body = with_value(r#""messages":[{"id":"a"}],"messages":[{"id":"b"}]"#);
    let parts = parse(&body);
    let [WebhookPart::Message(message), WebhookPart::Other(rest)] = parts.as_slice() else {
        panic!("{parts:?}");
    };
    assert_eq!(message.wamid.as_str(), "b");
    assert!(rest.raw.contains(r#""messages":[{"id":"a"}]"#), "{}", rest.raw);
}

#[test]
fn payments_and_historic_statuses_are_events_and_no_failures() {
    for status in [
        r#"{"id":"w","status":"failed","type":"payment","payment":{"reference_id":"r"}}"#,
        r#"{"id":"w","status":"captured","type":"payment"}"#,
        r#"{"id":"w","status":"deleted"}"#,
        r#"{"id":"w","status":"warning"}"#,
        r#"{"id":"w","status":"on_the_moon"}"#,
    ] {
        let part = other(&with_value(&format!(r#""statuses":[{status}]"#)));
        assert_eq!(part.problem, None);
        assert!(
            part.raw.contains(&format!(r#""statuses":[{status}]}}}}]}}"#)),
            "{}",
            part.raw
        );
    }
    let of_message = status(&with_value(
        r#""statuses":[{"id":"w","status":"sent","type":"message"}]"#,
    ));
    assert_eq!(of_message.status, EvidenceStatus::Sent);
}
