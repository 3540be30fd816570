mod amendments;
mod apps;
mod damage;
mod echoes;
mod flood;
mod kept;
mod news;
mod numbers;
mod signals;

use aws_lc_rs::hmac;
use dakghar_core::domain::ids::{PhoneNumberId, WaId, WabaId};
use dakghar_core::domain::message::EvidenceStatus;
use dakghar_core::domain::time::Timestamp as Instant;
use dakghar_core::domain::webhook::{InboundMessage, OtherPart, StatusReport};
use dakghar_testkit::TestClock;

use super::*;

const NOW_SECONDS: i64 = 1_760_000_200;

fn webhooks(app_secrets: &[Secret], verify_token: Option<&Secret>) -> MetaWebhooks {
    let clock = TestClock::new(Instant::from_millis(NOW_SECONDS * 1000));
    MetaWebhooks::new(app_secrets, verify_token, Arc::new(clock))
}

fn signature(secret: &str, body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    format!("sha256={}", hex::encode(hmac::sign(&key, body)))
}

fn parse(body: &str) -> Vec<WebhookPart> {
    parse::parse(body.as_bytes(), NOW_SECONDS)
}

/// A body with this value under the field `messages`, its metadata included.
fn with_value(lists: &str) -> String {
    format!(
        r#"{{"object":"whatsapp_business_account","entry":[{{"id":"900","changes":[{{"field":"messages","value":
        {{"messaging_product":"whatsapp","metadata":{{"display_phone_number":"1555","phone_number_id":"111"}},{lists}}}}}]}}]}}"#
    )
}

fn with_change(change: &str) -> String {
    format!(
        r#"{{"object":"whatsapp_business_account","entry":[{{"id":"900","time":1760000000,"changes":[{change}]}}]}}"#
    )
}

fn message(body: &str) -> InboundMessage {
    match parse(body).as_slice() {
        [WebhookPart::Message(message)] => message.clone(),
        other => panic!("{body}: {other:?}"),
    }
}

fn status(body: &str) -> StatusReport {
    match parse(body).as_slice() {
        [WebhookPart::Status(status)] => status.clone(),
        other => panic!("{body}: {other:?}"),
    }
}

fn other(body: &str) -> OtherPart {
    match parse(body).as_slice() {
        [WebhookPart::Other(part)] => part.clone(),
        other => panic!("{body}: {other:?}"),
    }
}

#[test]
fn the_signature_covers_the_raw_bytes_and_comes_once() {
    let codec = webhooks(&[Secret::new("present"), Secret::new("previous")], None);
    let raw = "{\"text\":\"caf\u{e9} \\u00e9 \\/\"}".as_bytes();
    let good = signature("present", raw);
    let check = |headers: &[&[u8]]| codec.check_signature(Addressed::AnyApp, raw, headers);
    let valid = [
        good.clone(),
        signature("previous", raw),
        format!("sha256={}", good[7..].to_uppercase()),
    ];
    for header in &valid {
        assert_eq!(check(&[header.as_bytes()]), SignatureCheck::Valid, "{header}");
    }
    let invalid = [
        String::new(),
        "sha256=".into(),
        good[7..].into(),
        good[..70].into(),
        format!("{good}0"),
        format!("{good} "),
        format!(" {good}"),
        good.replace("sha256=", "sha1="),
        good.replace("sha256=", "SHA256="),
        format!("sha256={}", "g".repeat(64)),
        format!("sha256={}", "0".repeat(64)),
        signature("another app's", raw),
        signature("present", &raw[1..]),
    ];
    for header in &invalid {
        assert_eq!(check(&[header.as_bytes()]), SignatureCheck::Invalid, "{header}");
    }
    assert_eq!(check(&[]), SignatureCheck::Invalid);
    assert_eq!(check(&[good.as_bytes(), good.as_bytes()]), SignatureCheck::Invalid);
    assert_eq!(check(&[b"sha256=\xff\xfe"]), SignatureCheck::Invalid);
}

#[test]
fn without_a_secret_nothing_is_checked() {
    let codec = webhooks(&[], None);
    assert_eq!(
        codec.check_signature(Addressed::AnyApp, b"{}", &[]),
        SignatureCheck::Skipped
    );
    assert_eq!(
        codec.check_signature(Addressed::AnyApp, b"{}", &[b"sha256=00"]),
        SignatureCheck::Skipped
    );
}

