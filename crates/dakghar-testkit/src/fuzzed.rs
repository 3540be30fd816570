//! What holds for every input from outside, whatever its bytes. A test calls these with the
//! inputs in `fuzz/corpus`, and a fuzzer can with any; each panics where a promise is broken.

use dakghar_core::app::CursorSigner;
use dakghar_core::domain::Timestamp;
use dakghar_core::domain::meta_app::Addressed;
use dakghar_core::domain::send_request::{self, SendRequest};
use dakghar_core::domain::webhook::WebhookPart;
use dakghar_core::ports::{JobKey, SignatureCheck, WebhookCodec};
use serde_json::{Value, json};

/// The secret under which the signatures of [`signature_header`] are judged.
pub const APP_SECRET: &str = "fuzzed-app-secret";
/// The body that is signed.
pub const SIGNED_BODY: &[u8] = br#"{"object":"whatsapp_business_account","entry":[]}"#;
/// Its right signature: HMAC-SHA256 under [`APP_SECRET`].
pub const SIGNATURE: &str = "sha256=20f13b62935f40cddc2ca86ce0b5273faf0cd85916f69d1c1b2401f10efb107f";
/// 2026-11-22T10:00:00Z
const NOW: Timestamp = Timestamp::from_millis(1_795_341_600_000);
/// As much text as a refusal may have, whatever it refuses.
const DETAIL_CHARS_MAX: usize = 1_000;

/// The body of a webhook: every message and status in it is kept, and something of one that cannot be read. Returns how
/// many messages and statuses it has.
///
/// # Panics
///
/// If something of it is lost.
pub fn webhook_body(codec: &dyn WebhookCodec, body: &[u8]) -> usize {
    let parts = codec.parse(body);
    let shown = String::from_utf8_lossy(body);
    assert!(!parts.is_empty(), "the body has vanished: {shown}");
    let kept: Vec<&str> = parts.iter().map(raw).collect();
    let Ok(value) = serde_json::from_slice::<Value>(body) else {
        return 0;
    };
    let kept: Vec<Value> = kept
        .iter()
        .map(|raw| serde_json::from_str(raw).expect("a part of JSON is JSON"))
        .collect();
    for update in updates(&value) {
        let is_kept = kept.iter().any(|part| holds(part, update));
        assert!(is_kept, "{update} of {shown}");
    }
    updates(&value).count()
}

fn raw(part: &WebhookPart) -> &str {
    match part {
        WebhookPart::Message(message) => &message.raw,
        WebhookPart::Status(status) => &status.raw,
        WebhookPart::Other(other) => &other.raw,
    }
}

/// Every message and status in a body, where Meta puts them.
fn updates(body: &Value) -> impl Iterator<Item = &Value> {
    elements(&body["entry"])
        .flat_map(|entry| elements(&entry["changes"]))
        .flat_map(|change| {
            let value = &change["value"];
            elements(&value["messages"]).chain(elements(&value["statuses"]))
        })
}

fn elements(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

/// True if the value is a part of the other one, or all of it.
fn holds(whole: &Value, part: &Value) -> bool {
    whole == part
        || match whole {
            Value::Array(elements) => elements.iter().any(|element| holds(element, part)),
            Value::Object(fields) => fields.values().any(|field| holds(field, part)),
            _ => false,
        }
}

/// The header with the signature of [`SIGNED_BODY`]: only the right one is accepted, in digits of either case. The input
/// is a header or, after a zero, pairs of a place and a change to the right one.
///
/// # Panics
///
/// If a wrong one is accepted, or the right one refused.
pub fn signature_header(codec: &dyn WebhookCodec, input: &[u8]) {
    let header = match input {
        [0, changes @ ..] => {
            let mut header = SIGNATURE.as_bytes().to_vec();
            for change in changes.chunks_exact(2) {
                let at = usize::from(change[0]) % header.len();
                header[at] ^= change[1];
            }
            header
        }
        header => header.to_vec(),
    };
    let (prefix, digits) = SIGNATURE.as_bytes().split_at("sha256=".len());
    let is_right = header
        .strip_prefix(prefix)
        .is_some_and(|given| given.eq_ignore_ascii_case(digits));
    let verdict = codec.check_signature(Addressed::AnyApp, SIGNED_BODY, &[&header]);
    assert_eq!(verdict == SignatureCheck::Valid, is_right, "{verdict:?}");
    let other = codec.check_signature(Addressed::AnyApp, input, &[SIGNATURE.as_bytes()]);
    assert_eq!(other == SignatureCheck::Valid, input == SIGNED_BODY, "of another body");
}

/// The body of a send: refused in a few words that point at fields of it, or passed on as it is.
///
/// # Panics
///
/// If a refusal is long or points nowhere, or what is passed on is not what came.
pub fn send_body(body: &[u8]) {
    match send_request::parse(body, &[], NOW, &|_| None) {
        Ok(request) => passes_on(&request, body),
        Err(problem) => {
            assert!(problem.detail.chars().count() < DETAIL_CHARS_MAX, "{}", problem.detail);
            for error in &problem.errors {
                assert!(
                    error.pointer.is_empty() || error.pointer.starts_with('/'),
                    "{}",
                    error.pointer
                );
            }
        }
    }
}

fn passes_on(request: &SendRequest, body: &[u8]) {
    let mut came: Value = serde_json::from_slice(body).expect("what is accepted is JSON");
    let is_raw = came["raw"].is_object();
    if is_raw {
        came = came["raw"].take();
    }
    let passed: Value = serde_json::from_str(&request.content.body).expect("what is passed on is JSON");
    let content = match &came[&*request.content.kind] {
        Value::String(text) if &*request.content.kind == "text" && !is_raw => json!({"body": text}),
        content => content.clone(),
    };
    assert_eq!(passed, content, "another content is passed on");
    if let Some(envelope) = &request.content.envelope {
        let envelope: Value = serde_json::from_str(envelope).expect("the envelope is JSON");
        assert!(envelope.is_object());
    }
}

/// A list, a line, and a cursor for it: it opens only if it was made for this list.
///
/// # Panics
///
/// If a forged one opens, one opens for another list, or its own does not.
pub fn cursor(input: &[u8]) {
    let input = String::from_utf8_lossy(input);
    let (list, given) = input.split_once('\n').unwrap_or(("messages/ten_a", &input));
    let signer = CursorSigner::new(&[1; 32]);
    if let Ok(position) = signer.open(list, given) {
        assert_eq!(signer.sign(list, &position), given, "it opens, and was never made");
    }
    let own = signer.sign(list, given);
    assert_eq!(signer.open(list, &own).as_deref(), Ok(given), "its own does not open");
    for other in [format!("{list}x"), format!("x{list}"), String::new()] {
        assert!(
            other == list || signer.open(&other, &own).is_err(),
            "it opens for {other}"
        );
    }
}

/// The id of a job in BullMQ, a line, and its data: it is no work of ours, or that which it names.
///
/// # Panics
///
/// If it is the work of a message that is not named.
pub fn bullmq_job(read: impl Fn(&str, &Value) -> Option<(JobKey, u32)>, input: &[u8]) {
    let input = String::from_utf8_lossy(input);
    let (id, data) = input.split_once('\n').unwrap_or(("", &input));
    let data = serde_json::from_str(data).unwrap_or_else(|_| Value::String(data.to_owned()));
    if let Some((JobKey::Send(key), drive)) = read(id, &data) {
        assert_eq!(data["messageId"], key.message_id.to_string());
        assert_eq!(data["tenantId"], key.tenant_id.to_string());
        assert!(drive == 0 || id.contains('.'), "drive {drive} of {id}");
    }
}
