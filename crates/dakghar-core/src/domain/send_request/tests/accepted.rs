use super::super::super::country::Country;
use super::super::super::ids::{IdempotencyKey, PhoneNumberId};
use super::super::super::message::{Priority, UnknownOutcome};
use super::*;

#[test]
fn the_first_clients_request_is_understood() {
    let request = accept(r#"{"to":"+919111111111","text":"Hello from tenant A","idempotency_key":"order-1234"}"#);
    assert_eq!(&*request.to.text, "+919111111111");
    assert_eq!(request.to.id.as_str(), "919111111111");
    assert!(!request.to.has_placeholders);
    assert_eq!(&*request.content.kind, "text");
    assert_eq!(&*request.content.body, r#"{"body":"Hello from tenant A"}"#);
    assert_eq!(request.content.envelope, None);
    assert_eq!(
        request.idempotency_key.as_ref().map(IdempotencyKey::as_str),
        Some("order-1234")
    );
    assert_eq!((request.priority, request.unknown_outcome), (Priority::Normal, None));
    assert_eq!((request.send_at, request.expires_at), (None, None));
    assert_eq!(
        (request.from, request.metadata, request.client_opaque),
        (None, None, None)
    );
}

#[test]
fn a_number_from_documentation_is_recognised() {
    let request = accept(r#"{"to":"+919xxxxxxxxx","text":"Hello from tenant A", "idempotency_key":"order-1234"}"#);
    assert!(request.to.has_placeholders);
    assert_eq!(&*request.to.text, "+919xxxxxxxxx");
    assert_eq!(request.to.id.as_str(), "919xxxxxxxxx");
}

#[test]
fn phone_numbers_are_normalised() {
    for (written, normalised) in [
        ("+919111111111", "+919111111111"),
        ("919111111111", "+919111111111"),
        (" +91 91111-11111 ", "+919111111111"),
        ("+1 (650) 555-1234", "+16505551234"),
        ("(+1) 650.555.1234", "+16505551234"),
        ("49 1511 2345678", "+4915112345678"),
        ("+52 1 55 1234 5678", "+5215512345678"),
        ("+39 06 1234 5678", "+390612345678"),
        ("+911800123456", "+911800123456"),
        // As web pages and address books have them.
        ("+91\u{a0}91111\u{202f}11111", "+919111111111"),
        ("+91 91111\u{2011}11111", "+919111111111"),
        ("+91\u{2009}91111\u{2013}11111\u{3000}", "+919111111111"),
        ("\u{2010}+91\u{2012}91111\u{2014}1\u{2015}1111", "+919111111111"),
        ("+91 91111\u{2212}11111", "+919111111111"),
        ("\u{202a}+919111111111\u{202c}", "+919111111111"),
        ("\u{200e}+91 91111 11111", "+919111111111"),
    ] {
        let request = accept(&format!(r#"{{"to":"{written}","text":"a"}}"#));
        assert_eq!(&*request.to.text, normalised, "{written}");
        assert_eq!(request.to.id.as_str(), &normalised[1..], "{written}");
    }
}

#[test]
fn groups_and_user_ids_pass_as_they_are() {
    let group = accept(r#"{"to":"Y2FwaV9ncm91cDox","recipient_type":"group","text":"a"}"#);
    assert_eq!(
        (&*group.to.text, group.to.id.as_str()),
        ("Y2FwaV9ncm91cDox", "Y2FwaV9ncm91cDox")
    );
    assert_eq!(group.content.envelope.as_deref(), Some(r#"{"recipient_type":"group"}"#));

    for id in ["US.13491208655302741918", "US.ENT.118a"] {
        let person = accept(&format!(r#"{{"recipient":"{id}","text":"a"}}"#));
        assert_eq!((&*person.to.text, person.to.id.as_str()), (id, id));
        assert_eq!(
            person.content.envelope,
            Some(format!(r#"{{"recipient":"{id}"}}"#).into())
        );
    }

    // As at Meta, `to` wins.
    let both = accept(r#"{"to":"+919111111111","recipient":"US.1349","text":"a"}"#);
    assert_eq!((&*both.to.text, both.content.envelope), ("+919111111111", None));
}

#[test]
fn metas_own_request_is_understood_and_its_envelope_passed_on_in_metas_words() {
    let request = accept(
        r#"{"messaging_product":"whatsapp","recipientType":"individual","to":"+16505551234","type":"text",
            "text":{"body":"hi","preview_url":true},"context":{ "message_id" : "wamid.X" },
            "biz_opaque_callback_data":"gw:01J","recipientIdentityKeyHash":"DF2lS5v2W6x=",
            "messaging_account_id":"102290129340398","category":"utility","direct_send_config":{"a":1},"ttl_seconds":60}"#,
    );
    assert_eq!(&*request.content.body, r#"{"body":"hi","preview_url":true}"#);
    assert_eq!(
        request.content.envelope.as_deref(),
        Some(
            r#"{"context":{ "message_id" : "wamid.X" },"recipient_type":"individual","recipient_identity_key_hash":"DF2lS5v2W6x=","messaging_account_id":"102290129340398","category":"utility","direct_send_config":{"a":1},"ttl_seconds":60}"#
        )
    );
    assert_eq!(request.client_opaque.as_deref(), Some("gw:01J"));
}

#[test]
fn options_are_read() {
    let request = accept(&with_fields(
        r#""from":"111111111111111","sendAt":"2026-11-22T15:30:00.5+05:30","expiresAt":"2026-11-22T10:00:01Z",
           "priority":"high","metadata":{"order":12,"vip":true,"note":"a","none":null},"bizOpaqueCallbackData":"x",
           "unknownOutcome":"fail","idempotencyKey":"k""#,
    ));
    assert_eq!(
        request.from.as_ref().map(PhoneNumberId::as_str),
        Some("111111111111111")
    );
    assert_eq!(request.send_at.map(Timestamp::as_millis), Some(NOW.as_millis() + 500));
    assert_eq!(
        request.expires_at.map(Timestamp::as_millis),
        Some(NOW.as_millis() + 1_000)
    );
    assert_eq!(request.priority, Priority::High);
    assert_eq!(
        request.metadata.as_deref(),
        Some(r#"{"order":12,"vip":true,"note":"a","none":null}"#)
    );
    assert_eq!(request.client_opaque.as_deref(), Some("x"));
    assert_eq!(request.unknown_outcome, Some(UnknownOutcome::Fail));
    assert_eq!(request.idempotency_key.as_ref().map(IdempotencyKey::as_str), Some("k"));
}

#[test]
fn the_limits_themselves_are_inside() {
    let opaque = format!(r#""biz_opaque_callback_data":"{}""#, "é".repeat(512));
    let metadata = format!(r#""metadata":{{"{}":"{}"}}"#, "k".repeat(64), "x".repeat(2_048 - 71));
    for members in [
        r#""sendAt":"2026-11-22T09:59:00Z""#,
        r#""sendAt":"2026-12-22T10:00:00Z""#,
        r#""sendAt":"2026-11-22t15:30:00z""#,
        r#""expiresAt":"2026-11-22T10:00:00.001Z""#,
        r#""ttl_seconds":1"#,
        r#""ttl_seconds":2592000"#,
        opaque.as_str(),
        &metadata,
    ] {
        accept(&with_fields(members));
    }
    for text in [
        "a".repeat(4_096),
        "😀".repeat(4_096),
        "a\\n\\r\\tb".to_owned(),
        "\u{202e}abc".to_owned(),
    ] {
        accept(&format!(r#"{{"to":"+919111111111","text":"{text}"}}"#));
    }
}

#[test]
fn a_field_that_is_null_counts_as_absent() {
    let request = accept(&with_fields(
        r#""from":null,"sendAt":null,"priority":null,"metadata":null,"context":null,"image":null,"idempotency_key":null"#,
    ));
    assert_eq!(request, accept(r#"{"to":"+919111111111","text":"Hello"}"#));
}

#[test]
fn what_the_client_wrote_stays_byte_for_byte() {
    for (kind, object) in [
        (
            "text",
            r#"{ "body":"\u0041\/é😀", "x": 1.50, "y":1E2, "z":12345678901234567890123 }"#,
        ),
        ("hologram", r#"{"depth":[1,2.0,{"a":"b"}], "width" : 3}"#),
        ("hologram", "[1]"),
        ("order_status", "{}"),
        ("image", r#"{"id":"1037","caption":"a","future":{"a":[null]}}"#),
        ("image", r#"{"link":"https://example.com/a.jpg"}"#),
        ("image", r#"{"link":"http://cdn.example.com/a.jpg"}"#),
        ("image", r#"{"link":"https://ডাকঘর.বাংলা/ছবি.jpg"}"#),
        ("audio", r#"{"id":"1037","voice":true}"#),
        ("document", r#"{"id":"1037","filename":"a.pdf","caption":"c"}"#),
        ("sticker", r#"{"id":"1037"}"#),
        ("video", r#"{"id":"1037"}"#),
        (
            "location",
            r#"{"latitude":37.75,"longitude":-122.42,"name":"HQ","address":"1 Road"}"#,
        ),
        ("location", r#"{"latitude":"23","longitude":"90.4"}"#),
        ("reaction", r#"{"message_id":"wamid.X","emoji":"\ud83d\ude00"}"#),
        ("reaction", r#"{"message_id":"wamid.X","emoji":""}"#),
        (
            "contacts",
            r#"[{"name":{"formatted_name":"J S","first_name":"J"},"birthday":"1990-12-31","phones":[{"phone":"+1"}]}]"#,
        ),
        ("interactive", r#"{"type":"teleport","action":7}"#),
        (
            "interactive",
            r#"{"type":"button","body":{"text":"a"},"action":{"buttons":[{"type":"reply","reply":{"id":"y","title":"Yes"}}]}}"#,
        ),
        (
            "interactive",
            r#"{"type":"list","body":{"text":"a"},"action":{"button":"B","sections":[{"rows":[{"id":"r","title":"R"}]}]}}"#,
        ),
        (
            "interactive",
            r#"{"type":"cta_url","body":{"text":"a"},"action":{"name":"cta_url","parameters":{"display_text":"Open","url":"https://example.com"}}}"#,
        ),
        (
            "interactive",
            r#"{"type":"flow","body":{"text":"a"},"action":{"name":"flow","parameters":{"flow_id":"F","flow_cta":"Start","flow_action":"navigate"}}}"#,
        ),
        (
            "interactive",
            r#"{"type":"product","action":{"catalog_id":"C","product_retailer_id":"P"}}"#,
        ),
        (
            "interactive",
            r#"{"type":"location_request_message","body":{"text":"a"},"action":{"name":"send_location"}}"#,
        ),
        (
            "template",
            r#"{"name":"order_update","language":{"code":"en_US"},"components":[{"type":"header","parameters":[{"type":"image","image":{"id":"M"}}]},{"type":"body","parameters":[{"type":"text","text":"Ana","parameter_name":"n"},{"type":"currency","currency":{"fallback_value":"$100.99","code":"USD","amount_1000":100990}}]},{"type":"button","sub_type":"quick_reply","index":"0","parameters":[{"type":"payload","payload":"STOP"}]}]}"#,
        ),
        (
            "template",
            r#"{"name":"hello_world","language":{"code":"en_US","policy":"deterministic"}}"#,
        ),
    ] {
        let request = accept(&of_type(kind, object));
        assert_eq!(&*request.content.kind, kind);
        assert_eq!(&*request.content.body, object);
    }
    let request = accept(r#"{"to":"+919111111111","text":"\u0041\n\"é"}"#);
    assert_eq!(&*request.content.body, r#"{"body":"\u0041\n\"é"}"#);
}

#[test]
fn fields_that_only_meta_knows_are_passed_on_as_they_are() {
    let request = accept(&with_fields(
        r#""future_field":{ "a" : 1 },"tenantId":null,"an\u0041":[1]"#,
    ));
    assert_eq!(
        request.content.envelope.as_deref(),
        Some(r#"{"anA":[1],"future_field":{ "a" : 1 },"tenantId":null}"#)
    );
    let other = accept(&with_fields(r#""future_field":{ "a" : 2 },"tenantId":null,"anA":[1]"#));
    assert_ne!(request.fingerprint, other.fingerprint);
    let turned = accept(&with_fields(r#""anA":[1], "tenantId":null,"future_field":{"a":1}"#));
    assert_eq!(request.fingerprint, turned.fingerprint);

    let beside = accept(r#"{"to":"+919111111111","type":"text","text":{"body":"a"},"hologram":{}}"#);
    assert_eq!(beside.content.envelope.as_deref(), Some(r#"{"hologram":{}}"#));
}

#[test]
fn a_pin_and_a_marketing_message_have_what_they_need_beside_them() {
    let pin = r#"{"to":"Y2FwaV9ncm91cDox","recipient_type":"group","type":"pin",
        "pin":{"type":"pin","message_id":"wamid.X","expiration_days":7}}"#;
    assert_eq!(&*accept(pin).content.kind, "pin");
    let offer = r#"{"to":"+919111111111","type":"template","template":{"name":"offer","language":{"code":"en_US"}},
        "product_policy":"CLOUD_API_FALLBACK","messageActivitySharing":true}"#;
    assert_eq!(
        accept(offer).content.envelope.as_deref(),
        Some(r#"{"product_policy":"CLOUD_API_FALLBACK","message_activity_sharing":true}"#)
    );
}

#[test]
fn a_number_as_at_home_is_one_of_the_senders_country() {
    let home = |from: Option<&PhoneNumberId>| {
        let letters = if from.is_some() { "US" } else { "IN" };
        Country::parse(letters)
    };
    let read = |body: &str| super::super::parse(body.as_bytes(), &[], NOW, &home);
    for (body, number, was_national) in [
        (
            r#"{"to":"(415) 555-1212","from":"111","text":"a"}"#,
            "+14155551212",
            true,
        ),
        (r#"{"to":"091111-11111","text":"a"}"#, "+919111111111", true),
        (r#"{"to":"9111111111","text":"a"}"#, "+919111111111", true),
        (r#"{"to":"919111111111","text":"a"}"#, "+919111111111", false),
        (r#"{"to":"+4915112345678","text":"a"}"#, "+4915112345678", false),
    ] {
        let request = read(body).unwrap_or_else(|problem| panic!("{body}\n{problem:?}"));
        assert_eq!(
            (&*request.to.text, request.to.was_national),
            (number, was_national),
            "{body}"
        );
        assert_eq!(request.to.id.as_str(), &number[1..]);
    }
    for body in [
        r#"{"to":"0091 9111111111","text":"a"}"#,
        r#"{"to":"41 555 12","text":"a"}"#,
    ] {
        assert_eq!(read(body).expect_err(body).code, ErrorCode::InvalidTo);
    }
    let one = read(r#"{"to":"9111111111","text":"a"}"#).expect("accepted");
    let other = read(r#"{"to":"+91 9111111111","text":"a"}"#).expect("accepted");
    assert_eq!(one.fingerprint, other.fingerprint);
}
