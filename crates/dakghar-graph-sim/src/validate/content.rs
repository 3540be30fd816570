//! Checks of the plain types: text, media, location, contacts, reaction, pin.

use serde_json::{Map, Value};

use super::constraints::{object, text, text_if_present};
use crate::graph::error::GraphError;

/// Longest `text.body`, in characters.
const TEXT_CHARS_MAX: usize = 4096;
/// Longest caption, in characters.
const CAPTION_CHARS_MAX: usize = 1024;
/// Most contact cards of one message.
const CONTACTS_MAX: usize = 257;

pub(super) fn check_text(content: &Map<String, Value>) -> Result<(), GraphError> {
    const NAME: &str = "text['body']";
    match content.get("body") {
        None | Some(Value::Null) => Err(GraphError::parameter_required(NAME)),
        Some(Value::String(body)) if body.is_empty() => Err(GraphError::parameter_required(NAME)),
        Some(Value::String(body)) if body.chars().count() > TEXT_CHARS_MAX => {
            let must = format!("must be at most {TEXT_CHARS_MAX} characters long.");
            Err(GraphError::parameter_invalid(NAME, &must))
        }
        Some(Value::String(_)) => Ok(()),
        Some(_) => Err(GraphError::parameter_invalid(NAME, "must be a string.")),
    }
}

/// Image, video, audio, document and sticker: exactly one of `id` and `link`.
pub(super) fn check_media(content: &Map<String, Value>, kind: &str) -> Result<(), GraphError> {
    let id = text_if_present(content, "id", &format!("{kind}.id"), 1, usize::MAX)?;
    let link = text_if_present(content, "link", &format!("{kind}.link"), 1, usize::MAX)?;
    match (id, link) {
        (None, None) => {
            let path = format!("{kind}.id or {kind}.link");
            return Err(GraphError::missing(&path));
        }
        (Some(_), Some(_)) => {
            return Err(GraphError::not_valid(kind, "must have either 'id' or 'link', not both"));
        }
        (None, Some(link)) if !is_web_link(link) => {
            return Err(GraphError::not_valid(&format!("{kind}.link"), "must be an http(s) URL"));
        }
        _ => {}
    }
    if matches!(kind, "audio" | "sticker") && content.contains_key("caption") {
        let path = format!("{kind}.caption");
        return Err(GraphError::not_valid(&path, "is not allowed for this type"));
    }
    let path = format!("{kind}.caption");
    text_if_present(content, "caption", &path, 0, CAPTION_CHARS_MAX)?;
    Ok(())
}

fn is_web_link(link: &str) -> bool {
    link.starts_with("https://") || link.starts_with("http://")
}

pub(super) fn check_location(content: &Map<String, Value>) -> Result<(), GraphError> {
    for (key, bound) in [("latitude", 90.0), ("longitude", 180.0)] {
        let path = format!("location.{key}");
        let degrees = match content.get(key) {
            None | Some(Value::Null) => return Err(GraphError::missing(&path)),
            Some(Value::Number(number)) => number.as_f64(),
            Some(Value::String(number)) => number.parse().ok(),
            Some(_) => None,
        };
        if !degrees.is_some_and(|degrees| degrees.abs() <= bound) {
            let rule = format!("must be a number between -{bound} and {bound}");
            return Err(GraphError::not_valid(&path, &rule));
        }
    }
    Ok(())
}

pub(super) fn check_contacts(content: &Value) -> Result<(), GraphError> {
    let Value::Array(contacts) = content else {
        return Err(GraphError::parameter_invalid("contacts", "must be an array."));
    };
    if !(1..=CONTACTS_MAX).contains(&contacts.len()) {
        let rule = format!("must have 1 to {CONTACTS_MAX} items");
        return Err(GraphError::not_valid("contacts", &rule));
    }
    for contact in contacts {
        let Value::Object(contact) = contact else {
            return Err(GraphError::not_valid("contacts", "must hold objects only"));
        };
        let name = object(contact, "name", "contacts.name")?;
        text(name, "formatted_name", "contacts.name.formatted_name", 1, usize::MAX)?;
        let parts = ["first_name", "last_name", "middle_name", "suffix", "prefix"];
        if !parts.iter().any(|part| name.get(*part).is_some_and(Value::is_string)) {
            return Err(GraphError::not_valid(
                "contacts.name",
                "needs one more name part beside 'formatted_name'",
            ));
        }
    }
    Ok(())
}

pub(super) fn check_reaction(content: &Map<String, Value>) -> Result<(), GraphError> {
    text(content, "message_id", "reaction.message_id", 1, usize::MAX)?;
    // An empty emoji removes the reaction.
    text(content, "emoji", "reaction.emoji", 0, 32)?;
    Ok(())
}

pub(super) fn check_pin(content: &Map<String, Value>, to_group: bool) -> Result<(), GraphError> {
    if !to_group {
        return Err(GraphError::not_valid("pin", "is for groups only"));
    }
    text(content, "message_id", "pin.message_id", 1, usize::MAX)?;
    match text(content, "type", "pin.type", 1, usize::MAX)? {
        "unpin" => Ok(()),
        "pin" => match content.get("expiration_days").and_then(Value::as_u64) {
            Some(1..=30) => Ok(()),
            _ => Err(GraphError::not_valid("pin.expiration_days", "must be 1 to 30")),
        },
        _ => Err(GraphError::not_valid("pin.type", "must be 'pin' or 'unpin'")),
    }
}
