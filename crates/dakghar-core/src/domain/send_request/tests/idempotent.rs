use super::*;

const BODY: &str = r#"{"to":"+919111111111","text":"Hello"}"#;

fn key_of(body: &str, headers: &[&[u8]]) -> Result<Option<String>, ErrorCode> {
    parse(body.as_bytes(), headers, NOW)
        .map(|request| request.idempotency_key.map(|key| key.to_string()))
        .map_err(|problem| problem.code)
}

#[test]
fn the_key_comes_from_the_header_or_the_field() {
    let with_field = with_fields(r#""idempotency_key":"a""#);
    let with_both_spellings = with_fields(r#""idempotency_key":"a","idempotencyKey":"a""#);
    let a = Ok(Some("a".to_owned()));
    assert_eq!(key_of(BODY, &[]), Ok(None));
    assert_eq!(key_of(BODY, &[b"a"]), a);
    assert_eq!(key_of(BODY, &[b"a", b"a"]), a);
    assert_eq!(key_of(&with_field, &[]), a);
    assert_eq!(key_of(&with_field, &[b"a"]), a);
    assert_eq!(key_of(&with_both_spellings, &[b"a"]), a);
    assert_eq!(key_of(BODY, &["k".repeat(255).as_bytes()]), Ok(Some("k".repeat(255))));
}

#[test]
fn keys_that_differ_or_are_unusable_are_refused() {
    let refused = Err(ErrorCode::InvalidIdempotencyKey);
    assert_eq!(key_of(BODY, &[b"a", b"b"]), refused);
    assert_eq!(key_of(&with_fields(r#""idempotency_key":"a""#), &[b"b"]), refused);
    assert_eq!(
        key_of(&with_fields(r#""idempotency_key":"a","idempotencyKey":"b""#), &[]),
        refused
    );
    for header in [
        &b""[..],
        b"a\tb",
        b"   ",
        b"\xff",
        "ключ".as_bytes(),
        "k".repeat(256).as_bytes(),
    ] {
        assert_eq!(key_of(BODY, &[header]), refused, "{header:?}");
    }
    for value in ["7", r#""""#, r#""  ""#, r#""a\nb""#, r#""ключ""#, "{}"] {
        let body = with_fields(&format!(r#""idempotency_key":{value}"#));
        check_refused(&body, ErrorCode::InvalidIdempotencyKey, "/idempotency_key");
    }
}

#[test]
fn requests_that_mean_the_same_have_one_fingerprint() {
    let same = [
        BODY,
        r#"{"text":"Hello","to":"+919111111111"}"#,
        " {\n\t\"to\" : \"+919111111111\" ,\r\n \"text\" : \"Hello\" } ",
        r#"{"to":"+91 91111 11111","text":"Hello"}"#,
        r#"{"to":"919111111111","text":{"body":"Hello"},"type":"text"}"#,
        r#"{"to":"+919111111111","text":"\u0048ello"}"#,
        r#"{"t\u006f":"+919111111111","text":"Hello","messaging_product":"whatsapp"}"#,
        r#"{"to":"+919111111111","text":"Hello","priority":"normal","from":null}"#,
        r#"{"to":"+919111111111","text":"Hello","idempotency_key":"a"}"#,
        r#"{"to":"+919111111111","text":"Hello","idempotencyKey":"b"}"#,
    ];
    for body in same {
        assert_eq!(accept(body).fingerprint, accept(BODY).fingerprint, "{body}");
    }
    for (one, other) in [
        (
            with_fields(r#""sendAt":"2026-11-22T11:00:00Z","bizOpaqueCallbackData":"x""#),
            with_fields(r#""biz_opaque_callback_data":"x","sendAt":"2026-11-22T16:30:00+05:30""#),
        ),
        (
            of_type("hologram", r#"{"a":1,"b":[1e2,-0.0,18446744073709551615,0.5]}"#),
            of_type("hologram", r#"{"b":[100,0,18446744073709551615,5e-1],"a":1.0}"#),
        ),
        (
            with_fields(r#""metadata":{"a":1,"b":"c"},"recipientType":"individual","ttl_seconds":60"#),
            with_fields(r#""ttlSeconds":60,"recipient_type":"individual","metadata":{"b":"c", "a":1}"#),
        ),
    ] {
        assert_eq!(accept(&one).fingerprint, accept(&other).fingerprint, "{one}\n{other}");
    }
}

#[test]
fn every_difference_shows_in_the_fingerprint() {
    let bodies = [
        BODY.to_owned(),
        r#"{"to":"+919111111112","text":"Hello"}"#.to_owned(),
        r#"{"to":"+919111111111","text":"hello"}"#.to_owned(),
        r#"{"to":"+919111111111","text":{"body":"Hello","preview_url":true}}"#.to_owned(),
        of_type("hologram", r#"{"body":"Hello"}"#),
        of_type("hologram", r#"{"a":1}"#),
        of_type("hologram", r#"{"a":"1"}"#),
        of_type("hologram", r#"{"a":true}"#),
        of_type("hologram", r#"{"a":null}"#),
        of_type("hologram", r#"{"a":[1]}"#),
        of_type("hologram", r#"{"a":[[1]]}"#),
        of_type("hologram", r#"{"a":[],"b":[1]}"#),
        of_type("hologram", r#"{"a":[1],"b":[]}"#),
        of_type("hologram", r#"{"a":1.5}"#),
        of_type("hologram", "{}"),
        of_type("hologram", "[]"),
        with_fields(r#""priority":"high""#),
        with_fields(r#""from":"111""#),
        with_fields(r#""sendAt":"2026-11-22T11:00:00Z""#),
        with_fields(r#""expiresAt":"2026-11-22T11:00:00Z""#),
        with_fields(r#""unknownOutcome":"auto""#),
        with_fields(r#""bizOpaqueCallbackData":"auto""#),
        with_fields(r#""bizOpaqueCallbackData":"""#),
        with_fields(r#""metadata":{}"#),
        with_fields(r#""metadata":{"a":"b"}"#),
        with_fields(r#""context":{"message_id":"wamid.X"}"#),
        with_fields(r#""category":"utility""#),
    ];
    let fingerprints: std::collections::BTreeSet<_> = bodies.iter().map(|body| accept(body).fingerprint).collect();
    assert_eq!(fingerprints.len(), bodies.len());
}

#[test]
fn times_that_have_gone_by_are_judged_only_if_nothing_else_is_wrong_and_there_is_a_key() {
    let times = r#""sendAt":"2026-11-22T09:00:00Z","expiresAt":"2026-11-22T09:30:00Z""#;
    let body = with_fields(times);
    let earlier = Timestamp::from_millis(NOW.as_millis() - 2 * 3_600_000);
    let first = parse(body.as_bytes(), &[b"a"], earlier).expect("in time");
    assert_eq!(first.overdue, None);
    let again = parse(body.as_bytes(), &[b"a"], NOW).expect("perhaps a repetition");
    assert_eq!(again.fingerprint, first.fingerprint);
    let overdue = again.overdue.expect("both times have gone by");
    assert_eq!(overdue.code, ErrorCode::InvalidSendAt);
    assert_eq!(overdue.errors.len(), 2);

    assert_eq!(refuse(body.as_bytes()), overdue);
    let body = with_fields(&format!(r#"{times},"priority":"x""#));
    let problem = parse(body.as_bytes(), &[b"a"], NOW).expect_err("refused");
    let pointers: Vec<_> = problem.errors.iter().map(|error| error.pointer.as_str()).collect();
    assert_eq!(pointers, ["/sendAt", "/expiresAt", "/priority"]);
}