#[test]
fn without_an_app_secret_every_webhook_can_be_refused() {
    let codec = webhooks(&[], None).refusing_unsigned();
    for headers in [&[][..], &[b"sha256=00".as_slice()]] {
        assert_eq!(
            codec.check_signature(Addressed::AnyApp, b"{}", headers),
            SignatureCheck::Invalid
        );
    }
}

#[test]
fn only_the_configured_verify_token_is_right() {
    let codec = webhooks(&[], Some(&Secret::new("verify-me")));
    assert!(codec.is_verify_token(Addressed::AnyApp, "verify-me"));
    for wrong in ["", "verify-m", "verify-me ", "Verify-me"] {
        assert!(!codec.is_verify_token(Addressed::AnyApp, wrong), "{wrong}");
    }
    let without = webhooks(&[], None);
    assert!(
        !without.is_verify_token(Addressed::AnyApp, "") && !without.is_verify_token(Addressed::AnyApp, "verify-me")
    );
}

#[test]
fn the_bare_example_without_object_and_field_is_a_message() {
    let body = r#"{"entry": [{"changes": [{"value": {"metadata": {"phone_number_id": "111111111111111"},
        "messages": [{"from":"+919111111111","id":"wamid.123","type":"text","text":{"body":"hi"}}]}}]}]}"#;
    let message = message(body);
    assert_eq!(message.phone_number_id.as_str(), "111111111111111");
    assert_eq!(message.waba_id, None);
    assert_eq!(message.wamid.as_str(), "wamid.123");
    assert_eq!(message.peer.as_deref(), Some("+919111111111"));
    assert_eq!(message.peer_id.as_ref().map(WaId::as_str), Some("919111111111"));
    assert_eq!(&*message.kind, "text");
    assert_eq!(&*message.body, r#"{"body":"hi"}"#);
    assert_eq!(
        &*message.raw,
        r#"{"from":"+919111111111","id":"wamid.123","type":"text","text":{"body":"hi"}}"#
    );
    assert_eq!(message.sent_at, None);
}

