//! The contents of the WhatsApp Business app of a number: its contacts, and its messages in three phases, each in chunks. The same plan
//! gives the same messages each time.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Value, json};

use super::packing::Packing;
use super::part::{Part, metadata_of};
use crate::biz_app::AppPlan;
use crate::number::Number;

/// Contacts in one webhook.
const CONTACTS_AT_ONCE: u32 = 100;
/// The phases, and how old their messages are at most, in seconds.
const PHASES: [i64; 3] = [86_400, 90 * 86_400, 180 * 86_400];

/// A body, and the number of updates in it.
pub(crate) type Told = (Bytes, usize);

/// The contacts of the app.
pub(crate) fn contacts(number: &Number, plan: AppPlan, now_seconds: i64) -> Vec<Told> {
    let all: Vec<u32> = (0..plan.contacts).collect();
    let bodies = all.chunks(CONTACTS_AT_ONCE as usize).map(|some| {
        let synced = some.iter().map(|person| {
            json!({"type": "contact", "action": "add",
                "contact": {"full_name": format!("Contact {person}"), "first_name": "Contact", "phone_number": person_of(*person)},
                "metadata": {"timestamp": (now_seconds - i64::from(*person)).to_string()}})
        });
        let value = json!({"messaging_product": "whatsapp", "metadata": metadata_of(number),
            "state_sync": synced.collect::<Vec<Value>>()});
        told(number, "smb_app_state_sync", value, now_seconds)
    });
    bodies.collect()
}

/// The history of the app, or Meta's word that its owner does not share it.
pub(crate) fn history(number: &Number, plan: AppPlan, now_seconds: i64) -> Vec<Told> {
    if plan.is_declined {
        let declined = json!([{"errors": [{"code": 2_593_109, "title": "History sync is turned off",
            "message": "History sync is turned off by the business from the WhatsApp Business App",
            "error_data": {"details": "History sharing is turned off by the business"}}]}]);
        return vec![wave(number, &declined, now_seconds)];
    }
    let all: Vec<u32> = (0..plan.messages).collect();
    let of_phase = all.len().div_ceil(PHASES.len()).max(1);
    let mut bodies = Vec::new();
    let mut sent = 0;
    for (phase, oldest) in PHASES.iter().enumerate() {
        let from = (phase * of_phase).min(all.len());
        let until = (from + of_phase).min(all.len());
        let mut chunks: Vec<&[u32]> = all[from..until].chunks(plan.chunk as usize).collect();
        if chunks.is_empty() {
            chunks.push(&[]);
        }
        let last = chunks.len();
        for (order, chunk) in chunks.into_iter().enumerate() {
            sent += chunk.len();
            let is_last = phase + 1 == PHASES.len() && order + 1 == last;
            let progress = if is_last {
                100
            } else {
                (100 * sent / all.len().max(1)).min(99)
            };
            let metadata = json!({"phase": phase, "chunk_order": order + 1, "progress": progress});
            let threads = threads(number, plan, chunk, now_seconds - oldest);
            let waves = json!([{"metadata": metadata, "threads": threads}]);
            bodies.push(wave(number, &waves, now_seconds));
        }
    }
    bodies
}

/// The messages of a chunk by the people with whom they were exchanged.
fn threads(number: &Number, plan: AppPlan, chunk: &[u32], from_seconds: i64) -> Vec<Value> {
    let mut by_person: BTreeMap<u32, Vec<Value>> = BTreeMap::new();
    for index in chunk {
        let person = index % plan.people;
        by_person
            .entry(person)
            .or_default()
            .push(message(number, person, *index, from_seconds));
    }
    let threads = by_person.into_iter();
    threads
        .map(|(person, messages)| json!({"id": person_of(person), "messages": messages}))
        .collect()
}

