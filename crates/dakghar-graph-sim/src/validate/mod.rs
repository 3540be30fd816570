//! The checks that Meta makes on the body of a send, with the codes it answers.
//!
//! Known types are checked strictly; fields and interactive types that are not known here pass, as
//! Meta adds some several times a year. Whether a template or a media id exists is not known here.

mod constraints;
mod content;
mod interactive;
mod template;

#[cfg(test)]
mod tests;

use serde_json::{Map, Value};

use crate::graph::error::GraphError;
use crate::number::{Number, phone_digits, user_id_of};
use constraints::{optional_text, text};

/// Longest `biz_opaque_callback_data`, in characters.
const BIZ_OPAQUE_CHARS_MAX: usize = 512;

/// What a valid body asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Request {
    /// Send a message.
    Send(Send),
    /// Mark an inbound message as read, perhaps with a typing indicator.
    MarkRead,
}

/// The parts of a valid message that the answer and the statuses need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Send {
    pub(crate) kind: &'static str,
    pub(crate) recipient: Recipient,
    pub(crate) biz_opaque: Option<String>,
}

/// Whom a message goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Recipient {
    /// A phone number: as given, and its digits.
    Phone { input: String, wa_id: String },
    /// A business-scoped user id.
    User(String),
    /// A group id.
    Group(String),
}

impl Recipient {
    /// What the caller wrote.
    pub(crate) fn input(&self) -> &str {
        match self {
            Self::Phone { input, .. } => input,
            Self::User(id) | Self::Group(id) => id,
        }
    }

    /// The phone number if one is known.
    pub(crate) fn wa_id(&self) -> Option<&str> {
        match self {
            Self::Phone { wa_id, .. } => Some(wa_id),
            Self::User(_) | Self::Group(_) => None,
        }
    }

    /// The group id if it is a group.
    pub(crate) fn group_id(&self) -> Option<&str> {
        match self {
            Self::Group(id) => Some(id),
            Self::Phone { .. } | Self::User(_) => None,
        }
    }

    /// The business-scoped user id if the caller sent to one.
    pub(crate) fn given_user_id(&self) -> Option<&str> {
        match self {
            Self::User(id) => Some(id),
            Self::Phone { .. } | Self::Group(_) => None,
        }
    }

    /// The business-scoped user id, made up for a phone number; none for a group.
    pub(crate) fn user_id(&self) -> Option<String> {
        match self {
            Self::Phone { wa_id, .. } => Some(user_id_of(wa_id)),
            Self::User(id) => Some(id.clone()),
            Self::Group(_) => None,
        }
    }
}

/// WhatsApp knows mobile numbers of Brazil without the ninth digit that they have since 2012.
fn known_as(digits: String) -> String {
    const WITH_NINTH: usize = 13;
    match digits.strip_prefix("55").and_then(|rest| rest.split_at_checked(2)) {
        Some((area, rest)) if digits.len() == WITH_NINTH && rest.starts_with('9') => format!("55{area}{}", &rest[1..]),
        _ => digits,
    }
}

/// Checks a body that is sent from `number`.
pub(crate) fn check(body: &Value, number: &Number) -> Result<Request, GraphError> {
    let Value::Object(body) = body else {
        return Err(GraphError::of(100).details("The body must be a JSON object"));
    };
    match body.get("messaging_product") {
        None => return Err(GraphError::parameter_required("messaging_product")),
        Some(Value::String(product)) if product == "whatsapp" => {}
        Some(_) => {
            return Err(GraphError::parameter_invalid(
                "messaging_product",
                "must be one of {WHATSAPP}",
            ));
        }
    }
    if body.contains_key("status") {
        return check_mark_read(body);
    }
    check_send(body, number).map(Request::Send)
}

/// The fields that marketing messages have beside a template.
pub(crate) fn check_marketing(body: &Value, request: &Request) -> Result<(), GraphError> {
    if !matches!(request, Request::Send(send) if send.kind == "template") {
        return Err(GraphError::parameter_invalid("type", "must be one of {TEMPLATE}"));
    }
    match body.get("product_policy").map(Value::as_str) {
        None | Some(Some("CLOUD_API_FALLBACK" | "STRICT")) => {}
        Some(_) => {
            let must = "must be one of {CLOUD_API_FALLBACK, STRICT}";
            return Err(GraphError::parameter_invalid("product_policy", must));
        }
    }
    if body
        .get("message_activity_sharing")
        .is_some_and(|sharing| !sharing.is_boolean())
    {
        return Err(GraphError::parameter_invalid(
            "message_activity_sharing",
            "must be a boolean",
        ));
    }
    Ok(())
}

fn check_mark_read(body: &Map<String, Value>) -> Result<Request, GraphError> {
    if body.get("status").and_then(Value::as_str) != Some("read") {
        return Err(GraphError::parameter_invalid("status", "must be one of {READ}"));
    }
    text(body, "message_id", "message_id", 1, usize::MAX)?;
    if let Some(indicator) = body.get("typing_indicator")
        && indicator.get("type").and_then(Value::as_str) != Some("text")
    {
        return Err(GraphError::not_valid("typing_indicator.type", "must be 'text'"));
    }
    Ok(Request::MarkRead)
}

