//! Meta's form of a read mark, which comes through the same door as messages: it names no recipient, and is no message.

use super::super::ids::{PhoneNumberId, Wamid};
use super::super::problem::{ErrorCode, Problem};
use super::findings::{At, Findings};
use super::json::{self, Member, Node};

/// That a message of a person was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadMark {
    /// The tenant's number that it came to; `None` for the default one.
    pub from: Option<PhoneNumberId>,
    /// The message.
    pub wamid: Wamid,
    /// True if the person is shown that an answer is being typed.
    pub typing: bool,
}

/// Reads a body that marks a message as read. `None` if it is none: a message, or nothing that can be understood.
///
/// # Errors
/// It is a read mark, and something about it is wrong.
pub fn read(body: &[u8]) -> Result<Option<ReadMark>, Problem> {
    // Nearly no message has a field of that name, also inside.
    if !body.windows(STATUS.len()).any(|window| window == STATUS) {
        return Ok(None);
    }
    let Ok(members) = json::read(body) else { return Ok(None) };
    let get = |name: &str| members.iter().find(|member| member.name == name);
    let (Some(status), Some(message_id), None) = (get("status"), get("message_id"), get("to")) else {
        return Ok(None);
    };
    let mut findings = Findings::default();
    let mut wrong = |at: &str, message: &str| findings.add(ErrorCode::InvalidField, &At::field(at), message);
    if status.node.as_text() != Some("read") {
        wrong("status", "must be read");
    }
    let wamid = message_id.node.as_text().filter(|text| text.starts_with("wamid."));
    let wamid = wamid.and_then(|text| Wamid::parse(text).ok());
    if wamid.is_none() {
        wrong("message_id", "must be Meta's id of a message, wamid.…");
    }
    let typing = match get("typing_indicator").map(|member| &member.node) {
        None | Some(Node::Null) => false,
        Some(indicator) if indicator.get("type").and_then(Node::as_text) == Some("text") => true,
        Some(_) => {
            wrong("typing_indicator", "must have the type text");
            false
        }
    };
    let from = get("from").map(|member| member.node.as_text().and_then(|text| PhoneNumberId::parse(text).ok()));
    if from == Some(None) {
        wrong("from", "must be a phone number id, in digits");
    }
    let unknown = |member: &&Member<'_>| !KNOWN.contains(&&*member.name);
    if let Some(member) = members.iter().find(unknown) {
        wrong(&member.name, "is no field of a read mark");
    }
    match (findings.into_problem(), wamid) {
        (None, Some(wamid)) => Ok(Some(ReadMark {
            from: from.flatten(),
            wamid,
            typing,
        })),
        (problem, _) => Err(problem.expect("a missing id is a finding")),
    }
}

const STATUS: &[u8] = b"\"status\"";
const KNOWN: [&str; 5] = ["messaging_product", "status", "message_id", "typing_indicator", "from"];

#[cfg(test)]
mod tests {
    use super::*;

    fn code_of(body: &str) -> Option<ErrorCode> {
        read(body.as_bytes()).err().map(|problem| problem.code)
    }

    #[test]
    fn metas_read_marks_are_told_from_messages() {
        let mark = read(br#"{"messaging_product":"whatsapp","status":"read","message_id":"wamid.X"}"#);
        let mark = mark.expect("fine").expect("a read mark");
        assert_eq!((mark.wamid.as_str(), mark.typing, mark.from), ("wamid.X", false, None));
        let typing = r#"{"status":"read","message_id":"wamid.X","typing_indicator":{"type":"text"},"from":"111"}"#;
        let mark = read(typing.as_bytes()).expect("fine").expect("a read mark");
        assert!(mark.typing && mark.from.is_some());
        for message in [
            r#"{"to":"+919111111111","text":"the \"status\" of your order"}"#,
            r#"{"to":"+919111111111","text":"x","status":"read","message_id":"wamid.X"}"#,
            r#"{"status":"read"}"#,
            r#"{"status":"#,
        ] {
            assert_eq!(read(message.as_bytes()), Ok(None), "{message}");
        }
    }

    #[test]
    fn a_wrong_read_mark_is_refused() {
        for body in [
            r#"{"status":"delivered","message_id":"wamid.X"}"#,
            r#"{"status":"read","message_id":"X"}"#,
            r#"{"status":"read","message_id":"wamid.X","typing_indicator":{"type":"voice"}}"#,
            r#"{"status":"read","message_id":"wamid.X","from":"+1"}"#,
            r#"{"status":"read","message_id":"wamid.X","idempotency_key":"k"}"#,
        ] {
            assert_eq!(code_of(body), Some(ErrorCode::InvalidField), "{body}");
        }
    }
}
