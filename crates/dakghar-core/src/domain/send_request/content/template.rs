//! Templates: the name, the language and the shape of the parameters. Meta checks that they fit the approved template.

use super::super::super::problem::ErrorCode;
use super::super::findings::{At, Check, Findings};
use super::super::json::{Node, Number};
use super::{media, plain};

const NAME_CHARS_MAX: usize = 512;
const COMPONENTS_MAX: usize = 100;
const PARAMETERS_MAX: usize = 100;
const CARDS_MIN: usize = 2;
const CARDS_MAX: usize = 10;
const TYPE_CHARS_MAX: usize = 64;
const ID_CHARS_MAX: usize = 256;
/// A template has ten buttons at most.
const BUTTON_INDEX_MAX: u64 = 9;
const COUPON_CHARS_MAX: usize = 15;
/// Meta's own limits depend on the template; no template has room for more than this.
const PARAMETER_CHARS_MAX: usize = 32_768;
/// More spaces than this in a row are refused by Meta.
const SPACES_MAX: usize = 4;
/// The year 2001 in milliseconds. What is less is a time in seconds.
const TIME_MS_MIN: u64 = 1_000_000_000_000;
/// The year 5138.
const TIME_MS_MAX: u64 = 99_999_999_999_999;

pub(super) fn check(node: &Node<'_>, at: &At<'_>, findings: &mut Findings) {
    let mut check = findings.check(ErrorCode::InvalidTemplate);
    if !check.is_object(node, at) {
        return;
    }
    if let Some(name) = check.member(node, "name", at)
        && !name.as_text().is_some_and(is_name)
    {
        check.refuse(&at.name("name"), "must be 1 to 512 lower-case letters, digits and _");
    }
    if let Some(language) = check.object(node, "language", at) {
        let at = at.name("language");
        if let Some(code) = check.member(language, "code", &at)
            && !code.as_text().is_some_and(is_language)
        {
            check.refuse(
                &at.name("code"),
                "must be a language code as Meta writes it, such as en or en_US",
            );
        }
    }
    check_components(node, at, &mut check);
}

fn is_name(name: &str) -> bool {
    (1..=NAME_CHARS_MAX).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

/// A language of two or three small letters, perhaps a script (`Hant`), perhaps a country (`US`). Which of them Meta has, it
/// says itself.
fn is_language(code: &str) -> bool {
    let mut parts = code.split('_');
    let language = parts.next().unwrap_or_default();
    if !matches!(language.len(), 2 | 3) || !language.bytes().all(|byte| byte.is_ascii_lowercase()) {
        return false;
    }
    let is_script = |part: &str| {
        part.len() == 4
            && part.as_bytes()[0].is_ascii_uppercase()
            && part.bytes().skip(1).all(|byte| byte.is_ascii_lowercase())
    };
    let is_country = |part: &str| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_uppercase());
    match (parts.next(), parts.next(), parts.next()) {
        (None, None, None) => true,
        (Some(part), None, None) => is_script(part) || is_country(part),
        (Some(script), Some(country), None) => is_script(script) && is_country(country),
        _ => false,
    }
}

/// The components of a template or of one card of it.
fn check_components(parent: &Node<'_>, at: &At<'_>, check: &mut Check<'_>) {
    let Some(components) = parent.get("components") else {
        return;
    };
    let at = at.name("components");
    let components = check.as_list(components, &at, 0..=COMPONENTS_MAX).unwrap_or_default();
    for (i, component) in components.iter().enumerate() {
        let at = at.index(i);
        if !check.is_object(component, &at) {
            continue;
        }
        let kind = check.text(component, "type", &at, TYPE_CHARS_MAX).unwrap_or_default();
        if kind.eq_ignore_ascii_case("button") {
            check_button(component, &at, check);
        }
        check_parameters(component, &at, check);
        if kind.eq_ignore_ascii_case("carousel") || component.get("cards").is_some() {
            check_cards(component, &at, check);
        }
    }
}

fn check_button(component: &Node<'_>, at: &At<'_>, check: &mut Check<'_>) {
    check.text(component, "sub_type", at, TYPE_CHARS_MAX);
    let Some(index) = check.member(component, "index", at) else {
        return;
    };
    let index = match index {
        Node::Number(Number::Natural(index)) => Some(*index),
        Node::Text(text) => text.parse().ok(),
        _ => None,
    };
    if index.is_none_or(|index| index > BUTTON_INDEX_MAX) {
        check.refuse(&at.name("index"), "must be the place of the button, 0 to 9");
    }
}

