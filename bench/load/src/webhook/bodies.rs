//! The bodies: one inbound message each, or batches of messages and statuses of many tenants in Meta's nesting.

use std::collections::BTreeMap;

use aws_lc_rs::hmac;
use bytes::Bytes;
use http::HeaderValue;
use rand::SeedableRng as _;
use rand::seq::SliceRandom as _;
use serde_json::{Value, json};

use crate::graph_peer::Call;
use crate::receiver_peer::TIMED;
use crate::sends::RECIPIENT_BASE;
use crate::tenants::Tenant;

/// How far behind its first copy a second one is posted, in bodies: sometimes while the first is still being stored.
const DUPLICATE_DISTANCE: usize = 40;
const STATUSES: [&str; 2] = ["delivered", "read"];

/// A body that is ready to be posted.
#[derive(Clone)]
pub(super) struct SignedBody {
    pub(super) bytes: Bytes,
    /// The value of `X-Hub-Signature-256`.
    pub(super) signature: HeaderValue,
    /// Messages and statuses in it.
    pub(super) events: usize,
}

/// What bodies are made of.
pub(super) struct Plan<'a> {
    pub(super) tenants: &'a [Tenant],
    pub(super) secret: &'a [u8],
    /// Events in one body.
    pub(super) per_post: usize,
}

/// A message or status, and the number it belongs to.
struct Event {
    phone_number_id: String,
    list: &'static str,
    value: Value,
}

impl Plan<'_> {
    /// Bodies with `messages` inbound messages and the statuses of all `calls`. Messages and statuses are mixed at
    /// random, but in the same way for every contender.
    pub(super) fn bodies(&self, messages: usize, name: &str, calls: &[Call], twice: bool) -> Vec<SignedBody> {
        let mut events: Vec<Event> = (0..messages).map(|index| self.message(index, name)).collect();
        for call in calls {
            events.extend(STATUSES.map(|status| status_event(call, status)));
        }
        if self.per_post > 1 || !calls.is_empty() {
            events.shuffle(&mut rand::rngs::StdRng::seed_from_u64(11));
        }
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.secret);
        let bodies: Vec<SignedBody> = events
            .chunks(self.per_post)
            .map(|events| signed(events, &key))
            .collect();
        if twice { interleave(&bodies) } else { bodies }
    }

    fn message(&self, index: usize, name: &str) -> Event {
        let tenant = &self.tenants[index % self.tenants.len()];
        inbound(
            &tenant.phone_number_id,
            index as u64,
            &format!("wamid.{name}{index:010}"),
        )
    }
}

/// A body with one message, which tells when it was due.
pub(super) fn timed_body(phone_number_id: &str, due_us: u64, index: u64, key: &hmac::Key) -> SignedBody {
    signed(
        &[inbound(phone_number_id, index, &format!("{TIMED}{due_us}-{index}"))],
        key,
    )
}

fn inbound(phone_number_id: &str, index: u64, wamid: &str) -> Event {
    Event {
        phone_number_id: phone_number_id.to_owned(),
        list: "messages",
        value: json!({
            "from": (RECIPIENT_BASE + index).to_string(),
            "id": wamid,
            "timestamp": now_text(),
            "type": "text",
            "text": { "body": format!("Where is my parcel {index}?") },
        }),
    }
}

fn status_event(call: &Call, status: &str) -> Event {
    let mut value = json!({
        "id": call.wamid,
        "status": status,
        "timestamp": now_text(),
        "recipient_id": call.recipient.to_string(),
    });
    if let Some(opaque) = &call.opaque {
        value["biz_opaque_callback_data"] = json!(opaque);
    }
    Event {
        phone_number_id: call.phone_number_id.clone(),
        list: "statuses",
        value,
    }
}

fn now_text() -> String {
    jiff::Timestamp::now().as_second().to_string()
}

