//! Checks of template messages: the shape of a send, not the template itself.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::constraints::{object, objects, text};
use crate::graph::error::GraphError;

/// Longest template name, in characters.
const NAME_CHARS_MAX: usize = 512;
/// Most components and most parameters of one component that make sense.
const ITEMS_MAX: usize = 100;
/// Most cards of a carousel.
const CARDS_MAX: usize = 10;
/// Longest coupon code, in characters.
const COUPON_CHARS_MAX: usize = 15;

pub(super) fn check(content: &Map<String, Value>) -> Result<(), GraphError> {
    let name = text(content, "name", "template.name", 1, NAME_CHARS_MAX)?;
    let is_plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    if !name.bytes().all(is_plain) {
        return Err(GraphError::not_valid(
            "template.name",
            "may hold lower-case letters, digits and underscores only",
        ));
    }
    let language = object(content, "language", "template.language")?;
    let code = text(language, "code", "template.language.code", 2, 16)?;
    if !is_language_code(code) {
        return Err(GraphError::of(132_001).details(format!("template name ({name}) does not exist in {code}")));
    }
    if content.get("components").is_none_or(Value::is_null) {
        return Ok(());
    }
    for component in objects(content, "components", "template.components", 0, ITEMS_MAX)? {
        check_component(component)?;
    }
    Ok(())
}

/// `en`, `en_US`, `zh_Hant_HK`: letters and underscores. `en-US` is webhook spelling and not accepted.
fn is_language_code(code: &str) -> bool {
    let shape: String = code
        .chars()
        .map(|c| match c {
            'a'..='z' => 'a',
            'A'..='Z' => 'A',
            other => other,
        })
        .collect();
    ["aa", "aaa"].iter().any(|language| {
        let region = shape.strip_prefix(language);
        matches!(region, Some("" | "_AA" | "_Aaaa" | "_Aaaa_AA"))
    })
}

fn check_component(component: &Map<String, Value>) -> Result<(), GraphError> {
    let kind = text(component, "type", "template.components.type", 1, usize::MAX)?.to_ascii_lowercase();
    match kind.as_str() {
        "button" => check_button(component)?,
        "carousel" => check_carousel(component)?,
        _ => {}
    }
    if component.get("parameters").is_none_or(Value::is_null) {
        return Ok(());
    }
    let path = "template.components.parameters";
    for parameter in objects(component, "parameters", path, 0, ITEMS_MAX)? {
        check_parameter(parameter)?;
    }
    Ok(())
}

fn check_button(component: &Map<String, Value>) -> Result<(), GraphError> {
    text(component, "sub_type", "template.components.sub_type", 1, usize::MAX)?;
    let index = match component.get("index") {
        Some(Value::String(index)) => index.parse::<u32>().ok(),
        Some(Value::Number(index)) => index.as_u64().and_then(|index| u32::try_from(index).ok()),
        None | Some(Value::Null) => return Err(GraphError::missing("template.components.index")),
        Some(_) => None,
    };
    match index {
        Some(0..=9) => Ok(()),
        _ => Err(GraphError::not_valid("template.components.index", "must be 0 to 9")),
    }
}

/// A carousel has two cards at least, each with its place.
fn check_carousel(component: &Map<String, Value>) -> Result<(), GraphError> {
    let mut places = HashSet::new();
    for card in objects(component, "cards", "template.components.cards", 2, CARDS_MAX)? {
        let path = "template.components.cards.card_index";
        let Some(place) = card.get("card_index") else {
            return Err(GraphError::missing(path));
        };
        if !place.as_u64().is_some_and(|place| places.insert(place)) {
            return Err(GraphError::not_valid(path, "must be a number that no other card has"));
        }
        if card.get("components").is_some() {
            for component in objects(card, "components", "template.components.cards.components", 0, ITEMS_MAX)? {
                check_component(component)?;
            }
        }
    }
    Ok(())
}

fn check_parameter(parameter: &Map<String, Value>) -> Result<(), GraphError> {
    let kind = text(parameter, "type", "template.components.parameters.type", 1, usize::MAX)?;
    let path = format!("template.components.parameters.{kind}");
    match kind {
        "text" => {
            // Meta reports an empty or absent text as a mismatch of the template, not of the envelope.
            match parameter.get("text").and_then(Value::as_str) {
                Some(words) if !words.trim().is_empty() => check_words(words),
                _ => Err(GraphError::missing(&path)),
            }
        }
        "payload" => text(parameter, "payload", &path, 1, usize::MAX).map(|_| ()),
        "coupon_code" => text(parameter, "coupon_code", &path, 1, COUPON_CHARS_MAX).map(|_| ()),
        "image" | "video" | "document" => super::content::check_media(object(parameter, kind, &path)?, kind),
        "location" => super::content::check_location(object(parameter, kind, &path)?),
        "action" => object(parameter, kind, &path).map(|_| ()),
        "product" => {
            let value = object(parameter, kind, &path)?;
            text(value, "product_retailer_id", &path, 1, usize::MAX).map(|_| ())
        }
        "currency" => check_currency(object(parameter, kind, &path)?, &path),
        "date_time" => check_fallback(object(parameter, kind, &path)?, &path),
        "limited_time_offer" => {
            let value = object(parameter, kind, &path)?;
            let path = format!("{path}.expiration_time_ms");
            match value.get("expiration_time_ms") {
                None | Some(Value::Null) => Err(GraphError::missing(&path)),
                // Thirteen digits from 2001 on; ten are seconds.
                Some(Value::Number(end))
                    if end
                        .as_u64()
                        .is_some_and(|end| matches!(end.checked_ilog10(), Some(12 | 13))) =>
                {
                    Ok(())
                }
                Some(_) => Err(GraphError::not_valid(&path, "must be a UNIX timestamp in milliseconds")),
            }
        }
        _ => Ok(()),
    }
}

fn check_words(words: &str) -> Result<(), GraphError> {
    if words.contains("     ") || words.chars().any(|c| matches!(c, '\n' | '\r' | '\t')) {
        let details = "Param text cannot have new-line/tab characters or more than 4 consecutive spaces";
        return Err(GraphError::of(132_018).details(details));
    }
    Ok(())
}

fn check_fallback(value: &Map<String, Value>, path: &str) -> Result<(), GraphError> {
    let path = format!("{path}.fallback_value");
    text(value, "fallback_value", &path, 1, usize::MAX).map(|_| ())
}

fn check_currency(value: &Map<String, Value>, path: &str) -> Result<(), GraphError> {
    check_fallback(value, path)?;
    let code = text(value, "code", &format!("{path}.code"), 3, 3)?;
    if !code.chars().all(|c| c.is_ascii_uppercase()) {
        return Err(GraphError::not_valid(
            &format!("{path}.code"),
            "must be an ISO 4217 code",
        ));
    }
    let path = format!("{path}.amount_1000");
    match value.get("amount_1000") {
        None | Some(Value::Null) => Err(GraphError::missing(&path)),
        Some(Value::Number(amount)) if amount.is_i64() || amount.is_u64() => Ok(()),
        Some(_) => Err(GraphError::not_valid(&path, "must be an integer")),
    }
}
