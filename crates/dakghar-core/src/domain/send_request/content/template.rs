//! Templates: the name, the language and the shape of the parameters. Meta checks that they fit the approved template.

use super::super::super::problem::ErrorCode;
use super::super::findings::{At, Check, Findings};
use super::super::json::Node;
use super::media;

const NAME_CHARS_MAX: usize = 512;
const LANGUAGE_CHARS_MAX: usize = 35;
const COMPONENTS_MAX: usize = 100;
const PARAMETERS_MAX: usize = 100;
const CARDS_MAX: usize = 10;
const TYPE_CHARS_MAX: usize = 64;
/// Meta's own limits depend on the template; no template has room for more than this.
const PARAMETER_CHARS_MAX: usize = 32_768;

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
            check.refuse(&at.name("code"), "must be a language code, such as en_US");
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

fn is_language(code: &str) -> bool {
    (2..=LANGUAGE_CHARS_MAX).contains(&code.len())
        && code
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
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
        check.text(component, "type", &at, TYPE_CHARS_MAX);
        check_parameters(component, &at, check);
        check_cards(component, &at, check);
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
        if !check.is_object(parameter, &at) {
            continue;
        }
        match check.text(parameter, "type", &at, TYPE_CHARS_MAX) {
            Some("text") => {
                check.text(parameter, "text", &at, PARAMETER_CHARS_MAX);
            }
            Some(kind @ ("image" | "video" | "document")) => {
                if let Some(object) = check.object(parameter, kind, &at) {
                    media::check(kind, object, &at.name(kind), check.findings);
                }
            }
            Some(kind @ ("currency" | "date_time" | "location" | "product" | "action")) => {
                check.object(parameter, kind, &at);
            }
            _ => {}
        }
    }
}

fn check_cards(component: &Node<'_>, at: &At<'_>, check: &mut Check<'_>) {
    let Some(cards) = component.get("cards") else { return };
    let at = at.name("cards");
    let cards = check.as_list(cards, &at, 1..=CARDS_MAX).unwrap_or_default();
    for (i, card) in cards.iter().enumerate() {
        let at = at.index(i);
        if check.is_object(card, &at) {
            check_components(card, &at, check);
        }
    }
}
