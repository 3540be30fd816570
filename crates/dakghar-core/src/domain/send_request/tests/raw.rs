//! `raw`: Meta's own body, of which only the recipient and the name of the type are read.

use super::*;

fn raw(body: &str, options: &str) -> String {
    format!(r#"{{"raw":{body}{options}}}"#)
}

#[test]
fn the_body_goes_on_as_it_is_however_odd() {
    let body = r#"{"messaging_product":"whatsapp","to":"91 91111 11111","type":"template","Sendat":1,
        "template":{ "name" : "NOT our rule", "components":[{"type":"button"}] },"text":"beside","biz_opaque_callback_data":"mine"}"#;
    let request = accept(&raw(body, r#","from":"111","priority":"high","idempotency_key":"k""#));
    assert_eq!(&*request.to.text, "+919111111111");
    assert_eq!(&*request.content.kind, "template");
    assert_eq!(
        &*request.content.body,
        r#"{ "name" : "NOT our rule", "components":[{"type":"button"}] }"#
    );
    assert_eq!(
        request.content.envelope.as_deref(),
        Some(r#"{"Sendat":1,"text":"beside"}"#)
    );
    assert_eq!(request.client_opaque.as_deref(), Some("mine"));
    assert_eq!(request.from.as_ref().map(ToString::to_string).as_deref(), Some("111"));
    assert!(request.idempotency_key.is_some());

    let without_object = accept(&raw(r#"{"to":"+919111111111","type":"hologram"}"#, ""));
    assert_eq!(&*without_object.content.body, "null");
    let short = accept(&raw(r#"{"to":"+919111111111","text":"a string"}"#, ""));
    assert_eq!(&*short.content.body, r#""a string""#);
}

#[test]
fn whom_it_goes_to_is_checked_and_nothing_else_may_stand_beside_it() {
    use ErrorCode::{InvalidField, InvalidTo, InvalidType, TypeMismatch, UnknownField};
    for (body, code, pointer) in [
        (raw("[]", ""), InvalidField, "/raw"),
        (raw(r#""x""#, ""), InvalidField, "/raw"),
        (raw(r#"{"type":"text","text":{}}"#, ""), InvalidTo, "/raw/to"),
        (raw(r#"{"to":"0091911","text":{}}"#, ""), InvalidTo, "/raw/to"),
        (raw(r#"{"to":"+919111111111"}"#, ""), InvalidType, "/raw/type"),
        (
            raw(r#"{"to":"+919111111111","text":{},"sendAt":"x"}"#, ""),
            TypeMismatch,
            "/raw/sendAt",
        ),
        (
            raw(r#"{"to":"+919111111111","text":{},"messaging_product":"sms"}"#, ""),
            InvalidField,
            "/raw/messaging_product",
        ),
        (
            raw(r#"{"to":"+919111111111","text":{},"Method":"delete"}"#, ""),
            UnknownField,
            "/raw/Method",
        ),
        (
            raw(r#"{"to":"+919111111111","type":"ids","ids":"222"}"#, ""),
            InvalidType,
            "/raw/type",
        ),
        (
            raw(r#"{"to":"+919111111111","text":{}}"#, r#","to":"+919111111111""#),
            TypeMismatch,
            "/to",
        ),
        (
            raw(r#"{"to":"+919111111111","text":{}}"#, r#","future_field":1"#),
            TypeMismatch,
            "/future_field",
        ),
        (
            raw(r#"{"to":"+919111111111","text":{}}"#, r#","priority":"x""#),
            InvalidField,
            "/priority",
        ),
    ] {
        check_refused(&body, code, pointer);
    }
    let deep = raw(
        &format!(
            r#"{{"to":"+919111111111","text":{}{}}}"#,
            "[".repeat(40),
            "]".repeat(40)
        ),
        "",
    );
    assert_eq!(refuse(deep.as_bytes()).code, ErrorCode::TooDeep);
}

#[test]
fn it_means_the_same_as_its_fields() {
    let fields = r#"{"to":"+919111111111","text":{"body":"a"},"context":{"message_id":"wamid.X"}}"#;
    assert_eq!(accept(&raw(fields, "")).fingerprint, accept(fields).fingerprint);
    let other = r#"{"to":"+919111111111","text":{"body":"b"},"context":{"message_id":"wamid.X"}}"#;
    assert_ne!(accept(&raw(other, "")).fingerprint, accept(fields).fingerprint);
}
