//! Messages that the business wrote elsewhere, and those written in groups.

use dakghar_core::domain::conversation::ConversationKind;
use dakghar_core::domain::message::{Direction, Origin, ReportedStatus, SentStatus};
use dakghar_core::domain::standing::Wave;
use dakghar_core::domain::webhook::framed;
use serde_json::{Value, json};

use super::*;

fn with_field(field: &str, lists: &Value) -> String {
    let mut value = json!({"messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "+1 (555) 078-3881", "phone_number_id": "111"}});
    for (name, list) in lists.as_object().expect("lists") {
        value[name] = list.clone();
    }
    with_change(&json!({"field": field, "value": value}).to_string())
}

fn text(id: &str, more: &Value) -> Value {
    let mut message = json!({"id": id, "timestamp": "1760000000", "type": "text", "text": {"body": id}});
    for (name, value) in more.as_object().expect("members") {
        message[name] = value.clone();
    }
    message
}

fn messages(parts: &[WebhookPart]) -> Vec<&InboundMessage> {
    let messages = parts.iter().filter_map(|part| match part {
        WebhookPart::Message(message) => Some(message),
        _ => None,
    });
    messages.collect()
}

#[test]
fn an_echo_was_written_by_the_business_to_a_person() {
    let echo = text("wamid.E1", &json!({"from": "15550783881", "to": "+16505550101"}));
    let hidden = text("wamid.E2", &json!({"from": "15550783881", "to_user_id": "US.7"}));
    let body = with_field("smb_message_echoes", &json!({"message_echoes": [echo, hidden]}));
    let parts = parse(&body);
    let [first, second] = messages(&parts)[..] else {
        panic!("{parts:?}")
    };
    assert_eq!(parts.len(), 2);
    assert_eq!(
        (first.origin, first.direction()),
        (Origin::BusinessApp, Direction::Outbound)
    );
    assert_eq!(first.status, ReportedStatus::Sent(SentStatus::Sent));
    assert_eq!(first.peer.as_deref(), Some("+16505550101"));
    assert_eq!(first.peer_id.as_ref().map(WaId::as_str), Some("16505550101"));
    assert_eq!(
        (second.peer.as_deref(), second.peer_id.as_ref().map(WaId::as_str)),
        (None, Some("US.7"))
    );
    let whole = framed(first.frame.as_deref().expect("a frame"), first.list(), &first.raw).expect("framed");
    let whole: Value = serde_json::from_str(&whole).expect("JSON");
    assert_eq!(whole["changes"][0]["field"], "smb_message_echoes");
    assert_eq!(whole["changes"][0]["value"]["message_echoes"], json!([echo]));
}

#[test]
fn an_echo_may_be_revoked_in_the_app() {
    let revoke = json!({"from": "15550783881", "to": "16505550101", "id": "wamid.R", "timestamp": "1760000000",
        "type": "revoke", "revoke": {"original_message_id": "wamid.E1"}});
    let part = other(&with_field("smb_message_echoes", &json!({"message_echoes": [revoke]})));
    assert_eq!(
        part.amends.map(|amends| amends.of.to_string()).as_deref(),
        Some("wamid.E1")
    );
    assert!(part.raw.contains(r#""message_echoes":[{"#), "{}", part.raw);
}

#[test]
fn echoes_without_a_list_and_those_of_other_apps_are_kept_as_before() {
    for (field, lists) in [
        ("smb_message_echoes", json!({"news": 1})),
        (
            "message_echoes",
            json!({"message_echoes": [text("wamid.1", &json!({"to": "1"}))]}),
        ),
        ("history", json!({"messages": [text("wamid.1", &json!({"from": "1"}))]})),
        ("history", json!({"history": 7})),
    ] {
        let part = other(&with_field(field, &lists));
        assert_eq!(&*part.field, field);
        assert!(lists.to_string().contains("news") || part.raw.contains(lists.to_string().trim_matches(['{', '}'])));
    }
}

/// The waves of a history, with the messages of its threads or without.
fn waves(with_messages: bool) -> Value {
    let past =
        |id: &str, from: &str, status: &str| text(id, &json!({"from": from, "history_context": {"status": status}}));
    let (person, own) = ("16505550101", "15550783881");
    let first = json!([past("wamid.H1", person, "READ"), past("wamid.H2", own, "DELIVERED"), {"no": "id"}]);
    let mut read = past("wamid.H3", own, "PLAYED");
    read["to"] = json!(person);
    let second = json!([read, past("wamid.H4", own, "ERROR")]);
    let mut waves = json!([
        {"metadata": {"phase": 0, "chunk_order": 1, "progress": 55}, "threads": [
            {"id": person},
            {"id": "16505550102", "context": {"wa_id": "x"}},
            {"id": "16505550103", "messages": "none"},
        ]},
        {"errors": [{"code": 2_593_109}]},
    ]);
    if with_messages {
        waves[0]["threads"][0]["messages"] = first;
        waves[0]["threads"][1]["messages"] = second;
    }
    waves
}

#[test]
fn the_messages_of_a_history_are_of_both_sides() {
    let parts = parse(&with_field("history", &json!({"history": waves(true)})));
    let found: Vec<_> = messages(&parts)
        .iter()
        .map(|message| {
            let peer = message.peer_id.as_ref().map_or("", WaId::as_str);
            (message.wamid.as_str(), message.status, peer)
        })
        .collect();
    let sent = ReportedStatus::Sent;
    let expected = [
        ("wamid.H1", ReportedStatus::Received, "16505550101"),
        ("wamid.H2", sent(SentStatus::Delivered), "16505550101"),
        ("wamid.H3", sent(SentStatus::Read), "16505550101"),
        ("wamid.H4", sent(SentStatus::Sent), "16505550102"),
    ];
    assert_eq!(found, expected);
    let mut all = messages(&parts).into_iter();
    assert!(all.all(|message| message.origin == Origin::History));
}

#[test]
fn what_else_the_waves_of_a_history_say_is_one_event() {
    let parts = parse(&with_field("history", &json!({"history": waves(true)})));
    let others: Vec<_> = parts
        .iter()
        .filter_map(|part| match part {
            WebhookPart::Other(other) => Some(other),
            _ => None,
        })
        .collect();
    let [malformed, event] = others[..] else {
        panic!("{parts:?}")
    };
    assert_eq!(&*malformed.raw, r#"{"no":"id"}"#);
    let first = Wave {
        phase: Some(0),
        chunk: Some(1),
        progress: Some(55),
        messages: 4,
        is_declined: false,
    };
    let declined = Wave {
        is_declined: true,
        ..Wave::default()
    };
    assert_eq!(event.waves, [first, declined]);
    assert!(malformed.waves.is_empty());
    assert!(malformed.problem.is_some());
    let raw: Value = serde_json::from_str(&event.raw).expect("JSON");
    assert_eq!(raw["changes"][0]["value"]["history"], waves(false));
    let number = event.phone_number_id.as_ref().map(PhoneNumberId::as_str);
    assert_eq!((&event.problem, number, &*event.field), (&None, Some("111"), "history"));
}

#[test]
fn a_message_in_a_group_belongs_to_the_group_and_names_who_wrote_it() {
    for (who, sender) in [
        (
            json!({"from": "16505550101", "from_user_id": "US.1"}),
            Some("16505550101"),
        ),
        (json!({"from_user_id": "US.1"}), Some("US.1")),
        (json!({}), None),
    ] {
        let mut written = text("wamid.G1", &who);
        written["group_id"] = json!("Y2FwaV9ncm91cDox");
        let message = message(&with_field("messages", &json!({"messages": [written]})));
        assert_eq!(message.conversation_kind, ConversationKind::Group);
        assert_eq!(message.peer.as_deref(), Some("Y2FwaV9ncm91cDox"));
        assert_eq!(message.peer_id.as_ref().map(WaId::as_str), Some("Y2FwaV9ncm91cDox"));
        assert_eq!(message.sender.as_deref(), sender);
    }
    let mut odd = text("wamid.G2", &json!({"from": "16505550101"}));
    odd["group_id"] = json!("not a key");
    let message = message(&with_field("messages", &json!({"messages": [odd]})));
    assert_eq!(
        (message.conversation_kind, message.peer_id),
        (ConversationKind::Group, None)
    );
    let private = super::message(&with_field(
        "messages",
        &json!({"messages": [text("wamid.P", &json!({"from": "1"}))]}),
    ));
    assert_eq!(
        (private.conversation_kind, private.sender),
        (ConversationKind::Person, None)
    );
}
