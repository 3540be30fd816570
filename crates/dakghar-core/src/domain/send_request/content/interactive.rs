//! Interactive messages: the parts that all kinds share, and the most common actions. Unknown kinds pass.

use super::super::super::problem::ErrorCode;
use super::super::findings::{At, Check, Findings};
use super::super::json::Node;
use super::media;

const TYPE_CHARS_MAX: usize = 64;
const HEADER_CHARS_MAX: usize = 60;
const FOOTER_CHARS_MAX: usize = 60;
const BODY_CHARS_MAX: usize = 1_024;
const LIST_BODY_CHARS_MAX: usize = 4_096;
const CARD_BODY_CHARS_MAX: usize = 160;

const BUTTONS_MAX: usize = 3;
const BUTTON_TITLE_CHARS_MAX: usize = 20;
const BUTTON_ID_CHARS_MAX: usize = 256;

const SECTIONS_MAX: usize = 10;
const SECTION_TITLE_CHARS_MAX: usize = 24;
const ROWS_MAX: usize = 10;
const ROW_ID_CHARS_MAX: usize = 200;
const ROW_TITLE_CHARS_MAX: usize = 24;
const ROW_DESCRIPTION_CHARS_MAX: usize = 72;

const PRODUCTS_MAX: usize = 30;
const CARDS_MAX: usize = 10;
const URL_CHARS_MAX: usize = 2_048;
const FLOW_CTA_CHARS_MAX: usize = 30;
/// The limit of ids and names for which Meta documents none.
const ID_CHARS_MAX: usize = 256;

pub(super) fn check(node: &Node<'_>, at: &At<'_>, findings: &mut Findings) {
    let mut check = findings.check(ErrorCode::InvalidInteractive);
    if !check.is_object(node, at) {
        return;
    }
    let Some(kind) = check.text(node, "type", at, TYPE_CHARS_MAX) else {
        return;
    };
    check_header(kind, node, at, &mut check);
    check_body(kind, node, at, &mut check);
    if let Some(footer) = node.get("footer")
        && check.is_object(footer, &at.name("footer"))
    {
        check.text(footer, "text", &at.name("footer"), FOOTER_CHARS_MAX);
    }

    let check_action: fn(&Node<'_>, &At<'_>, &mut Check<'_>) = match kind {
        "button" => check_buttons,
        "list" => check_list,
        "cta_url" => check_url,
        "flow" => check_flow,
        "product" => check_product,
        "product_list" => check_products,
        "carousel" => check_carousel,
        "catalog_message"
        | "location_request_message"
        | "request_contact_info"
        | "call_permission_request"
        | "voice_call" => check_name,
        _ => return,
    };
    if let Some(action) = check.object(node, "action", at) {
        check_action(action, &at.name("action"), &mut check);
    }
}

fn check_header(kind: &str, node: &Node<'_>, at: &At<'_>, check: &mut Check<'_>) {
    let at = at.name("header");
    let Some(header) = node.get("header") else {
        if kind == "product_list" {
            check.refuse(&at, "is required");
        }
        return;
    };
    if kind == "product" {
        check.refuse(&at, "is not possible for this type");
        return;
    }
    if !check.is_object(header, &at) {
        return;
    }
    match check.text(header, "type", &at, TYPE_CHARS_MAX) {
        Some("text") => {
            check.text(header, "text", &at, HEADER_CHARS_MAX);
        }
        Some(_) if matches!(kind, "list" | "product_list") => check.refuse(&at.name("type"), "must be text"),
        Some(medium @ ("image" | "video" | "document")) => {
            if let Some(object) = check.object(header, medium, &at) {
                media::check(medium, object, &at.name(medium), check.findings);
            }
        }
        _ => {}
    }
}

fn check_body(kind: &str, node: &Node<'_>, at: &At<'_>, check: &mut Check<'_>) {
    let is_required = matches!(
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
    let chars_max = if kind == "list" {
        LIST_BODY_CHARS_MAX
    } else {
        BODY_CHARS_MAX
    };
    let at = at.name("body");
    match node.get("body") {
        Some(body) if check.is_object(body, &at) => {
            check.text(body, "text", &at, chars_max);
        }
        None if is_required => check.refuse(&at, "is required"),
        _ => {}
    }
}

fn check_buttons(action: &Node<'_>, at: &At<'_>, check: &mut Check<'_>) {
    let buttons = check.list(action, "buttons", at, 1..=BUTTONS_MAX).unwrap_or_default();
    let at = at.name("buttons");
    let mut titles = Vec::new();
    let mut ids = Vec::new();
    for (i, button) in buttons.iter().enumerate() {
        let at = at.index(i);
        if !check.is_object(button, &at) {
            continue;
        }
        if button.get("type").is_some_and(|kind| kind.as_text() != Some("reply")) {
            check.refuse(&at.name("type"), "must be reply");
        }
        let Some(reply) = check.object(button, "reply", &at) else {
            continue;
        };
        let at = at.name("reply");
        if let Some(title) = check.text(reply, "title", &at, BUTTON_TITLE_CHARS_MAX) {
            check_unique(&mut titles, title, &at.name("title"), check);
        }
        if let Some(id) = check.text(reply, "id", &at, BUTTON_ID_CHARS_MAX) {
            if id.trim() != id {
                check.refuse(&at.name("id"), "must not start or end with a space");
            }
            check_unique(&mut ids, id, &at.name("id"), check);
        }
    }
}

fn check_unique<'n>(seen: &mut Vec<&'n str>, text: &'n str, at: &At<'_>, check: &mut Check<'_>) {
    if seen.contains(&text) {
        check.refuse(at, "is used twice");
    }
    seen.push(text);
}