fn check_parameters(component: &Node<'_>, at: &At<'_>, check: &mut Check<'_>) {
    let Some(parameters) = component.get("parameters") else {
        return;
    };
    let at = at.name("parameters");
    let parameters = check.as_list(parameters, &at, 0..=PARAMETERS_MAX).unwrap_or_default();
    for (i, parameter) in parameters.iter().enumerate() {
        let at = at.index(i);
        if check.is_object(parameter, &at) {
            check_parameter(parameter, &at, check);
        }
    }
}

fn check_parameter(parameter: &Node<'_>, at: &At<'_>, check: &mut Check<'_>) {
    check.text_if_given(parameter, "parameter_name", at, ID_CHARS_MAX);
    match check.text(parameter, "type", at, TYPE_CHARS_MAX) {
        Some("text") => {
            if let Some(text) = check.text(parameter, "text", at, PARAMETER_CHARS_MAX) {
                check_one_line(text, &at.name("text"), check);
            }
        }
        Some("payload") => {
            check.text(parameter, "payload", at, PARAMETER_CHARS_MAX);
        }
        Some("coupon_code") => {
            check.text(parameter, "coupon_code", at, COUPON_CHARS_MAX);
        }
        Some(kind @ ("image" | "video" | "document")) => {
            if let Some(object) = check.object(parameter, kind, at) {
                media::check(kind, object, &at.name(kind), check.findings);
            }
        }
        Some(kind @ ("currency" | "date_time" | "location" | "product" | "action" | "limited_time_offer")) => {
            if let Some(object) = check.object(parameter, kind, at) {
                check_object(kind, object, &at.name(kind), check);
            }
        }
        _ => {}
    }
}

fn check_object(kind: &str, object: &Node<'_>, at: &At<'_>, check: &mut Check<'_>) {
    match kind {
        "currency" => {
            check.text(object, "fallback_value", at, PARAMETER_CHARS_MAX);
            let code = check.text(object, "code", at, TYPE_CHARS_MAX);
            let is_code = |code: &str| code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_uppercase());
            if code.is_some_and(|code| !is_code(code)) {
                check.refuse(&at.name("code"), "must be three capital letters, such as USD");
            }
            if let Some(amount) = check.member(object, "amount_1000", at)
                && !matches!(amount, Node::Number(Number::Natural(_) | Number::Negative(_)))
            {
                check.refuse(&at.name("amount_1000"), "must be a whole number of thousandths");
            }
        }
        "date_time" => {
            check.text(object, "fallback_value", at, PARAMETER_CHARS_MAX);
        }
        "location" => plain::check_place(object, at, check),
        "product" => {
            check.text(object, "product_retailer_id", at, ID_CHARS_MAX);
        }
        "limited_time_offer" => {
            if let Some(end) = check.member(object, "expiration_time_ms", at)
                && !matches!(end, Node::Number(Number::Natural(ms)) if (TIME_MS_MIN..=TIME_MS_MAX).contains(ms))
            {
                let message = "must be a time in milliseconds since 1970, as a whole number";
                check.refuse(&at.name("expiration_time_ms"), message);
            }
        }
        _ => {}
    }
}

/// Notes what Meta refuses in every text that is put into a template.
fn check_one_line(text: &str, at: &At<'_>, check: &mut Check<'_>) {
    let mut spaces = 0;
    let has_many_spaces = text.chars().any(|c| {
        spaces = if c == ' ' { spaces + 1 } else { 0 };
        spaces > SPACES_MAX
    });
    if has_many_spaces || text.contains(['\n', '\r', '\t']) {
        check.refuse(at, "must not have line breaks, tabs or more than four spaces in a row");
    }
}

fn check_cards(component: &Node<'_>, at: &At<'_>, check: &mut Check<'_>) {
    let cards = check
        .list(component, "cards", at, CARDS_MIN..=CARDS_MAX)
        .unwrap_or_default();
    let at = at.name("cards");
    let mut places = Vec::new();
    for (i, card) in cards.iter().enumerate() {
        let at = at.index(i);
        if !check.is_object(card, &at) {
            continue;
        }
        match card.get("card_index") {
            Some(Node::Number(Number::Natural(place))) if places.contains(place) => {
                check.refuse(&at.name("card_index"), "is used twice");
            }
            Some(Node::Number(Number::Natural(place))) => places.push(*place),
            Some(_) => check.refuse(&at.name("card_index"), "must be a whole number, from 0"),
            None => check.refuse(&at.name("card_index"), "is required"),
        }
        check_components(card, &at, check);
    }
}