/// One entry per number, one change in each, as Meta groups what it has for several accounts.
fn signed(events: &[Event], key: &hmac::Key) -> SignedBody {
    let mut by_number: BTreeMap<&str, BTreeMap<&str, Vec<&Value>>> = BTreeMap::new();
    for event in events {
        by_number
            .entry(&event.phone_number_id)
            .or_default()
            .entry(event.list)
            .or_default()
            .push(&event.value);
    }
    let entries: Vec<Value> = by_number
        .into_iter()
        .map(|(number, lists)| entry(number, lists))
        .collect();
    let body = json!({ "object": "whatsapp_business_account", "entry": entries }).to_string();
    let signature = format!("sha256={}", hex::encode(hmac::sign(key, body.as_bytes())));
    SignedBody {
        bytes: body.into(),
        signature: HeaderValue::from_str(&signature).expect("hex digits are a header value"),
        events: events.len(),
    }
}

fn entry(number: &str, lists: BTreeMap<&str, Vec<&Value>>) -> Value {
    let mut value = json!({
        "messaging_product": "whatsapp",
        "metadata": { "display_phone_number": number, "phone_number_id": number },
    });
    if let Some(messages) = lists.get("messages") {
        let contact = |message: &&Value| json!({ "profile": { "name": "A customer" }, "wa_id": message["from"] });
        value["contacts"] = messages.iter().map(contact).collect();
    }
    for (list, events) in lists {
        value[list] = json!(events);
    }
    json!({ "id": "200000000000000", "changes": [{ "field": "messages", "value": value }] })
}

fn interleave(bodies: &[SignedBody]) -> Vec<SignedBody> {
    let mut all = Vec::with_capacity(bodies.len() * 2);
    for index in 0..bodies.len() + DUPLICATE_DISTANCE {
        all.extend(bodies.get(index).cloned());
        all.extend(
            index
                .checked_sub(DUPLICATE_DISTANCE)
                .and_then(|first| bodies.get(first))
                .cloned(),
        );
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenants() -> Vec<Tenant> {
        let tenant = |number: u64| json!({ "tenantId": "t", "phoneNumberId": number.to_string(), "apiKey": "k" });
        serde_json::from_value(json!([tenant(1), tenant(2), tenant(3)])).expect("tenants")
    }

    fn call(number: u64) -> Call {
        Call {
            recipient: number,
            at_us: 0,
            phone_number_id: "2".into(),
            wamid: format!("w{number}"),
            opaque: None,
        }
    }

    #[test]
    fn every_event_is_in_exactly_one_body_and_signed() {
        let tenants = tenants();
        let plan = Plan {
            tenants: &tenants,
            secret: b"secret",
            per_post: 7,
        };
        let bodies = plan.bodies(20, "x", &[call(1), call(2)], false);
        assert_eq!(bodies.iter().map(|body| body.events).sum::<usize>(), 24);
        let (mut messages, mut statuses) = (0, 0);
        for body in &bodies {
            let key = hmac::Key::new(hmac::HMAC_SHA256, b"secret");
            let tag = hex::decode(&body.signature.to_str().expect("text")["sha256=".len()..]).expect("hex");
            hmac::verify(&key, &body.bytes, &tag).expect("the signature holds");
            let body: Value = serde_json::from_slice(&body.bytes).expect("JSON");
            for entry in body["entry"].as_array().expect("entries") {
                let value = &entry["changes"][0]["value"];
                messages += value["messages"].as_array().map_or(0, Vec::len);
                statuses += value["statuses"].as_array().map_or(0, Vec::len);
            }
        }
        assert_eq!((messages, statuses), (20, 4));
    }

    #[test]
    fn duplicates_come_after_their_first_copies() {
        let tenants = tenants();
        let plan = Plan {
            tenants: &tenants,
            secret: b"secret",
            per_post: 1,
        };
        let bodies = plan.bodies(100, "x", &[], true);
        assert_eq!(bodies.len(), 200);
        let mut seen = std::collections::HashMap::new();
        for body in bodies {
            *seen.entry(body.bytes).or_insert(0) += 1;
        }
        assert!(seen.len() == 100 && seen.values().all(|count| *count == 2));
    }
}
