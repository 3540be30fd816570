//! Checks of template messages: the shape of a send, not the template itself.

use serde_json::{Map, Value};

use super::constraints::{object, objects, text};
use crate::graph::error::GraphError;

/// Longest template name, in characters.
const NAME_CHARS_MAX: usize = 512;
/// Most components and most parameters of one component that make sense.
const ITEMS_MAX: usize = 100;

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
    code.starts_with(|c: char| c.is_ascii_lowercase()) && code.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

fn check_component(component: &Map<String, Value>) -> Result<(), GraphError> {
    let kind = text(component, "type", "template.components.type", 1, usize::MAX)?;
    if kind.eq_ignore_ascii_case("button") {
        text(component, "sub_type", "template.components.sub_type", 1, usize::MAX)?;
        match component.get("index") {
            Some(Value::String(_) | Value::Number(_)) => {}
            Some(_) => {
                return Err(GraphError::not_valid(
                    "template.components.index",
                    "must be a number or a string",
                ));
            }
            None => return Err(GraphError::missing("template.components.index")),
        }
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

fn check_parameter(parameter: &Map<String, Value>) -> Result<(), GraphError> {
    let kind = text(parameter, "type", "template.components.parameters.type", 1, usize::MAX)?;
    let path = format!("template.components.parameters.{kind}");
    match kind {
        "text" => {
            // Meta reports an empty or absent text as a mismatch of the template, not of the envelope.
            match parameter.get("text").and_then(Value::as_str) {
                Some(words) if !words.is_empty() => Ok(()),
                _ => Err(GraphError::missing(&path)),
            }
        }
        "image" | "video" | "document" => super::content::check_media(object(parameter, kind, &path)?, kind),
        "currency" | "date_time" => {
            let value = object(parameter, kind, &path)?;
            let path = format!("{path}.fallback_value");
            text(value, "fallback_value", &path, 1, usize::MAX).map(|_| ())
        }
        _ => Ok(()),
    }
}
