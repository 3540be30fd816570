//! The recipient of a message: a phone number, a group, or a person whose number Meta hides.

use std::sync::Arc;

use super::super::conversation::ConversationKind;
use super::super::country::{
    Country, NumberFault, PHONE_DIGITS_MAX, PHONE_DIGITS_MIN, Reading, is_between_digits, read_international,
    read_unmarked,
};
use super::super::ids::WaId;
use super::super::problem::ErrorCode;
use super::fields::{Field, Fields};
use super::findings::{At, Findings};

/// The most digits in front of a number at home.
const TRUNK_DIGITS_MAX: usize = 2;
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
    /// True if the country code was not given, and is that of the sending number's default country.
    pub was_national: bool,
}

/// Reads `to`, or `recipient` in its place. If both are given, `to` wins, as it does at Meta. A number without its country
/// code is one of `home`, if that is given.
pub(super) fn read(fields: &Fields<'_>, home: Option<Country>, findings: &mut Findings) -> Option<Recipient> {
    let is_group = is_group(fields);
    let (field, member) = match (fields.get(Field::To), fields.get(Field::Recipient)) {
        (Some(to), _) => ("to", to),
        (None, Some(recipient)) if !is_group => ("recipient", recipient),
        (None, _) => {
            findings.add(ErrorCode::InvalidTo, &At::field("to"), "is required");
            return None;
        }
    };
    let text = member.node.as_text();
    let recipient = match field {
        "to" if is_group => text.and_then(verbatim).ok_or("must be the id of a group"),
        "to" => text.ok_or(NO_PHONE).and_then(|text| parse_phone(text, home)),
        _ => text
            .filter(|text| is_user_id(text))
            .and_then(verbatim)
            .ok_or("must be a user id, such as US.13491208655302741918"),
    };
    let kind = if is_group {
        ConversationKind::Group
    } else {
        ConversationKind::Person
    };
    match recipient {
        Ok(recipient) => Some(Recipient { kind, ..recipient }),
        Err(message) => {
            findings.add(ErrorCode::InvalidTo, &At::field(field), message);
            None
        }
    }
}

/// True if the message goes to a group.
pub(super) fn is_group(fields: &Fields<'_>) -> bool {
    fields
        .get(Field::RecipientType)
        .is_some_and(|member| member.node.as_text() == Some("group"))
}

fn verbatim(text: &str) -> Option<Recipient> {
    Some(Recipient {
        id: WaId::parse(text).ok()?,
        text: text.into(),
        kind: ConversationKind::Person,
        has_placeholders: false,
        was_national: false,
    })
}

const NO_PHONE: &str = "must be a phone number with country code, such as +919111111111";

/// Reads a phone number as people write it. Adds a missing `+`, because without it Meta would put the sender's own
/// country code in front; and the code of `home`, if the number is one of that country and cannot be another one.
fn parse_phone(text: &str, home: Option<Country>) -> Result<Recipient, &'static str> {
    let mut digits = Vec::with_capacity(PHONE_DIGITS_MAX);
    let mut has_plus = false;
    let mut has_placeholders = false;
    for c in text.chars() {
        let digit = match c {
            '+' if digits.is_empty() && !has_plus => {
                has_plus = true;
                continue;
            }
            '0'..='9' => c,
            'x' if !digits.is_empty() => {
                has_placeholders = true;
                c
            }
            _ if is_between_digits(c) => continue,
            _ => return Err(NO_PHONE),
        };
        if digits.len() == PHONE_DIGITS_MAX + TRUNK_DIGITS_MAX {
            return Err(NO_PHONE);
        }
        digits.push(u8::try_from(digit).expect("ASCII"));
    }
    let reading = if has_plus {
        read_international(&digits).map(|()| Reading::International)
    } else {
        read_unmarked(&digits, home)
    };
    let reading = reading.map_err(words_of)?;
    let rest = |skip: usize| String::from_utf8(digits[skip..].to_vec()).expect("ASCII");
    let (number, was_national) = match reading {
        Reading::International => (rest(0), false),
        Reading::National { code, skip } => (format!("{code}{}", rest(skip)), true),
    };
    if !(PHONE_DIGITS_MIN..=PHONE_DIGITS_MAX).contains(&number.len()) {
        return Err(NO_PHONE);
    }
    Ok(Recipient {
        text: format!("+{number}").into(),
        id: WaId::parse(&number).expect("7 to 15 letters and digits are an id"),
        kind: ConversationKind::Person,
        has_placeholders,
        was_national,
    })
}

/// Says what a client can do about it.
const fn words_of(fault: NumberFault) -> &'static str {
    match fault {
        NumberFault::InternationalPrefix => "must begin with + and the country code in place of 00",
        NumberFault::National => {
            "is a number as at home: write + and the country code, or give the sending number a defaultCountry"
        }
        NumberFault::NoSuchCode => "begins with no country code; it must be a number such as +919111111111",
        NumberFault::Length(_) => "has a length that no number of its country has; write + and the country code",
        NumberFault::TrunkPrefix(_) => "has a 0 behind the country code that is dialled at home only; leave it out",
        NumberFault::Ambiguous => "may be a number of two countries; write + and the country code",
    }
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