fn message(number: &Number, person: u32, index: u32, from_seconds: i64) -> Value {
    let (business, person) = (number.display_phone_number.clone(), person_of(person));
    let is_own = index % 2 == 1;
    let (from, to) = if is_own {
        (&business, &person)
    } else {
        (&person, &business)
    };
    let id = STANDARD.encode(format!("history {} {index}", number.phone_number_id));
    json!({"from": from, "to": to, "id": format!("wamid.{id}"), "type": "text",
        "timestamp": (from_seconds + i64::from(index % 3_600) + 60).to_string(),
        "text": {"body": format!("long ago {index}")},
        "history_context": {"status": if is_own { "READ" } else { "DELIVERED" }}})
}

fn person_of(person: u32) -> String {
    format!("1650{person:07}")
}

fn wave(number: &Number, waves: &Value, now_seconds: i64) -> Told {
    let value = json!({"messaging_product": "whatsapp", "metadata": metadata_of(number), "history": waves});
    told(number, "history", value, now_seconds)
}

/// Meta's word that the number, or its account, is not connected with the app any more, or again.
pub(crate) fn partner_event(number: &Number, event: &str, now_seconds: i64) -> Told {
    let value = json!({"event": event, "waba_info": {"waba_id": number.waba_id, "owner_business_id": "1"},
        "disconnection_info": {"reason": "BUSINESS_APP", "initiated_by": "USER"}});
    let part = Part::Change {
        field: "account_update",
        value,
        is_timed: true,
    };
    packed(number, part, now_seconds)
}

/// A message that the business typed in its app.
pub(crate) fn echo(number: &Number, to: &str, text: &str, id: &str, now_seconds: i64) -> Told {
    let value = json!({"messaging_product": "whatsapp", "metadata": metadata_of(number),
        "message_echoes": [{"from": number.display_phone_number, "to": to, "id": id, "timestamp": now_seconds.to_string(),
            "type": "text", "text": {"body": text}}]});
    told(number, "smb_message_echoes", value, now_seconds)
}

fn told(number: &Number, field: &'static str, value: Value, now_seconds: i64) -> Told {
    let part = Part::Change {
        field,
        value,
        is_timed: true,
    };
    packed(number, part, now_seconds)
}

fn packed(number: &Number, part: Part, now_seconds: i64) -> Told {
    let mut packing = Packing::at(now_seconds);
    packing.add(number, part, true, true);
    (Bytes::from(packing.into_body()), 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bodies(plan: AppPlan) -> Vec<Value> {
        let told = history(&Number::derived("501"), plan, 1_760_000_000);
        let read = told.iter().map(|(body, _)| serde_json::from_slice(body).unwrap());
        read.map(|body: Value| body["entry"][0]["changes"][0]["value"]["history"][0].clone())
            .collect()
    }

    #[test]
    fn a_history_has_three_phases_and_as_many_messages_as_the_plan() {
        for messages in [0, 1, 2, 10, 1_000] {
            let plan = AppPlan {
                messages,
                chunk: 7,
                ..AppPlan::default()
            };
            let waves = bodies(plan);
            let mut phases: Vec<u64> = waves
                .iter()
                .filter_map(|wave| wave["metadata"]["phase"].as_u64())
                .collect();
            phases.dedup();
            assert_eq!(phases, [0, 1, 2]);
            let progress: Vec<u64> = waves
                .iter()
                .filter_map(|wave| wave["metadata"]["progress"].as_u64())
                .collect();
            assert!(progress.is_sorted() && progress.iter().filter(|done| **done == 100).count() == 1);
            let threads = waves.iter().filter_map(|wave| wave["threads"].as_array()).flatten();
            let found: usize = threads
                .filter_map(|thread| thread["messages"].as_array())
                .map(Vec::len)
                .sum();
            assert_eq!(found, messages as usize);
        }
    }

    #[test]
    fn one_that_is_not_shared_says_so() {
        let declined = bodies(AppPlan {
            is_declined: true,
            ..AppPlan::default()
        });
        assert_eq!(declined.len(), 1);
        assert_eq!(declined[0]["errors"][0]["code"], 2_593_109);
    }
}