fn check_send(body: &Map<String, Value>, number: &Number) -> Result<Send, GraphError> {
    let recipient = check_recipient(body)?;
    if recipient.wa_id() == Some(number.display_phone_number.as_str()) {
        return Err(GraphError::of(131_021).details("Recipient cannot be the sender"));
    }
    let biz_opaque = check_biz_opaque(body)?;
    let kind = check_kind(body, &recipient)?;
    check_context(body, kind)?;
    Ok(Send {
        kind,
        recipient,
        biz_opaque,
    })
}

fn check_recipient(body: &Map<String, Value>) -> Result<Recipient, GraphError> {
    let is_group = match body.get("recipient_type").map(Value::as_str) {
        None | Some(Some("individual")) => false,
        Some(Some("group")) => true,
        Some(_) => {
            return Err(GraphError::parameter_invalid(
                "recipient_type",
                "must be one of {INDIVIDUAL, GROUP}",
            ));
        }
    };
    if let Some(to) = body.get("to") {
        let Value::String(to) = to else {
            return Err(GraphError::parameter_invalid("to", "must be a string."));
        };
        if to.is_empty() {
            return Err(GraphError::parameter_required("to"));
        }
        if is_group {
            return Ok(Recipient::Group(to.clone()));
        }
        let wa_id = phone_digits(to).ok_or_else(|| GraphError::not_valid("to", "is not a valid phone number"))?;
        let (input, wa_id) = (to.clone(), known_as(wa_id));
        return Ok(Recipient::Phone { input, wa_id });
    }
    match body.get("recipient") {
        Some(Value::String(id)) if is_user_id(id) => Ok(Recipient::User(id.clone())),
        Some(_) => Err(GraphError::not_valid("recipient", "is not a business-scoped user id")),
        None => Err(GraphError::parameter_required("to")),
    }
}

/// Two upper-case letters, a dot and up to 128 alphanumerics; the parent form has `ENT.` between them.
fn is_user_id(id: &str) -> bool {
    let Some((country, rest)) = id.split_once('.') else {
        return false;
    };
    let rest = rest.strip_prefix("ENT.").unwrap_or(rest);
    country.len() == 2
        && country.bytes().all(|b| b.is_ascii_uppercase())
        && (1..=128).contains(&rest.len())
        && rest.bytes().all(|b| b.is_ascii_alphanumeric())
}

fn check_biz_opaque(body: &Map<String, Value>) -> Result<Option<String>, GraphError> {
    const NAME: &str = "biz_opaque_callback_data";
    match body.get(NAME) {
        None => Ok(None),
        Some(Value::String(data)) if data.chars().count() <= BIZ_OPAQUE_CHARS_MAX => Ok(Some(data.clone())),
        Some(Value::String(_)) => Err(GraphError::parameter_invalid(
            NAME,
            "must be at most 512 characters long.",
        )),
        Some(_) => Err(GraphError::parameter_invalid(NAME, "must be a string.")),
    }
}

fn check_context(body: &Map<String, Value>, kind: &str) -> Result<(), GraphError> {
    match body.get("context") {
        None => Ok(()),
        Some(_) if kind == "reaction" => Err(GraphError::not_valid("context", "is not allowed with a reaction")),
        Some(Value::Object(context)) => text(context, "message_id", "context.message_id", 1, usize::MAX).map(|_| ()),
        Some(_) => Err(GraphError::not_valid("context", "must be an object")),
    }
}

/// Checks `type` and the object of the same name, and gives the type.
fn check_kind(body: &Map<String, Value>, recipient: &Recipient) -> Result<&'static str, GraphError> {
    const NAMES: &str = "must be one of {AUDIO, CONTACTS, DOCUMENT, IMAGE, INTERACTIVE, LOCATION, \
                         PIN, REACTION, STICKER, TEMPLATE, TEXT, VIDEO}";
    let named = match body.get("type") {
        None => "text",
        Some(Value::String(kind)) => kind,
        Some(_) => return Err(GraphError::parameter_invalid("type", "must be a string.")),
    };
    let kind = KINDS
        .iter()
        .copied()
        .find(|kind| *kind == named)
        .ok_or_else(|| GraphError::parameter_invalid("type", &format!("{NAMES} - got \"{named}\".")))?;
    let content = body.get(kind).ok_or_else(|| GraphError::parameter_required(kind))?;
    match (kind, content) {
        ("contacts", _) => content::check_contacts(content)?,
        (_, Value::Object(content)) => match kind {
            "text" => content::check_text(content)?,
            "location" => content::check_location(content)?,
            "reaction" => content::check_reaction(content)?,
            "pin" => content::check_pin(content, matches!(recipient, Recipient::Group(_)))?,
            "interactive" => interactive::check(content)?,
            "template" => template::check(content)?,
            media => content::check_media(content, media)?,
        },
        (_, _) => return Err(GraphError::parameter_invalid(kind, "must be a JSON object.")),
    }
    Ok(kind)
}

const KINDS: [&str; 12] = [
    "text",
    "template",
    "interactive",
    "image",
    "video",
    "audio",
    "document",
    "sticker",
    "location",
    "contacts",
    "reaction",
    "pin",
];

/// The words of a message that a person would read, for rules that match on text.
pub(crate) fn readable_text<'a>(body: &'a Value, kind: &str) -> Option<&'a str> {
    let content = body.get(kind)?;
    match kind {
        "text" => content.get("body")?.as_str(),
        "interactive" => content.get("body")?.get("text")?.as_str(),
        "template" => content.get("name")?.as_str(),
        _ => optional_text(content.as_object()?, "caption"),
    }
}
