//! What Meta would have posted, made of entries of a feed.

use std::sync::Arc;

use dakghar_core::app::{self, EntryData, FeedItem, GatewayIds, OwnCallbackData, is_posted_by_meta};
use dakghar_core::domain::feed::{FeedEntry, Place};
use dakghar_core::domain::message::{EvidenceStatus, Message, Status, StatusRecord};
use dakghar_core::domain::webhook::{EventReason, WebhookEvent};
use dakghar_core::domain::{AmendedMessage, MessageId};
use dakghar_testkit::samples::{self, With as _};
use serde_json::{Value, json};

/// Ours, by its form.
const OURS: &str = "v2.msg_00000000000000000000000001.1.ten_00000000000000000000000001.AAAAAAAAAAAAAAAA";
const FRAME: &str = r#"{"id":"900","changes":[{"field":"messages","value":{"metadata":{"phone_number_id":"111"}}}]}"#;

fn meta_body<'a>(items: impl IntoIterator<Item = &'a FeedItem>) -> Option<String> {
    app::meta_body(items, &OwnCallbackData::new(), &GatewayIds::new())
}

fn item(entry: FeedEntry, data: EntryData) -> FeedItem {
    FeedItem {
        place: Place::parse("1").expect("made up well"),
        entry,
        data,
    }
}

fn amended(message: &Message) -> Box<AmendedMessage> {
    Box::new(AmendedMessage {
        message: message.clone(),
        amendments: Vec::new(),
    })
}

fn event(field: &str, problem: Option<&str>, raw: &str) -> FeedItem {
    let event = WebhookEvent {
        reason: EventReason::Malformed,
        field: field.into(),
        problem: problem.map(Arc::from),
        raw: raw.into(),
        amends: None,
        ..samples::event(samples::tenant_id())
    };
    item(
        FeedEntry::of_event(&event).expect("made up well"),
        EntryData::Event(Box::new(event)),
    )
}

/// The entries of the body.
fn entries(items: &[FeedItem]) -> Vec<Value> {
    let body: Value = serde_json::from_str(&meta_body(items).expect("a body")).expect("made up well");
    assert_eq!(body["object"], "whatsapp_business_account");
    assert_eq!(body.as_object().expect("made up well").len(), 2);
    body["entry"].as_array().expect("made up well").clone()
}

fn report(message: &Message, raw: &str, frame: Option<&str>) -> FeedItem {
    let record = StatusRecord {
        raw: raw.into(),
        frame: frame.map(Arc::from),
        ..samples::status_record(message.key(), EvidenceStatus::Sent)
    };
    let data = EntryData::Report(Box::new(record.clone()), Some(amended(message)));
    item(FeedEntry::of_report(&record), data)
}

#[test]
fn what_we_do_ourselves_is_never_posted() {
    let message = samples::outbound(samples::tenant_id());
    for status in [
        Status::Dead,
        Status::Sent,
        Status::Expired,
        Status::Cancelled,
        Status::InDoubt,
    ] {
        let message = message.clone().with(|message| message.delivery.status = status);
        let entry = FeedEntry::of_change(&message, Status::Sending).expect("made up well");
        assert!(!is_posted_by_meta(&entry), "{status:?}");
        let change = item(entry, EntryData::Message(amended(&message)));
        assert_eq!(meta_body([&change]), None, "{status:?}");
        let told = event(
            "account_update",
            None,
            r#"{"id":"9","changes":[{"field":"account_update"}]}"#,
        );
        assert_eq!(entries(&[change, told]).len(), 1, "beside others it is left out");
    }
    let gone = item(FeedEntry::of_message(&message), EntryData::Gone);
    assert_eq!(meta_body([&gone]), None);
    assert_eq!(meta_body([]), None);
}