fn check_list(action: &Node<'_>, at: &At<'_>, check: &mut Check<'_>) {
    check.text(action, "button", at, BUTTON_TITLE_CHARS_MAX);
    let sections = check.list(action, "sections", at, 1..=SECTIONS_MAX).unwrap_or_default();
    let at = at.name("sections");
    let mut rows_count = 0;
    let mut ids = Vec::new();
    for (i, section) in sections.iter().enumerate() {
        let at = at.index(i);
        check_section_title(section, sections.len(), &at, check);
        let rows = check.list(section, "rows", &at, 1..=ROWS_MAX).unwrap_or_default();
        rows_count += rows.len();
        let at = at.name("rows");
        for (i, row) in rows.iter().enumerate() {
            let at = at.index(i);
            if let Some(id) = check.text(row, "id", &at, ROW_ID_CHARS_MAX) {
                check_unique(&mut ids, id, &at.name("id"), check);
            }
            check.text(row, "title", &at, ROW_TITLE_CHARS_MAX);
            check.text_if_given(row, "description", &at, ROW_DESCRIPTION_CHARS_MAX);
        }
    }
    if rows_count > ROWS_MAX {
        check.refuse(&at, format!("must have {ROWS_MAX} rows at most, all together"));
    }
}

fn check_section_title(section: &Node<'_>, sections_count: usize, at: &At<'_>, check: &mut Check<'_>) {
    if sections_count > 1 {
        check.text(section, "title", at, SECTION_TITLE_CHARS_MAX);
    } else {
        check.text_if_given(section, "title", at, SECTION_TITLE_CHARS_MAX);
    }
}

fn check_url(action: &Node<'_>, at: &At<'_>, check: &mut Check<'_>) {
    check_name(action, at, check);
    let Some(parameters) = check.object(action, "parameters", at) else {
        return;
    };
    let at = at.name("parameters");
    check.text(parameters, "display_text", &at, BUTTON_TITLE_CHARS_MAX);
    if let Some(url) = check.text(parameters, "url", &at, URL_CHARS_MAX)
        && !["https://", "http://"].iter().any(|scheme| url.starts_with(scheme))
    {
        check.refuse(&at.name("url"), "must start with https:// or http://");
    }
}

fn check_flow(action: &Node<'_>, at: &At<'_>, check: &mut Check<'_>) {
    check_name(action, at, check);
    let Some(parameters) = check.object(action, "parameters", at) else {
        return;
    };
    let at = at.name("parameters");
    match (parameters.get("flow_id"), parameters.get("flow_name")) {
        (Some(_), Some(_)) => check.refuse(&at, "must have a flow_id or a flow_name, not both"),
        (None, None) => check.refuse(&at, "must have a flow_id or a flow_name"),
        _ => {}
    }
    check.text(parameters, "flow_cta", &at, FLOW_CTA_CHARS_MAX);
    if let Some(action) = parameters.get("flow_action")
        && !matches!(action.as_text(), Some("navigate" | "data_exchange"))
    {
        check.refuse(&at.name("flow_action"), "must be navigate or data_exchange");
    }
}

fn check_product(action: &Node<'_>, at: &At<'_>, check: &mut Check<'_>) {
    for name in ["catalog_id", "product_retailer_id"] {
        check.text(action, name, at, ID_CHARS_MAX);
    }
}

fn check_products(action: &Node<'_>, at: &At<'_>, check: &mut Check<'_>) {
    check.text(action, "catalog_id", at, ID_CHARS_MAX);
    let sections = check.list(action, "sections", at, 1..=SECTIONS_MAX).unwrap_or_default();
    let at = at.name("sections");
    let mut products_count = 0;
    for (i, section) in sections.iter().enumerate() {
        let at = at.index(i);
        check_section_title(section, sections.len(), &at, check);
        let products = check
            .list(section, "product_items", &at, 1..=PRODUCTS_MAX)
            .unwrap_or_default();
        products_count += products.len();
        let at = at.name("product_items");
        for (i, product) in products.iter().enumerate() {
            check.text(product, "product_retailer_id", &at.index(i), ID_CHARS_MAX);
        }
    }
    if products_count > PRODUCTS_MAX {
        check.refuse(&at, format!("must have {PRODUCTS_MAX} products at most, all together"));
    }
}

fn check_carousel(action: &Node<'_>, at: &At<'_>, check: &mut Check<'_>) {
    let cards = check.list(action, "cards", at, 1..=CARDS_MAX).unwrap_or_default();
    let at = at.name("cards");
    for (i, card) in cards.iter().enumerate() {
        let at = at.index(i);
        if !check.is_object(card, &at) {
            continue;
        }
        check_header("carousel", card, &at, check);
        if let Some(body) = card.get("body") {
            check.text(body, "text", &at.name("body"), CARD_BODY_CHARS_MAX);
        }
    }
}

fn check_name(action: &Node<'_>, at: &At<'_>, check: &mut Check<'_>) {
    check.text(action, "name", at, ID_CHARS_MAX);
}
