use super::*;

#[test]
fn a_field_that_is_nearly_one_of_ours_is_refused_with_a_hint() {
    for (name, meant) in [
        ("txt", "text"),
        ("To", "to"),
        ("send_at", "sendAt"),
        ("sentAt", "sendAt"),
        ("expiry_at", "expiresAt"),
        ("Metadata", "metadata"),
        ("idempotency-key", "idempotency_key"),
        ("priorty", "priority"),
        ("form", "from"),
        ("recipent_type", "recipient_type"),
        ("Image", "image"),
    ] {
        let problem = refuse(with_fields(&format!(r#""{name}":{{}}"#)).as_bytes());
        assert_eq!(problem.code, ErrorCode::UnknownField, "{name}");
        assert_eq!(problem.errors[0].pointer, format!("/{name}"));
        let message = &problem.errors[0].message;
        assert!(
            message.ends_with(&format!("did you mean {meant}?")),
            "{name}: {message}"
        );
    }
    check_refused(&with_fields(r#""":1"#), ErrorCode::UnknownField, "/");
    check_refused(&with_fields(r#""sent_at":null"#), ErrorCode::UnknownField, "/sent_at");
}

#[test]
fn fields_that_would_make_another_request_of_it_do_not_pass_on() {
    for name in [
        "access_token",
        "access_token[0]",
        "appsecret_proof",
        "method",
        "Method",
        "ids",
        "fields",
        "batch",
        "include_headers",
        "phone_number_id",
        "id",
    ] {
        let body = with_fields(&format!(r#""{name}":"222""#));
        check_refused(&body, ErrorCode::UnknownField, &format!("/{name}"));
    }
    accept(&with_fields(r#""identity":"a","methods":["b"]"#));
}

#[test]
fn fields_that_only_meta_may_know_are_few() {
    let fields = |count: usize| {
        let fields: Vec<String> = (0..count).map(|i| format!(r#""future_{i:03}_field":1"#)).collect();
        with_fields(&fields.join(","))
    };
    // The object of the message is one of them.
    accept(&fields(31));
    check_refused(&fields(32), ErrorCode::UnknownField, "/future_031_field");
}

#[test]
fn the_recipient_is_a_phone_number() {
    for to in [
        "null",
        "919111111111",
        r#"["+919111111111"]"#,
        "true",
        r#""""#,
        r#""+""#,
        r#""abc""#,
        r#""123""#,
        r#""+123456""#,
        r#""+1234567890123456""#,
        r#""+91911111a111""#,
        r#""++919111111111""#,
        r#""+91+9111111111""#,
        r#""919111111111+""#,
        r#""+91/9111111111""#,
        r#""+91\n9111111111""#,
        r#""+٩١٩١١١١١١١١١""#,
        "\"+\u{ff19}\u{ff11}\u{ff19}\u{ff11}\u{ff11}\u{ff11}\u{ff11}\u{ff11}\u{ff11}\u{ff11}\u{ff11}\u{ff11}\"",
        r#""+৯১৯১১১১১১১১১""#,
        r#""+xxxxxxxxxx""#,
        r#""+919XXXXXXXXX""#,
        r#""+1 415 555 0100 x22x333""#,
        r#""US.13491208655302741918""#,
        // What nobody can dial.
        r#""00919111111111""#,
        r#""+00919111111111""#,
        r#""07911 123456""#,
        r#""(415) 555-1212""#,
        r#""+44 (0) 7911 123456""#,
        r#""+4907911123456""#,
        r#""+9991234567890""#,
        r#""1234567""#,
        r#""+123456789012345""#,
    ] {
        check_refused(&format!(r#"{{"to":{to},"text":"a"}}"#), ErrorCode::InvalidTo, "/to");
    }
    check_refused(r#"{"text":"a"}"#, ErrorCode::InvalidTo, "/to");
}

#[test]
fn user_and_group_ids_have_their_own_rules() {
    for recipient in [
        "13491208655302741918",
        "us.1349",
        "USA.1349",
        "US.",
        "US.ENT.",
        "US.13-49",
        "+919111111111",
    ] {
        let body = format!(r#"{{"recipient":"{recipient}","text":"a"}}"#);
        check_refused(&body, ErrorCode::InvalidTo, "/recipient");
    }
    for to in ["", "a b", "ছবি"] {
        let body = format!(r#"{{"to":"{to}","recipient_type":"group","text":"a"}}"#);
        check_refused(&body, ErrorCode::InvalidTo, "/to");
    }
    let body = r#"{"recipient":"US.1349","recipient_type":"group","text":"a"}"#;
    check_refused(body, ErrorCode::InvalidTo, "/to");
}

#[test]
fn options_are_checked() {
    use ErrorCode::{InvalidField, InvalidPhoneNumberId, InvalidPolicy};
    let callback_data = format!(r#""biz_opaque_callback_data":"{}""#, "é".repeat(513));
    for (members, code, pointer) in [
        (r#""from":"+15550100""#, InvalidPhoneNumberId, "/from"),
        (r#""from":111"#, InvalidPhoneNumberId, "/from"),
        (r#""priority":"urgent""#, InvalidField, "/priority"),
        (r#""priority":1"#, InvalidField, "/priority"),
        (r#""unknownOutcome":"exactly_once""#, InvalidPolicy, "/unknownOutcome"),
        (r#""unknownOutcome":true"#, InvalidPolicy, "/unknownOutcome"),
        (r#""bizOpaqueCallbackData":7"#, InvalidField, "/bizOpaqueCallbackData"),
        (&callback_data, InvalidField, "/biz_opaque_callback_data"),
        (r#""messaging_product":"sms""#, InvalidField, "/messaging_product"),
        (r#""messaging_product":1"#, InvalidField, "/messaging_product"),
    ] {
        check_refused(&with_fields(members), code, pointer);
    }
}

#[test]
fn metas_envelope_is_checked() {
    use ErrorCode::{InvalidContext, InvalidField};
    for (members, code, pointer) in [
        (r#""context":"wamid.X""#, InvalidContext, "/context"),
        (r#""context":{}"#, InvalidContext, "/context/message_id"),
        (
            r#""context":{"message_id":null}"#,
            InvalidContext,
            "/context/message_id",
        ),
        (r#""context":{"message_id":7}"#, InvalidContext, "/context/message_id"),
        (
            r#""context":{"message_id":"msg_1"}"#,
            InvalidContext,
            "/context/message_id",
        ),
        (
            r#""context":{"message_id":"wamid.a b"}"#,
            InvalidContext,
            "/context/message_id",
        ),
        (r#""recipient_type":"channel""#, InvalidField, "/recipient_type"),
        (
            r#""recipient_identity_key_hash":1"#,
            InvalidField,
            "/recipient_identity_key_hash",
        ),
        (r#""messaging_account_id":"abc""#, InvalidField, "/messaging_account_id"),
        (
            r#""messaging_account_id":102290129340398"#,
            InvalidField,
            "/messaging_account_id",
        ),
        (r#""category":{}"#, InvalidField, "/category"),
        (r#""direct_send_config":"x""#, InvalidField, "/direct_send_config"),
        (r#""ttl_seconds":0"#, InvalidField, "/ttl_seconds"),
        (r#""ttl_seconds":-1"#, InvalidField, "/ttl_seconds"),
        (r#""ttl_seconds":-0"#, InvalidField, "/ttl_seconds"),
        (r#""ttl_seconds":1e9"#, InvalidField, "/ttl_seconds"),
        (r#""ttl_seconds":1.5"#, InvalidField, "/ttl_seconds"),
        (r#""ttl_seconds":"60""#, InvalidField, "/ttl_seconds"),
        (r#""ttlSeconds":"1h""#, InvalidField, "/ttlSeconds"),
        (r#""ttl_seconds":2592001"#, InvalidField, "/ttl_seconds"),
        (
            r#""product_policy":"STRICT""#,
            ErrorCode::TypeMismatch,
            "/product_policy",
        ),
    ] {
        check_refused(&with_fields(members), code, pointer);
    }
}

#[test]
fn times_have_an_offset_and_lie_within_thirty_days() {
    for time in [
        "",
        "tomorrow",
        "2026-11-22",
        "2026-11-22T10:00:00",
        "2026-11-22 11:00:00Z",
        "2026-11-22T11:00Z",
        "20261122T110000Z",
        "2026-11-22T11:00:00+0530",
        "2026-11-22T11:00:00+05:30[Asia/Dhaka]",
        "2026-11-31T11:00:00Z",
        "2025-02-30T10:00:00Z",
        "2026-11-22T25:00:00Z",
        "+002026-11-22T11:00:00Z",
        "2026-11-22T09:58:59.999Z",
        "1970-01-01T00:00:00Z",
        "2026-12-22T10:00:00.001Z",
        "9999-12-31T23:59:59Z",
    ] {
        let body = with_fields(&format!(r#""sendAt":"{time}""#));
        check_refused(&body, ErrorCode::InvalidSendAt, "/sendAt");
        let body = with_fields(&format!(r#""expiresAt":"{time}""#));
        check_refused(&body, ErrorCode::InvalidExpiresAt, "/expiresAt");
    }
    check_refused(
        &with_fields(r#""sendAt":1795341600"#),
        ErrorCode::InvalidSendAt,
        "/sendAt",
    );
    check_refused(
        &with_fields(r#""expiresAt":"2026-11-22T10:00:00Z""#),
        ErrorCode::InvalidExpiresAt,
        "/expiresAt",
    );
    check_refused(
        &with_fields(r#""sendAt":"2026-11-23T10:00:00Z","expiresAt":"2026-11-23T10:00:00Z""#),
        ErrorCode::InvalidExpiresAt,
        "/expiresAt",
    );
}

#[test]
fn metadata_is_flat_and_small_with_plain_names() {
    use ErrorCode::{InvalidMetadata, MetadataTooLarge};
    let too_large = format!(r#"{{"a":"{}"}}"#, "x".repeat(2_048));
    let long_name = format!(r#"{{"{}":1}}"#, "k".repeat(65));
    let long_name_pointer = format!("/metadata/{}…", "k".repeat(64));
    for (metadata, code, pointer) in [
        (too_large.as_str(), MetadataTooLarge, "/metadata"),
        (r#"{"a":{}}"#, InvalidMetadata, "/metadata/a"),
        (r#"{"a":[1]}"#, InvalidMetadata, "/metadata/a"),
        (r#"{"$where":1}"#, InvalidMetadata, "/metadata/$where"),
        (r#"{"a.b":1}"#, InvalidMetadata, "/metadata/a.b"),
        (r#"{"__proto__":1}"#, InvalidMetadata, "/metadata/__proto__"),
        (r#"{"":1}"#, InvalidMetadata, "/metadata/"),
        (&long_name, InvalidMetadata, &long_name_pointer),
        ("[]", InvalidMetadata, "/metadata"),
        (r#""a""#, InvalidMetadata, "/metadata"),
    ] {
        check_refused(&with_fields(&format!(r#""metadata":{metadata}"#)), code, pointer);
    }
}

#[test]
fn all_wrong_fields_are_reported_at_once() {
    let problem = refuse(
        br#"{"to":"abc","text":"","Priority":"red","sendAt":"now","priority":"x","metadata":{"a":[],"b c":1},"context":1}"#,
    );
    let pointers: Vec<_> = problem.errors.iter().map(|error| error.pointer.as_str()).collect();
    assert_eq!(
        pointers,
        [
            "/Priority",
            "/text",
            "/to",
            "/context",
            "/sendAt",
            "/priority",
            "/metadata/a",
            "/metadata/b c"
        ]
    );
    assert_eq!(problem.code, ErrorCode::UnknownField);
    assert!(problem.detail.ends_with("(and 7 more)"), "{}", problem.detail);
}
