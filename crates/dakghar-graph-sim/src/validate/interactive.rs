//! Checks of interactive messages. Types not named here pass with a `type` alone.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::constraints::{object, objects, text, text_if_present};
use crate::graph::error::GraphError;

/// Longest header and footer text, in characters.
const HEADER_CHARS_MAX: usize = 60;

pub(super) fn check(content: &Map<String, Value>) -> Result<(), GraphError> {
    let kind = text(content, "type", "interactive.type", 1, usize::MAX)?;
    check_header(content, kind)?;
    check_body(content, kind)?;
    if let Some(footer) = content.get("footer").and_then(Value::as_object) {
        text(footer, "text", "interactive.footer.text", 1, HEADER_CHARS_MAX)?;
    }
    let Some(action) = content.get("action") else {
        return Err(GraphError::missing("interactive.action"));
    };
    let Value::Object(action) = action else {
        return Err(GraphError::not_valid("interactive.action", "must be an object"));
    };
    match kind {
        "button" => check_buttons(action),
        "list" => check_list(action),
        "cta_url" => check_cta_url(action),
        "flow" => check_flow(action),
        "product" => check_product(action),
        "product_list" => check_product_list(action),
        "catalog_message" => check_name(action, "catalog_message"),
        "location_request_message" => check_name(action, "send_location"),
        "request_contact_info" => check_name(action, "request_contact_info"),
        "call_permission_request" => check_name(action, "call_permission_request"),
        "voice_call" => check_voice_call(action),
        "address_message" => check_address(action),
        "carousel" => check_carousel(action),
        _ => Ok(()),
    }
}

fn check_header(content: &Map<String, Value>, kind: &str) -> Result<(), GraphError> {
    let Some(header) = content.get("header") else {
        if kind == "product_list" {
            return Err(GraphError::missing("interactive.header"));
        }
        return Ok(());
    };
    let Value::Object(header) = header else {
        return Err(GraphError::not_valid("interactive.header", "must be an object"));
    };
    if kind == "product" {
        return Err(GraphError::not_valid(
            "interactive.header",
            "is not allowed for 'product'",
        ));
    }
    let header_kind = text(header, "type", "interactive.header.type", 1, usize::MAX)?;
    match header_kind {
        "text" => text(header, "text", "interactive.header.text", 1, HEADER_CHARS_MAX).map(|_| ()),
        _ if matches!(kind, "list" | "product_list") => Err(GraphError::not_valid(
            "interactive.header.type",
            "must be 'text' for this type",
        )),
        "image" | "video" | "document" => {
            let path = format!("interactive.header.{header_kind}");
            super::content::check_media(object(header, header_kind, &path)?, header_kind)
        }
        _ => Err(GraphError::not_valid(
            "interactive.header.type",
            "must be one of text, image, video, document",
        )),
    }
}

fn check_body(content: &Map<String, Value>, kind: &str) -> Result<(), GraphError> {
    let chars_max = if kind == "list" { 4096 } else { 1024 };
    let is_mandatory = matches!(
        kind,
        "button"
            | "list"
            | "cta_url"
            | "flow"
            | "product_list"
            | "catalog_message"
            | "location_request_message"
            | "request_contact_info"
    );
    if !is_mandatory && !content.contains_key("body") {
        return Ok(());
    }
    let body = object(content, "body", "interactive.body")?;
    text(body, "text", "interactive.body.text", 1, chars_max)?;
    Ok(())
}

fn check_buttons(action: &Map<String, Value>) -> Result<(), GraphError> {
    let mut titles = HashSet::new();
    let mut ids = HashSet::new();
    for button in objects(action, "buttons", "interactive.action.buttons", 1, 3)? {
        if button.get("type").and_then(Value::as_str) != Some("reply") {
            return Err(GraphError::not_valid(
                "interactive.action.buttons.type",
                "must be 'reply'",
            ));
        }
        let reply = object(button, "reply", "interactive.action.buttons.reply")?;
        let title = text(reply, "title", "interactive.action.buttons.reply.title", 1, 20)?;
        let id = text(reply, "id", "interactive.action.buttons.reply.id", 1, 256)?;
        if id.trim() != id {
            return Err(GraphError::not_valid(
                "interactive.action.buttons.reply.id",
                "must not start or end with a space",
            ));
        }
        if !titles.insert(title) || !ids.insert(id) {
            return Err(GraphError::not_valid(
                "interactive.action.buttons",
                "must have unique titles and ids",
            ));
        }
    }
    Ok(())
}

fn check_list(action: &Map<String, Value>) -> Result<(), GraphError> {
    text(action, "button", "interactive.action.button", 1, 20)?;
    let sections = objects(action, "sections", "interactive.action.sections", 1, 10)?;
    let mut ids = HashSet::new();
    let mut rows_total = 0;
    for section in &sections {
        let title_path = "interactive.action.sections.title";
        if sections.len() > 1 {
            text(section, "title", title_path, 1, 24)?;
        } else {
            text_if_present(section, "title", title_path, 0, 24)?;
        }
        let rows_path = "interactive.action.sections.rows";
        for row in objects(section, "rows", rows_path, 1, 10)? {
            rows_total += 1;
            let id = text(row, "id", "interactive.action.sections.rows.id", 1, 200)?;
            text(row, "title", "interactive.action.sections.rows.title", 1, 24)?;
            let path = "interactive.action.sections.rows.description";
            text_if_present(row, "description", path, 0, 72)?;
            if !ids.insert(id) {
                return Err(GraphError::not_valid(rows_path, "must have unique ids"));
            }
        }
    }
    if rows_total > 10 {
        let rule = format!("must have at most 10 rows in total, got {rows_total}");
        return Err(GraphError::not_valid("interactive.action.sections", &rule));
    }
    Ok(())
}

