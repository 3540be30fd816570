//! Reading one field of a JSON object with Meta's complaint when it is absent or out of bounds.

use serde_json::{Map, Value};

use crate::graph::error::GraphError;

/// A mandatory string of `min..=max` characters.
pub(super) fn text<'a>(
    object: &'a Map<String, Value>,
    key: &str,
    path: &str,
    min: usize,
    max: usize,
) -> Result<&'a str, GraphError> {
    match object.get(key) {
        None | Some(Value::Null) => Err(GraphError::missing(path)),
        Some(Value::String(value)) => within(value, path, min, max),
        Some(_) => Err(GraphError::not_valid(path, "must be a string")),
    }
}

/// The same, but the field may be absent.
pub(super) fn text_if_present<'a>(
    object: &'a Map<String, Value>,
    key: &str,
    path: &str,
    min: usize,
    max: usize,
) -> Result<Option<&'a str>, GraphError> {
    if object.get(key).is_none_or(Value::is_null) {
        return Ok(None);
    }
    text(object, key, path, min, max).map(Some)
}

/// A string if there is one; no complaint otherwise.
pub(super) fn optional_text<'a>(object: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
    object.get(key).and_then(Value::as_str)
}

/// A mandatory object.
pub(super) fn object<'a>(
    parent: &'a Map<String, Value>,
    key: &str,
    path: &str,
) -> Result<&'a Map<String, Value>, GraphError> {
    match parent.get(key) {
        None | Some(Value::Null) => Err(GraphError::missing(path)),
        Some(Value::Object(value)) => Ok(value),
        Some(_) => Err(GraphError::not_valid(path, "must be an object")),
    }
}

/// A mandatory array of `min..=max` objects.
pub(super) fn objects<'a>(
    parent: &'a Map<String, Value>,
    key: &str,
    path: &str,
    min: usize,
    max: usize,
) -> Result<Vec<&'a Map<String, Value>>, GraphError> {
    let items = match parent.get(key) {
        None | Some(Value::Null) => return Err(GraphError::missing(path)),
        Some(Value::Array(items)) => items,
        Some(_) => return Err(GraphError::not_valid(path, "must be an array")),
    };
    if !(min..=max).contains(&items.len()) {
        let rule = format!("must have {min} to {max} items, got {}", items.len());
        return Err(GraphError::not_valid(path, &rule));
    }
    items
        .iter()
        .map(|item| {
            item.as_object()
                .ok_or_else(|| GraphError::not_valid(path, "must hold objects only"))
        })
        .collect()
}

fn within<'a>(value: &'a str, path: &str, min: usize, max: usize) -> Result<&'a str, GraphError> {
    let chars = value.chars().count();
    if (min..=max).contains(&chars) {
        return Ok(value);
    }
    let rule = if max == usize::MAX {
        "must not be empty".to_owned()
    } else {
        format!("length invalid. Min length: {min}, Max length: {max}")
    };
    Err(GraphError::not_valid(path, &rule))
}
