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
        if let Some(birthday) = contact.get("birthday").filter(|birthday| !birthday.is_null())
            && !birthday.as_str().is_some_and(is_day)
        {
            return Err(GraphError::not_valid("contacts.birthday", "must be YYYY-MM-DD"));
        }
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
    let emoji = text(content, "emoji", "reaction.emoji", 0, 32)?;
    if emoji.is_empty() || is_one_emoji(emoji) {
        return Ok(());
    }
    Err(GraphError::not_valid("reaction.emoji", "must be a single emoji"))
}

/// A day of the calendar, as `YYYY-MM-DD`.
fn is_day(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let [year, month, day] = parts[..] else { return false };
    let digits = |part: &str, len: usize| part.len() == len && part.bytes().all(|b| b.is_ascii_digit());
    if !(digits(year, 4) && digits(month, 2) && digits(day, 2)) {
        return false;
    }
    let number = |part: &str| part.parse::<i16>().unwrap_or_default();
    let small = |part: &str| part.parse::<i8>().unwrap_or_default();
    jiff::civil::Date::new(number(year), small(month), small(day)).is_ok()
}

/// True for a text that is shown as one picture: no letters, one symbol, or several that are glued together.
fn is_one_emoji(text: &str) -> bool {
    let (mut pictures, mut glues, mut flags, mut keys) = (0, 0, 0, 0);
    let mut last = ' ';
    for c in text.chars() {
        match u32::from(c) {
            0x1F1E6..=0x1F1FF => flags += 1,
            0x200D if last == '\u{200d}' || pictures == 0 => return false,
            0x200D => glues += 1,
            0x30..=0x39 | 0x23 | 0x2A => keys += 1,
            0x20E3 if keys != 1 => return false,
            0xFE0F | 0x1F3FB..=0x1F3FF | 0xE0020..=0xE007F | 0x20E3 if last == ' ' => return false,
            0xFE0F | 0x1F3FB..=0x1F3FF | 0xE0020..=0xE007F | 0x20E3 => {}
            0xA9
            | 0xAE
            | 0x203C
            | 0x2049
            | 0x2122
            | 0x2139
            | 0x24C2
            | 0x3030
            | 0x303D
            | 0x3297
            | 0x3299
            | 0x2190..=0x21FF
            | 0x2300..=0x23FF
            | 0x25A0..=0x27BF
            | 0x2900..=0x297F
            | 0x2B00..=0x2BFF
            | 0x1F000..=0x1FAFF => pictures += 1,
            _ => return false,
        }
        last = c;
    }
    match (pictures, flags, keys) {
        (0, 2, 0) => true,
        (0, 0, 1) => last == '\u{20e3}',
        (pictures, 0, 0) => pictures == glues + 1 && last != '\u{200d}',
        _ => false,
    }
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
