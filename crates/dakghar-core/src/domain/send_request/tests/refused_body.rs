use super::super::json::DEPTH_MAX;
use super::*;

#[test]
fn a_body_is_required() {
    for body in ["", " ", "\r\n\t "] {
        assert_eq!(refuse(body.as_bytes()).code, ErrorCode::BodyRequired, "{body:?}");
    }
}

#[test]
fn the_body_is_one_object_in_utf8_and_nothing_else() {
    let bodies: &[&[u8]] = &[
        b"{",
        b"{\"to\":\"+919111111111\",\"text\":\"Hello\"",
        b"{\"to\":}",
        b"{'to':'x'}",
        b"{to:1}",
        b"{\"to\":\"x\",}",
        b"[]",
        b"\"x\"",
        b"null",
        b"1",
        b"true",
        b"{} {}",
        b"{\"to\":\"+919111111111\",\"text\":\"Hello\"}x",
        b"{\"to\":\"+919111111111\",\"text\":\"Hello\"}\0",
        b"\xef\xbb\xbf{\"to\":\"+919111111111\",\"text\":\"Hello\"}",
        b"{\"to\":\"+919111111111\",\"text\":\"\xff\"}",
        b"{\"to\":\"+919111111111\",\"text\":\"\xed\xa0\x80\"}",
        b"{\"to\":\"+919111111111\",\"text\":\"a\nb\"}",
        b"{\"to\":\"+919111111111\",\"text\":\"\\x\"}",
        b"{\"to\":NaN,\"text\":\"Hello\"}",
        b"{\"to\":01,\"text\":\"Hello\"}",
        b"{\"to\":\"+919111111111\",\"text\":\"Hello\"} // bye",
    ];
    for body in bodies {
        let problem = refuse(body);
        assert_eq!(
            problem.code,
            ErrorCode::MalformedJson,
            "{}",
            String::from_utf8_lossy(body)
        );
    }
}

#[test]
fn half_of_a_surrogate_pair_is_malformed_wherever_it_is() {
    for (body, pointer) in [
        (r#"{"to":"+919111111111","text":"\ud800"}"#, "/text"),
        (r#"{"to":"+919111111111","text":"\udc00x"}"#, "/text"),
        (
            r#"{"to":"+919111111111","text":{"body":"a","x":["\ud83d\u0041"]}}"#,
            "/text/x/0",
        ),
        (r#"{"to":"+919111111111","text":{"body":"a","\ud800":1}}"#, "/text"),
    ] {
        check_refused(body, ErrorCode::MalformedJson, pointer);
    }
    assert_eq!(refuse(br#"{"\ud800":1}"#).code, ErrorCode::MalformedJson);
    accept(r#"{"to":"+919111111111","text":"\ud83d\ude00"}"#);
}

#[test]
fn no_field_is_given_twice_at_any_level() {
    for (body, pointer) in [
        (r#"{"to":"+919111111111","to":"+919111111112","text":"a"}"#, "/to"),
        (r#"{"to":"+919111111111","to":"+919111111111","text":"a"}"#, "/to"),
        (r#"{"to":"+919111111111","t\u006f":"+919111111111","text":"a"}"#, "/to"),
        (r#"{"to":"+919111111111","text":{"body":"a","body":"b"}}"#, "/text/body"),
        (
            r#"{"to":"+919111111111","type":"order","order":{"items":[{"a":1},{"a/b":1,"a/b":null}]}}"#,
            "/order/items/1/a~1b",
        ),
        (
            r#"{"to":"+919111111111","text":"a","biz_opaque_callback_data":"x","bizOpaqueCallbackData":"x"}"#,
            "/bizOpaqueCallbackData",
        ),
    ] {
        check_refused(body, ErrorCode::DuplicateField, pointer);
    }
    let many: Vec<String> = (0..40).map(|i| format!("\"k{i}\":{i}")).collect();
    let object = format!("{{{},\"k7\":0}}", many.join(","));
    check_refused(&of_type("order", &object), ErrorCode::DuplicateField, "/order/k7");
}

#[test]
fn nesting_has_a_limit() {
    let nested = |depth: usize| {
        let inner = depth - 1;
        of_type("order", &format!("{}{}", "[".repeat(inner), "]".repeat(inner)))
    };
    accept(&nested(DEPTH_MAX));
    for depth in [DEPTH_MAX + 1, 200, 100_000] {
        assert_eq!(refuse(nested(depth).as_bytes()).code, ErrorCode::TooDeep, "{depth}");
    }
    let objects = format!("{}1{}", "{\"a\":".repeat(40), "}".repeat(40));
    assert_eq!(refuse(of_type("order", &objects).as_bytes()).code, ErrorCode::TooDeep);
    assert_eq!(refuse("[".repeat(100_000).as_bytes()).code, ErrorCode::MalformedJson);
}

#[test]
fn numbers_that_no_double_can_hold_are_refused_where_they_are() {
    check_refused(
        &of_type("order", r#"{"a":[1,1e400]}"#),
        ErrorCode::InvalidField,
        "/order/a/1",
    );
    check_refused(
        &with_fields(r#""ttl_seconds":-1e999"#),
        ErrorCode::InvalidField,
        "/ttl_seconds",
    );
}

#[test]
fn answers_never_repeat_more_than_a_little_of_the_request() {
    let long = "z".repeat(100_000);
    for body in [
        long.clone(),
        format!(r#"{{"{long}":1}}"#),
        format!(r#"{{"to":"{long}","type":"{long}","text":"{long}","priority":"{long}","from":"{long}"}}"#),
        with_fields(&format!(r#""metadata":{{"{long}":1}}"#)),
        with_fields(&format!(r#""metadata":{{"{}":1}}"#, "z".repeat(1_000))),
        of_type("order", &format!(r#"{{"{long}":{{"{long}":1e400}}}}"#)),
        of_type("image", &format!(r#"{{"link":"https://{long}"}}"#)),
        format!(
            r#"{{"to":"+919111111111","text":"a",{}}}"#,
            (0..500).map(|i| format!(r#""u{i}":1"#)).collect::<Vec<_>>().join(",")
        ),
    ] {
        let problem = refuse(body.as_bytes());
        assert!(problem.detail.len() < 300, "{}", problem.detail);
        assert!(problem.errors.len() <= super::super::findings::FINDINGS_MAX);
        for error in &problem.errors {
            assert!(error.pointer.len() < 200, "{}", error.pointer);
            assert!(error.message.len() < 200, "{}", error.message);
        }
    }
}
