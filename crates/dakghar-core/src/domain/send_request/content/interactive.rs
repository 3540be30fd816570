//! Interactive messages: the parts that all kinds share, and the most common actions. Unknown kinds pass.

use super::super::super::problem::ErrorCode;
use super::super::findings::{At, Check, Findings};
use super::super::json::{Node, Number};
use super::{media, shop};

const TYPE_CHARS_MAX: usize = 64;
const HEADER_CHARS_MAX: usize = 60;
const FOOTER_CHARS_MAX: usize = 60;
const BODY_CHARS_MAX: usize = 1_024;
const LIST_BODY_CHARS_MAX: usize = 4_096;
const CARD_BODY_CHARS_MAX: usize = 160;

const BUTTONS_MAX: usize = 3;
const BUTTON_TITLE_CHARS_MAX: usize = 20;
const BUTTON_ID_CHARS_MAX: usize = 256;

const ROWS_MAX: usize = 10;
const ROW_ID_CHARS_MAX: usize = 200;
const ROW_TITLE_CHARS_MAX: usize = 24;
const ROW_DESCRIPTION_CHARS_MAX: usize = 72;

const CARDS_MIN: usize = 2;
const CARDS_MAX: usize = 10;
const URL_CHARS_MAX: usize = 2_000;
const FLOW_CTA_CHARS_MAX: usize = 30;
/// Minutes for which a button calls: 30 days.
const CALL_MINUTES_MAX: u64 = 43_200;
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
        "voice_call" => check_call,
        "address_message" => check_address,
        "product" => shop::check_product,
        "product_list" => shop::check_products,
        "catalog_message" => shop::check_catalog,
        "carousel" => check_carousel,
        "location_request_message" => |action, at, check| check_name("send_location", action, at, check),
        "request_contact_info" => |action, at, check| check_name("request_contact_info", action, at, check),
        "call_permission_request" => |action, at, check| check_name("call_permission_request", action, at, check),
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
    let sections = check
        .list(action, "sections", at, 1..=shop::SECTIONS_MAX)
        .unwrap_or_default();
    let at = at.name("sections");
    let mut rows_count = 0;
    let mut ids = Vec::new();
    for (i, section) in sections.iter().enumerate() {
        let at = at.index(i);
        shop::check_section_title(section, sections.len(), &at, check);
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

fn check_url(action: &Node<'_>, at: &At<'_>, check: &mut Check<'_>) {
    check_name("cta_url", action, at, check);
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
    check_name("flow", action, at, check);
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
    if let Some(mode) = parameters.get("mode")
        && !matches!(mode.as_text(), Some("draft" | "published"))
    {
        check.refuse(&at.name("mode"), "must be draft or published");
    }
    if let Some(data) = parameters
        .get("flow_action_payload")
        .and_then(|payload| payload.get("data"))
        && data.as_object().is_none_or(<[_]>::is_empty)
    {
        let at = at.name("flow_action_payload");
        check.refuse(
            &at.name("data"),
            "must be an object with members; leave it out where there are none",
        );
    }
}

fn check_call(action: &Node<'_>, at: &At<'_>, check: &mut Check<'_>) {
    check_name("voice_call", action, at, check);
    let Some(parameters) = action.get("parameters") else {
        return;
    };
    let at = at.name("parameters");
    check.text_if_given(parameters, "display_text", &at, BUTTON_TITLE_CHARS_MAX);
    if let Some(minutes) = parameters.get("ttl_minutes")
        && !matches!(minutes, Node::Number(Number::Natural(minutes)) if (1..=CALL_MINUTES_MAX).contains(minutes))
    {
        check.refuse(
            &at.name("ttl_minutes"),
            "must be a whole number of minutes from 1 to 43,200",
        );
    }
}

/// Which parts an address has depends on its country, and is Meta's to say.
fn check_address(action: &Node<'_>, at: &At<'_>, check: &mut Check<'_>) {
    check_name("address_message", action, at, check);
    if let Some(parameters) = check.object(action, "parameters", at) {
        let at = at.name("parameters");
        let is_country = |text: &str| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_uppercase());
        if let Some(country) = check.member(parameters, "country", &at)
            && !country.as_text().is_some_and(is_country)
        {
            check.refuse(
                &at.name("country"),
                "must be the two capital letters of a country, such as IN",
            );
        }
    }
}

fn check_carousel(action: &Node<'_>, at: &At<'_>, check: &mut Check<'_>) {
    let cards = check
        .list(action, "cards", at, CARDS_MIN..=CARDS_MAX)
        .unwrap_or_default();
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

fn check_name(name: &str, action: &Node<'_>, at: &At<'_>, check: &mut Check<'_>) {
    if let Some(given) = check.member(action, "name", at)
        && given.as_text() != Some(name)
    {
        check.refuse(&at.name("name"), format!("must be {name}"));
    }
}
