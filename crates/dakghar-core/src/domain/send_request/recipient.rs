//! The recipient of a message: a phone number, a group, or a person whose number Meta hides.

use std::sync::Arc;

use super::super::conversation::ConversationKind;
use super::super::ids::WaId;
use super::super::problem::ErrorCode;
use super::fields::{Field, Fields};
use super::findings::{At, Findings};

/// Digits of an international phone number.
const PHONE_DIGITS_MIN: usize = 7;
const PHONE_DIGITS_MAX: usize = 15;
/// Characters of a business-scoped user id after the country code.
const USER_ID_CHARS_MAX: usize = 128;

/// The recipient of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    /// The normalised form that goes to Meta: `+919111111111`, or a user or group id as it is.
    pub text: Arc<str>,
    /// The form used as a key: digits without `+`, or a user or group id as it is.
    pub id: WaId,
    /// A person or a group.
    pub kind: ConversationKind,
    /// True if the number has `x` in place of some digits, as in documentation. No real number can be reached by it.
    pub has_placeholders: bool,
}

/// Reads `to`, or `recipient` in its place. If both are given, `to` wins, as it does at Meta.
pub(super) fn read(fields: &Fields<'_>, findings: &mut Findings) -> Option<Recipient> {
    let is_group = fields
        .get(Field::RecipientType)
        .is_some_and(|member| member.node.as_text() == Some("group"));
    let (field, member) = match (fields.get(Field::To), fields.get(Field::Recipient)) {
        (Some(to), _) => ("to", to),
        (None, Some(recipient)) if !is_group => ("recipient", recipient),
        (None, _) => {
            findings.add(ErrorCode::InvalidTo, &At::field("to"), "is required");
            return None;
        }
    };
    let text = member.node.as_text();
    let (recipient, message) = match field {
        "to" if is_group => (text.and_then(verbatim), "must be the id of a group"),
        "to" => (
            text.and_then(parse_phone),
            "must be a phone number with country code, such as +919111111111",
        ),
        _ => (
            text.filter(|text| is_user_id(text)).and_then(verbatim),
            "must be a user id, such as US.13491208655302741918",
        ),
    };
    let kind = if is_group {
        ConversationKind::Group
    } else {
        ConversationKind::Person
    };
    let recipient = recipient.map(|recipient| Recipient { kind, ..recipient });
    if recipient.is_none() {
        findings.add(ErrorCode::InvalidTo, &At::field(field), message);
    }
    recipient
}

fn verbatim(text: &str) -> Option<Recipient> {
    Some(Recipient {
        id: WaId::parse(text).ok()?,
        text: text.into(),
        kind: ConversationKind::Person,
        has_placeholders: false,
    })
}

/// Reads a phone number as people write it. Adds a missing `+`, because without it Meta would put the sender's own
/// country code in front.
fn parse_phone(text: &str) -> Option<Recipient> {
    let mut normalised = String::with_capacity(1 + PHONE_DIGITS_MAX);
    normalised.push('+');
    let mut has_plus = false;
    let mut has_placeholders = false;
    for byte in text.bytes() {
        let is_start = normalised.len() == 1;
        match byte {
            b' ' | b'-' | b'.' | b'(' | b')' => continue,
            b'+' if is_start && !has_plus => {
                has_plus = true;
                continue;
            }
            b'0'..=b'9' => {}
            b'x' if !is_start => has_placeholders = true,
            _ => return None,
        }
        if normalised.len() > PHONE_DIGITS_MAX {
            return None;
        }
        normalised.push(char::from(byte));
    }
    let digits = &normalised[1..];
    (digits.len() >= PHONE_DIGITS_MIN).then(|| Recipient {
        id: WaId::parse(digits).expect("7 to 15 letters and digits are an id"),
        text: normalised.as_str().into(),
        kind: ConversationKind::Person,
        has_placeholders,
    })
}

/// True for two capital letters of a country, a dot, an optional `ENT.`, and letters and digits.
fn is_user_id(text: &str) -> bool {
    let Some((country, rest)) = text.split_once('.') else {
        return false;
    };
    let id = rest.strip_prefix("ENT.").unwrap_or(rest);
    country.len() == 2
        && country.bytes().all(|byte| byte.is_ascii_uppercase())
        && (1..=USER_ID_CHARS_MAX).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric())
}