#[test]
fn the_tenants_own_callback_data_is_in_the_place_of_ours() {
    let own = samples::outbound(samples::tenant_id()).with(|message| {
        message.accepted.client_opaque = Some("theirs \"1\" é".into());
    });
    let none = samples::outbound(samples::tenant_id());
    let status = format!(r#"{{"id":"wamid.S","n":1.0e2,"biz_opaque_callback_data":"{OURS}","x":"caf\u00e9"}}"#);
    let body = meta_body([&report(&own, &status, Some(FRAME))]).expect("made up well");
    let expected = status.replace(&format!(r#""{OURS}""#), r#""theirs \"1\" é""#);
    assert!(body.contains(&expected), "{body}");
    let body = meta_body([&report(&none, &status, Some(FRAME))]).expect("made up well");
    assert!(
        body.contains(r#"[{"id":"wamid.S","n":1.0e2,"x":"caf\u00e9"}]"#),
        "{body}"
    );
    // Of a program that sent past us.
    for foreign in ["gw:1.1", "v2.other", ""] {
        let status = format!(r#"{{"id":"wamid.S","biz_opaque_callback_data":"{foreign}"}}"#);
        let body = meta_body([&report(&own, &status, Some(FRAME))]).expect("made up well");
        assert!(body.contains(&status), "{body}");
    }
}

/// A status of a payment is an event, and so is one that could not be read.
#[test]
fn an_event_holds_no_callback_data_of_ours() {
    let status = format!(r#"{{"id":"w","status":"captured","type":"payment","biz_opaque_callback_data":"{OURS}"}}"#);
    let whole = FRAME.replace("}}}]}", &format!(r#"}},"statuses":[{status}]}}}}]}}"#));
    let known = status.replace(&format!(r#","biz_opaque_callback_data":"{OURS}""#), "");
    let foreign = status.replace(OURS, "theirs");
    for (item, status) in [
        (event("messages", None, &whole), &known),
        (event("messages", Some("the status names no message"), &status), &known),
        (
            event("messages", Some("the status names no message"), &foreign),
            &foreign,
        ),
    ] {
        let entries = entries(&[item]);
        let found = &entries[0]["changes"][0]["value"]["statuses"];
        assert_eq!(
            *found,
            json!([serde_json::from_str::<Value>(status).expect("made up well")])
        );
    }
}

#[test]
fn an_event_gets_the_callback_data_of_its_message() {
    let status = format!(r#"{{"status":"captured","biz_opaque_callback_data":"{OURS}"}}"#);
    let payment = event("messages", None, &status);
    let own = OwnCallbackData::from([(
        MessageId::parse("msg_00000000000000000000000001").expect("made up well"),
        "mine".into(),
    )]);
    let body = app::meta_body([&payment], &own, &GatewayIds::new()).expect("made up well");
    assert!(body.contains(&status.replace(OURS, "mine")), "{body}");
}

type Bare = (&'static str, Option<&'static str>, &'static str, Value);

/// The field, the problem and the text of elements that stand alone, and the value that each is found in.
fn bare_elements() -> [Bare; 8] {
    [
        (
            "messages",
            Some("the message has no id"),
            r#"{"from":"1"}"#,
            json!({"messages": [{"from": "1"}]}),
        ),
        (
            "messages",
            None,
            r#"{"id":"w","status":"x"}"#,
            json!({"statuses": [{"id": "w", "status": "x"}]}),
        ),
        (
            "messages",
            Some("the status is not an object"),
            "5",
            json!({"statuses": [5]}),
        ),
        (
            "messages",
            Some("messages is neither an array nor an object"),
            r#""x""#,
            json!({"messages": "x"}),
        ),
        ("statuses", None, r#"{"id":"w"}"#, json!({"statuses": [{"id": "w"}]})),
        (
            "smb_message_echoes",
            Some("the message has no id"),
            "{}",
            json!({"message_echoes": [{}]}),
        ),
        ("message_echoes", None, "{}", json!({"message_echoes": [{}]})),
        (
            "history",
            Some("the message is not an object"),
            "[]",
            json!({"messages": [[]]}),
        ),
    ]
}

#[test]
fn what_was_kept_without_its_surroundings_gets_the_least_of_them() {
    let id = samples::event(samples::tenant_id()).waba_id.map(|id| id.to_string());
    let number = samples::event(samples::tenant_id())
        .phone_number_id
        .map(|id| id.to_string());
    for (field, problem, raw, expected) in bare_elements() {
        let entry = entries(&[event(field, problem, raw)]).remove(0);
        let change = &entry["changes"][0];
        let field = match field {
            "statuses" => "messages",
            "message_echoes" => "smb_message_echoes",
            field => field,
        };
        assert_eq!(change["field"], field);
        let mut value = change["value"].as_object().expect("made up well").clone();
        let metadata = value.remove("metadata");
        assert_eq!(
            metadata.map(|metadata| metadata["phone_number_id"].clone()),
            number.as_ref().map(|n| json!(n))
        );
        assert_eq!(value.remove("messaging_product"), Some(json!("whatsapp")));
        assert_eq!(Value::Object(value), expected, "{raw}");
        assert_eq!(entry.get("id"), id.as_ref().map(|id| json!(id)).as_ref());
    }
}

#[test]
fn what_is_no_element_is_an_entry_or_a_change() {
    let entry = entries(&[event("", Some("the change is not an object"), "7")]).remove(0);
    assert_eq!(entry["changes"], json!([7]));
    let entry = entries(&[event("", Some("the entry has no changes"), r#"{"id":"9","time":7}"#)]).remove(0);
    assert_eq!(entry, json!({"id": "9", "time": 7}));
    assert_eq!(meta_body([&event("", Some("not JSON"), "{\u{fffd}")]), None);
}

#[test]
fn several_entries_stand_in_their_order() {
    let events: Vec<FeedItem> = (0..5)
        .map(|n| {
            event(
                "account_update",
                None,
                &format!(r#"{{"id":"9","time":{n},"changes":[{{}}]}}"#),
            )
        })
        .collect();
    let times: Vec<_> = entries(&events).iter().map(|entry| entry["time"].clone()).collect();
    assert_eq!(times, [0, 1, 2, 3, 4].map(|n| json!(n)));
}

#[test]
fn a_nest_without_end_is_not_followed() {
    let deep = format!(
        "{}{}",
        r#"{"biz_opaque_callback_data":["#.repeat(50_000),
        "]}".repeat(50_000)
    );
    let body = meta_body([&event("x", None, &format!(r#"{{"changes":[{deep}]}}"#))]);
    assert!(body.is_some_and(|body| body.contains(&deep)));
}

#[test]
fn a_message_is_named_as_its_client_knows_it() {
    let by_ours = samples::outbound(samples::tenant_id()).with(|message| message.accepted.by_gateway_id = true);
    let by_metas = samples::outbound(samples::tenant_id());
    let ours = by_ours.gateway_id().expect("it has one");
    let status = r#"{"id":"wamid.S","status":"read"}"#;
    let body = meta_body([&report(&by_ours, status, Some(FRAME))]).expect("made up well");
    assert!(
        body.contains(&format!(r#"{{"id":"{ours}","status":"read"}}"#)),
        "{body}"
    );
    let body = meta_body([&report(&by_metas, status, Some(FRAME))]).expect("made up well");
    assert!(body.contains(status), "{body}");

    let ids = GatewayIds::from([(samples::wamid("wamid.S"), ours.clone())]);
    let quote = r#"{"id":"wamid.IN","context":{"from":"1","id":"wamid.S"},"text":{"body":"caf\u00e9"}}"#;
    let answer = samples::inbound(samples::tenant_id(), "wamid.IN");
    let answer = answer.with(|message| message.accepted.content.envelope = Some(quote.into()));
    let answer = item(FeedEntry::of_message(&answer), EntryData::Message(amended(&answer)));
    let edit = format!(r#"{{"changes":[{{"value":{{"messages":[{{"edit":{{"message":{quote}}}}}]}}}}]}}"#);
    for item in [answer, event("messages", None, &edit)] {
        let body = app::meta_body([&item], &OwnCallbackData::new(), &ids).expect("made up well");
        assert!(body.contains(&quote.replace("wamid.S", ours.as_str())), "{body}");
        let body = meta_body([&item]).expect("made up well");
        assert!(body.contains(quote), "{body}");
    }
}

#[test]
fn what_comes_with_callback_data_of_ours_is_named_as_its_client_knows_it() {
    let status = format!(r#"{{"id":"wamid.P","status":"captured","biz_opaque_callback_data":"{OURS}"}}"#);
    let ids = GatewayIds::from([(samples::wamid("wamid.P"), samples::wamid("wamid.dakghar.x"))]);
    let body = |status: &str| app::meta_body([&event("messages", None, status)], &OwnCallbackData::new(), &ids);
    let told = body(&status).expect("made up well");
    assert!(
        told.contains(r#"[{"id":"wamid.dakghar.x","status":"captured"}]"#),
        "{told}"
    );
    let foreign = status.replace(OURS, "theirs");
    let told = body(&foreign).expect("made up well");
    assert!(told.contains(&foreign), "{told}");
}