#[test]
fn every_kind_of_message_keeps_its_object_and_its_text() {
    for (raw, kind, body) in [
        (
            r#"{"id":"w","type":"image","image":{"id":"9","caption":"caf\u00e9"}}"#,
            "image",
            r#"{"id":"9","caption":"caf\u00e9"}"#,
        ),
        (
            r#"{"id":"w","type":"contacts","contacts":[{"a":1}]}"#,
            "contacts",
            r#"[{"a":1}]"#,
        ),
        (
            r#"{"id":"w","type":"system","system":{"type":"user_changed_user_id"}}"#,
            "system",
            r#"{"type":"user_changed_user_id"}"#,
        ),
        (
            r#"{"id":"w","type":"unsupported","errors":[{"code":131051}]}"#,
            "unsupported",
            "null",
        ),
        (
            r#"{"id":"w","type":"quite_new","quite_new":[ 1 , 2 ]}"#,
            "quite_new",
            "[ 1 , 2 ]",
        ),
        (r#"{"id":"w"}"#, "unknown", "null"),
        (r#"{"id":"w","type":{"odd":1}}"#, "unknown", "null"),
        (r#"{"id":"w","type":""}"#, "unknown", "null"),
    ] {
        let message = message(&with_value(&format!(r#""messages":[{raw}]"#)));
        assert_eq!((&*message.kind, &*message.body, &*message.raw), (kind, body, raw));
        assert_eq!(message.waba_id.as_ref().map(WabaId::as_str), Some("900"));
    }
    let endless = "k".repeat(65);
    let raw = format!(r#"{{"id":"w","type":"{endless}","{endless}":{{}}}}"#);
    assert_eq!(
        &*message(&with_value(&format!(r#""messages":[{raw}]"#))).kind,
        "unknown"
    );
}

#[test]
fn the_person_is_the_number_or_else_the_user_id() {
    for (fields, from, from_id) in [
        (
            r#""from":"16505551234","from_user_id":"US.1""#,
            Some("16505551234"),
            Some("16505551234"),
        ),
        (r#""from":"+16505551234""#, Some("+16505551234"), Some("16505551234")),
        (r#""from":16505551234"#, Some("16505551234"), Some("16505551234")),
        (
            r#""from_user_id":"US.13491208655302741918""#,
            None,
            Some("US.13491208655302741918"),
        ),
        (r#""from":null,"from_user_id":"US.2""#, None, Some("US.2")),
        (r#""from":"","from_user_id":"US.2""#, None, Some("US.2")),
        (r#""from":"+1 650","from_user_id":"US.2""#, Some("+1 650"), Some("US.2")),
        (r#""from":["x"]"#, None, None),
        (r#""type":"system""#, None, None),
    ] {
        let message = message(&with_value(&format!(r#""messages":[{{"id":"wamid.A",{fields}}}]"#)));
        assert_eq!(message.peer.as_deref(), from, "{fields}");
        assert_eq!(message.peer_id.as_ref().map(WaId::as_str), from_id, "{fields}");
    }
}

#[test]
fn only_believable_times_are_taken() {
    let tomorrow = NOW_SECONDS + 86_400;
    for (given, expected) in [
        (r#""1760000000""#.to_owned(), Some(1_760_000_000)),
        ("1760000000".to_owned(), Some(1_760_000_000)),
        (tomorrow.to_string(), Some(tomorrow)),
        ((tomorrow + 1).to_string(), None),
        ("4102444800".to_owned(), None),
        ("1760000000000".to_owned(), None),
        ("0".to_owned(), None),
        (r#""0""#.to_owned(), None),
        ("-1".to_owned(), None),
        (r#""abc""#.to_owned(), None),
        (r#""""#.to_owned(), None),
        ("1.5".to_owned(), None),
        ("9223372036854775807".to_owned(), None),
        ("1e99".to_owned(), None),
        ("null".to_owned(), None),
        ("{}".to_owned(), None),
    ] {
        let expected = expected.map(|seconds| Instant::from_millis(seconds * 1000));
        let body = with_value(&format!(r#""messages":[{{"id":"wamid.A","timestamp":{given}}}]"#));
        assert_eq!(message(&body).sent_at, expected, "{given}");
        let body = with_value(&format!(
            r#""statuses":[{{"id":"wamid.A","status":"sent","timestamp":{given}}}]"#
        ));
        assert_eq!(status(&body).reported_at, expected, "{given}");
    }
}

#[test]
fn statuses_bring_their_evidence() {
    for word in EvidenceStatus::ALL {
        let raw = format!(
            r#"{{"id":"wamid.A","status":"{}","timestamp":"1760000100","recipient_id":"1","biz_opaque_callback_data":"v1.x"}}"#,
            word.as_str()
        );
        let status = status(&with_value(&format!(r#""statuses":[{raw}]"#)));
        assert_eq!(status.status, word);
        assert_eq!(status.phone_number_id.as_str(), "111");
        assert_eq!(status.waba_id.as_ref().map(WabaId::as_str), Some("900"));
        assert_eq!(status.opaque.as_deref(), Some("v1.x"));
        assert_eq!(status.error, None);
        assert_eq!(&*status.raw, raw);
    }
}

#[test]
fn a_failure_says_why() {
    for (errors, code, text, details) in [
        (
            r#"[{"code":131047,"title":"Re-engagement","message":"Too late","error_data":{"details":"24 hours"}}]"#,
            Some(131_047),
            "Too late",
            Some("24 hours"),
        ),
        (
            r#"[{"code":"131026","title":"Undeliverable","error_data":"plain"}]"#,
            Some(131_026),
            "Undeliverable",
            Some("plain"),
        ),
        (r#"{"code":1}"#, Some(1), "", None),
        (r"[{}]", None, "", None),
    ] {
        let body = with_value(&format!(
            r#""statuses":[{{"id":"w","status":"failed","errors":{errors}}}]"#
        ));
        let error = status(&body).error.unwrap();
        assert_eq!(
            (error.code, &*error.message, error.details.as_deref()),
            (code, text, details),
            "{errors}"
        );
    }
    for errors in ["[]", "null", r#""x""#, "[1]"] {
        let body = with_value(&format!(
            r#""statuses":[{{"id":"w","status":"failed","errors":{errors}}}]"#
        ));
        assert_eq!(status(&body).error, None, "{errors}");
    }
}

#[test]
fn every_part_of_every_entry_comes_out_in_order() {
    let body = r#"{"object":"whatsapp_business_account","entry":[
        {"id":"1","changes":[
            {"field":"messages","value":{"metadata":{"phone_number_id":"11"},"messages":[{"id":"a"},{"id":"b"}],"statuses":[{"id":"c","status":"read"}]}},
            {"field":"messages","value":{"metadata":{"phone_number_id":12},"statuses":[{"id":"d","status":"sent"},{"id":"e","status":"sent"}]}}]},
        {"id":2,"changes":[
            {"field":"account_update","value":{"event":"DISABLED_UPDATE"}},
            {"field":"messages","value":{"metadata":{"phone_number_id":"21"},"messages":[{"id":"f"}]}}]}]}"#;
    let found: Vec<_> = parse(body)
        .into_iter()
        .map(|part| match part {
            WebhookPart::Message(part) => (part.waba_id, Some(part.phone_number_id), part.wamid.to_string()),
            WebhookPart::Status(part) => (part.waba_id, Some(part.phone_number_id), part.wamid.to_string()),
            WebhookPart::Other(part) => (part.waba_id, part.phone_number_id, part.field.to_string()),
        })
        .map(|(waba, number, what)| (waba.unwrap().to_string(), number.map(|id| id.to_string()), what))
        .collect();
    let expected = [
        ("1", Some("11"), "a"),
        ("1", Some("11"), "b"),
        ("1", Some("11"), "c"),
        ("1", Some("12"), "d"),
        ("1", Some("12"), "e"),
        ("2", None, "account_update"),
        ("2", Some("21"), "f"),
    ]
    .map(|(waba, number, what)| (waba.to_owned(), number.map(str::to_owned), what.to_owned()));
    assert_eq!(found, expected);
}

#[test]
fn one_bad_part_does_not_cost_the_others() {
    let raw = r#"{"id":"wamid.B","status":""}"#;
    let body = with_value(&format!(
        r#""messages":[{{"id":"wamid.A"}},7,{{"type":"text"}},{{"id":"has space"}}],"statuses":[{raw},{{"id":"wamid.C","status":"read"}},"x"]"#
    ));
    let parts = parse(&body);
    assert_eq!(parts.len(), 7);
    assert!(matches!(&parts[0], WebhookPart::Message(message) if message.wamid.as_str() == "wamid.A"));
    assert!(matches!(&parts[5], WebhookPart::Status(status) if status.wamid.as_str() == "wamid.C"));
    let others: Vec<_> = parts
        .iter()
        .filter_map(|part| match part {
            WebhookPart::Other(part) => Some(part),
            _ => None,
        })
        .collect();
    let raws: Vec<_> = others.iter().map(|part| &*part.raw).collect();
    assert_eq!(
        raws,
        ["7", r#"{"type":"text"}"#, r#"{"id":"has space"}"#, raw, r#""x""#]
    );
    for part in others {
        assert_eq!(part.phone_number_id.as_ref().map(PhoneNumberId::as_str), Some("111"));
        assert_eq!(part.waba_id.as_ref().map(WabaId::as_str), Some("900"));
        assert_eq!(&*part.field, "messages");
        assert!(part.problem.is_some());
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn account_events_say_whose_they_are_and_when() {
    for (change, waba, number) in [
        (
            r#"{"field":"message_template_status_update","value":{"event":"PAUSED","message_template_id":1}}"#,
            "900",
            None,
        ),
        (
            r#"{"field":"phone_number_quality_update","value":{"display_phone_number":"1555"}}"#,
            "900",
            None,
        ),
        (
            r#"{"field":"account_update","value":{"event":"PARTNER_REMOVED","waba_info":{"waba_id":"365"}}}"#,
            "365",
            None,
        ),
        (
            r#"{"field":"account_update","value":{"event":"DISABLED_UPDATE","ban_info":{}}}"#,
            "900",
            None,
        ),
        (
            r#"{"field":"user_preferences","value":{"metadata":{"phone_number_id":"111"},"user_preferences":[]}}"#,
            "900",
            Some("111"),
        ),
        (
            r#"{"field":"message_echoes","value":{"metadata":{"phone_number_id":"111"},"message_echoes":[{"id":"E"}]}}"#,
            "900",
            Some("111"),
        ),
        (
            r#"{"field":"history","value":{"metadata":{"phone_number_id":"111"},"messages":[{"id":"H"}]}}"#,
            "900",
            Some("111"),
        ),
        (
            r#"{"field":"calls","value":{"metadata":{"phone_number_id":"111"},"statuses":[{"id":"C","status":"RINGING"}]}}"#,
            "900",
            Some("111"),
        ),
        (
            r#"{"field":"standby","value":{"metadata":{"phone_number_id":"111"},"standby":{"messages":[{"id":"S"}]}}}"#,
            "900",
            Some("111"),
        ),
        (
            r#"{"field":"account_settings_update","value":{"phone_number_settings":{"phone_number_id":"111"}}}"#,
            "900",
            Some("111"),
        ),
        (r#"{"field":"never_heard_of","value":{"x":[]}}"#, "900", None),
    ] {
        let part = other(&with_change(change));
        assert_eq!(part.waba_id.as_ref().map(WabaId::as_str), Some(waba), "{change}");
        assert_eq!(
            part.phone_number_id.as_ref().map(PhoneNumberId::as_str),
            number,
            "{change}"
        );
        assert_eq!(part.problem, None, "{change}");
        assert!(change.contains(&format!(r#""field":"{}""#, part.field)), "{change}");
        assert_eq!(
            &*part.raw,
            format!(r#"{{"id":"900","time":1760000000,"changes":[{change}]}}"#)
        );
    }
}

#[test]
fn errors_of_the_number_itself_are_kept() {
    let errors = r#"[{"code":130429,"title":"Rate limit hit"}]"#;
    let part = other(&with_value(&format!(r#""errors":{errors}"#)));
    assert_eq!((&*part.field, part.problem), ("messages", None));
    assert!(part.raw.contains(&format!(r#""errors":{errors}"#)), "{}", part.raw);
    assert_eq!(part.phone_number_id.unwrap().as_str(), "111");
}

#[test]
fn a_test_event_of_the_dashboard_is_an_ordinary_event() {
    let body = r#"{"entry":[{"id":"0","time":1760000000,"changes":[{"field":"messages","value":{"messaging_product":"whatsapp",
        "metadata":{"display_phone_number":"16505551111","phone_number_id":"123456123"},
        "messages":[{"from":"16315551181","id":"ABGGFlA5Fpa","timestamp":"1504902988","type":"text","text":{"body":"this is a text message"}}]}}]}],
        "object":"whatsapp_business_account"}"#;
    let message = message(body);
    assert_eq!(message.waba_id.unwrap().as_str(), "0");
    assert_eq!(message.phone_number_id.as_str(), "123456123");
}

#[test]
fn what_is_no_webhook_comes_out_whole() {
    for body in [
        "",
        "null",
        "7",
        "[]",
        "hello",
        "{",
        r#"{"entry":[]}"#,
        r#"{"entry":null}"#,
        r#"{"entry":7}"#,
        r#"{"object":"whatsapp_business_account"}"#,
        r#"{"object":"page","entry":[{"id":"1","changes":[]}]}"#,
        r#"{"object":7,"entry":[{"id":"1","changes":[]}]}"#,
        r#"{"entry":[{"id":"1"}]} trailing"#,
    ] {
        let part = other(body);
        assert_eq!(&*part.raw, body);
        assert!(part.problem.is_some(), "{body}");
        assert_eq!(
            (part.waba_id, part.phone_number_id, &*part.field),
            (None, None, ""),
            "{body}"
        );
    }
    let parts = parse::parse(b"{\"entry\":\"\xff\"}", NOW_SECONDS);
    assert!(matches!(&parts[..], [WebhookPart::Other(part)] if part.raw.contains('\u{fffd}')));
}

#[test]
fn odd_shapes_inside_keep_what_is_known_of_their_place() {
    for (entry, waba, raw) in [
        ("7", None, "7"),
        (r#"{"id":"900"}"#, Some("900"), r#"{"id":"900"}"#),
        (
            r#"{"id":"900","changes":[]}"#,
            Some("900"),
            r#"{"id":"900","changes":[]}"#,
        ),
        (
            r#"{"id":"900","changes":"x"}"#,
            Some("900"),
            r#"{"id":"900","changes":"x"}"#,
        ),
        (r#"{"id":"900","changes":[null]}"#, Some("900"), "null"),
        (r#"{"id":"x y","changes":[1]}"#, None, "1"),
        (
            r#"{"id":"900","changes":[{}]}"#,
            Some("900"),
            r#"{"id":"900","changes":[{}]}"#,
        ),
        (
            r#"{"id":"900","changes":[{"field":"messages","value":[]}]}"#,
            Some("900"),
            r#"{"id":"900","changes":[{"field":"messages","value":[]}]}"#,
        ),
        (
            r#"{"id":"900","changes":[{"field":"messages","value":{"messages":[{"id":"w"}]}}]}"#,
            Some("900"),
            r#"{"id":"900","changes":[{"field":"messages","value":{"messages":[{"id":"w"}]}}]}"#,
        ),
        (
            r#"{"id":"900","changes":[{"value":{"metadata":{"phone_number_id":"a"},"statuses":[{}]}}]}"#,
            Some("900"),
            r#"{"id":"900","changes":[{"value":{"metadata":{"phone_number_id":"a"},"statuses":[{}]}}]}"#,
        ),
    ] {
        let part = other(&format!(r#"{{"entry":[{entry}]}}"#));
        assert_eq!(part.waba_id.as_ref().map(WabaId::as_str), waba, "{entry}");
        assert_eq!(&*part.raw, raw, "{entry}");
        assert!(part.problem.is_some(), "{entry}");
    }
    let part = other(&with_value(r#""contacts":[]"#));
    assert_eq!(
        part.problem.as_deref(),
        Some("the value holds neither messages nor statuses")
    );
    let parts = parse(&with_value(r#""messages":"x""#));
    assert!(
        matches!(&parts[0], WebhookPart::Other(part) if &*part.raw == r#""x""# && part.problem.is_some()),
        "{parts:?}"
    );
}

#[test]
fn single_objects_stand_for_arrays_of_one() {
    let body =
        r#"{"entry":{"id":900,"changes":{"value":{"metadata":{"phone_number_id":111},"messages":{"id":"wamid.A"}}}}}"#;
    let message = message(body);
    assert_eq!(message.waba_id.unwrap().as_str(), "900");
    assert_eq!(message.phone_number_id.as_str(), "111");
}

#[test]
fn a_flood_of_fragments_is_kept_as_one_part() {
    let body = with_value(&format!(r#""messages":[{}1]"#, "1,".repeat(20_000)));
    let part = other(&body);
    assert_eq!(part.raw.len(), body.len());
    let body = with_value(&format!(r#""messages":[{}1]"#, "1,".repeat(19_998)));
    assert_eq!(parse(&body).len(), 20_000);
}

#[test]
fn bottomless_nesting_does_not_exhaust_the_stack() {
    let deep = "[".repeat(1_000_000);
    assert!(other(&deep).problem.is_some());
    let closed = format!("{}{}", "[".repeat(500_000), "]".repeat(500_000));
    let part = message(&with_value(&format!(
        r#""messages":[{{"id":"w","type":"text","text":{closed}}}]"#
    )));
    assert_eq!(part.body.len(), closed.len());
}

#[test]
fn the_codec_judges_times_by_its_clock() {
    let codec = webhooks(&[], None);
    for (ahead, is_believed) in [(0, true), (3600, true), (3 * 86_400, false)] {
        let seconds = NOW_SECONDS + ahead;
        let body = with_value(&format!(r#""messages":[{{"id":"wamid.A","timestamp":"{seconds}"}}]"#));
        let parts = codec.parse(body.as_bytes());
        let [WebhookPart::Message(message)] = parts.as_slice() else {
            panic!("{parts:?}");
        };
        assert_eq!(message.sent_at.is_some(), is_believed, "{seconds}");
    }
}