fn check_cta_url(action: &Map<String, Value>) -> Result<(), GraphError> {
    check_name(action, "cta_url")?;
    let parameters = object(action, "parameters", "interactive.action.parameters")?;
    let path = "interactive.action.parameters.display_text";
    text(parameters, "display_text", path, 1, 20)?;
    let url = text(parameters, "url", "interactive.action.parameters.url", 1, 2000)?;
    if !(url.starts_with("https://") || url.starts_with("http://")) {
        return Err(GraphError::not_valid(
            "interactive.action.parameters.url",
            "must be an http(s) URL",
        ));
    }
    Ok(())
}

fn check_flow(action: &Map<String, Value>) -> Result<(), GraphError> {
    check_name(action, "flow")?;
    let parameters = object(action, "parameters", "interactive.action.parameters")?;
    let path = "interactive.action.parameters.flow_cta";
    text(parameters, "flow_cta", path, 1, 30)?;
    for (key, allowed) in [
        ("flow_action", ["navigate", "data_exchange"]),
        ("mode", ["draft", "published"]),
    ] {
        let path = format!("interactive.action.parameters.{key}");
        let given = text_if_present(parameters, key, &path, 1, usize::MAX)?;
        if given.is_some_and(|given| !allowed.contains(&given)) {
            return Err(GraphError::not_valid(&path, "has an unknown value"));
        }
    }
    if let Some(data) = parameters
        .get("flow_action_payload")
        .and_then(|payload| payload.get("data"))
        && data.as_object().is_none_or(Map::is_empty)
    {
        let path = "interactive.action.parameters.flow_action_payload.data";
        return Err(GraphError::not_valid(path, "must be a non-empty object"));
    }
    match (parameters.contains_key("flow_id"), parameters.contains_key("flow_name")) {
        (true, false) | (false, true) => Ok(()),
        _ => Err(GraphError::not_valid(
            "interactive.action.parameters",
            "must have exactly one of 'flow_id' and 'flow_name'",
        )),
    }
}

fn check_voice_call(action: &Map<String, Value>) -> Result<(), GraphError> {
    check_name(action, "voice_call")?;
    let Some(Value::Object(parameters)) = action.get("parameters") else {
        return Ok(());
    };
    let path = "interactive.action.parameters.display_text";
    text_if_present(parameters, "display_text", path, 1, 20)?;
    match parameters.get("ttl_minutes") {
        None | Some(Value::Null) => Ok(()),
        Some(minutes) if minutes.as_u64().is_some_and(|minutes| (1..=43_200).contains(&minutes)) => Ok(()),
        Some(_) => Err(GraphError::not_valid(
            "interactive.action.parameters.ttl_minutes",
            "must be 1 to 43200",
        )),
    }
}

fn check_address(action: &Map<String, Value>) -> Result<(), GraphError> {
    check_name(action, "address_message")?;
    let parameters = object(action, "parameters", "interactive.action.parameters")?;
    let path = "interactive.action.parameters.country";
    let country = text(parameters, "country", path, 2, 2)?;
    if country.chars().all(|c| c.is_ascii_uppercase()) {
        return Ok(());
    }
    Err(GraphError::not_valid(path, "must be an ISO 3166 country code"))
}

fn check_carousel(action: &Map<String, Value>) -> Result<(), GraphError> {
    for card in objects(action, "cards", "interactive.action.cards", 2, 10)? {
        check_header(card, "carousel")?;
        if let Some(Value::Object(body)) = card.get("body") {
            text(body, "text", "interactive.action.cards.body.text", 1, 160)?;
        }
    }
    Ok(())
}

fn check_product(action: &Map<String, Value>) -> Result<(), GraphError> {
    text(action, "catalog_id", "interactive.action.catalog_id", 1, usize::MAX)?;
    let path = "interactive.action.product_retailer_id";
    text(action, "product_retailer_id", path, 1, usize::MAX)?;
    Ok(())
}

fn check_product_list(action: &Map<String, Value>) -> Result<(), GraphError> {
    text(action, "catalog_id", "interactive.action.catalog_id", 1, usize::MAX)?;
    let mut products_total = 0;
    let sections = objects(action, "sections", "interactive.action.sections", 1, 10)?;
    for section in &sections {
        let title_path = "interactive.action.sections.title";
        if sections.len() > 1 {
            text(section, "title", title_path, 1, 24)?;
        } else {
            text_if_present(section, "title", title_path, 0, 24)?;
        }
        let path = "interactive.action.sections.product_items";
        let items = objects(section, "product_items", path, 1, 30)?;
        products_total += items.len();
        for item in items {
            let path = "interactive.action.sections.product_items.product_retailer_id";
            text(item, "product_retailer_id", path, 1, usize::MAX)?;
        }
    }
    if products_total > 30 {
        let rule = format!("must have at most 30 products in total, got {products_total}");
        return Err(GraphError::not_valid("interactive.action.sections", &rule));
    }
    Ok(())
}

fn check_name(action: &Map<String, Value>, expected: &str) -> Result<(), GraphError> {
    let name = text(action, "name", "interactive.action.name", 1, usize::MAX)?;
    if name == expected {
        return Ok(());
    }
    let rule = format!("must be '{expected}'");
    Err(GraphError::not_valid("interactive.action.name", &rule))
}
