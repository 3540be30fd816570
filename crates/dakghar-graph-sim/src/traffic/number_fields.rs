//! Fields whose value names the number they are about.

use serde_json::{Value, json};

use super::kind::Kind;
use super::maker::Maker;
use super::part::Part;
use super::statuses::error;

pub(super) const KINDS: &[Kind] = &[
    Kind::of_number("message_echoes", "message_echoes", echoes),
    Kind::of_number("smb_message_echoes", "smb_message_echoes", echoes),
    Kind::of_number(
        "smb_app_state_sync",
        "smb_app_state_sync",
        |m| json!({"state_sync": [contact_of_the_app(m, "add"), contact_of_the_app(m, "remove")]}),
    ),
    Kind::of_number("call_connect", "calls", |m| {
        json!({"calls": [{"id": m.id("wacid."), "event": "connect", "direction": "USER_INITIATED", "from": "16505550001",
            "timestamp": m.timestamp(), "session": {"sdp_type": "offer", "sdp": m.words("v=0\r\no=- ")}}]})
    }),
    Kind::of_number("call_terminate", "calls", |m| {
        json!({"calls": [{"id": m.id("wacid."), "event": "terminate", "status": m.one_of(&["COMPLETED", "FAILED"]),
            "timestamp": m.timestamp(), "start_time": m.timestamp(), "duration": m.below(600)}],
            "errors": [error(m, 138_021)]})
    }),
    Kind::of_number("call_status", "calls", |m| {
        json!({"statuses": [{"id": m.id("wacid."), "type": "call", "status": m.one_of(&["RINGING", "ACCEPTED", "REJECTED"]),
            "timestamp": m.timestamp(), "recipient_id": "16505550001"}]})
    }),
    Kind::of_number("user_preferences", "user_preferences", |m| {
        let person = m.person();
        json!({"contacts": [m.contact(&person)], "user_preferences": [{"wa_id": person.wa_id, "user_id": person.user_id,
            "detail": m.words("User asked for it"), "category": "marketing_messages", "timestamp": m.seconds(),
            "value": m.one_of(&["stop", "resume"])}]})
    }),
    Kind::of_number("user_id_update", "user_id_update", |m| {
        json!({"user_id_update": [{"wa_id": "16505550001", "user_id": m.id("US."), "previous_user_id": m.id("US."),
            "timestamp": m.timestamp()}]})
    }),
    Kind::of_number("group_lifecycle_update", "group_lifecycle_update", |m| {
        let mut group = group(m, "group_create");
        group["subject"] = json!(m.words("Group"));
        group["invite_link"] = json!(m.id("https://chat.example/"));
        json!({"groups": [group]})
    }),
    Kind::of_number("group_settings_update", "group_settings_update", |m| {
        let mut group = group(m, "group_settings_update");
        group["group_subject"] = json!({"text": m.words("New name"), "update_successful": true});
        json!({"groups": [group]})
    }),
    Kind::of_number("group_participants_update", "group_participants_update", |m| {
        let mut group = group(m, "group_participants_add");
        // Here the id of a person is a JSON number, as in Meta's own samples.
        group["added_participants"] = json!([{"wa_id": 16_505_550_001_u64}, {"user_id": m.id("US.")}]);
        group["failed_participants"] = json!([{"wa_id": "16505550002", "errors": [error(m, 131_026)]}]);
        json!({"groups": [group]})
    }),
    Kind::of_number("group_status_update", "group_status_update", |m| {
        let group = group(m, "group_suspend");
        json!({"groups": [group]})
    }),
    Kind::of_number("standby_messages", "standby", |m| standby(m, "messages")),
    Kind::of_number("standby_echoes", "standby", |m| standby(m, "message_echoes")),
    Kind::of_number(
        "standby_statuses",
        "standby",
        |m| json!({"standby": {"statuses": [{"id": m.wamid(), "status": "read", "timestamp": m.timestamp()}]}}),
    ),
    Kind::of_number(
        "messaging_handovers",
        "messaging_handovers",
        |m| json!({"messaging_handovers": [{"type": "control_passed", "reason": m.words("asked for a person")}]}),
    ),
    Kind::of_number(
        "consumer_profile",
        "consumer_profile",
        |m| json!({"consumer_profile": {"name": m.words("Ana"), "user_id": m.id("US.")}}),
    ),
    Kind::of_number("automatic_events", "automatic_events", |m| {
        json!({"automatic_events": [{"id": m.wamid(), "event_name": "Purchase", "timestamp": m.timestamp(),
            "custom_data": {"currency": "USD", "value": 25_000, "note": m.words("lead")}}]})
    }),
    Kind::of_number(
        "unknown_field_of_a_number",
        "tea_leaves",
        |m| json!({"tea_leaves": [m.words("future"), {"cup": m.id("cup")}]}),
    ),
    Kind::parts("unknown_list", "messages", |m| {
        vec![Part::Element {
            list: "smoke_signals",
            element: json!({"id": m.id("smoke"), "shape": m.words("ring")}),
            contact: None,
        }]
    }),
    Kind::parts("dashboard_sample", "messages", |m| {
        let body = m.words("this is a text message");
        vec![Part::Sample {
            value: json!({"messaging_product": "whatsapp",
                "metadata": {"display_phone_number": "16505551111", "phone_number_id": "123456123"},
                "contacts": [{"profile": {"name": "test user name"}, "wa_id": "16315551181"}],
                "messages": [{"from": "16315551181", "id": m.wamid(), "timestamp": "1504902988", "type": "text",
                    "text": {"body": body}}]}),
        }]
    }),
];

fn echoes(m: &mut Maker) -> Value {
    let person = m.person();
    let mut echo = json!({"from": m.number().display_phone_number.clone(), "id": m.wamid(), "timestamp": m.timestamp(),
        "type": "text", "text": {"body": m.words("sent from the app")}});
    if let Some(wa_id) = person.wa_id {
        echo["to"] = json!(wa_id);
    }
    if let Some(user_id) = person.user_id {
        echo["to_user_id"] = json!(user_id);
    }
    json!({"message_echoes": [echo]})
}

fn standby(m: &mut Maker, list: &str) -> Value {
    json!({"standby": {list: [{"from": "16505550001", "id": m.wamid(), "timestamp": m.timestamp(), "type": "text",
        "text": {"body": m.words("seen by another")}}]}})
}

fn group(m: &mut Maker, kind: &str) -> Value {
    json!({"timestamp": m.timestamp(), "group_id": m.id("Y2FwaV9ncm91cDox"), "type": kind, "request_id": m.id("req")})
}

fn contact_of_the_app(m: &mut Maker, action: &str) -> Value {
    json!({"type": "contact", "action": action, "metadata": {"timestamp": m.timestamp()},
        "contact": {"full_name": m.words("Full"), "first_name": m.words("First"), "phone_number": "+16505550003"}})
}
