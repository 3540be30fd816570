//! Text, reactions, places, contact cards and pins.

use super::super::super::problem::ErrorCode;
use super::super::envelope::is_wamid;
use super::super::findings::{At, Check, Findings, has_forbidden_control};
use super::super::json::{Node, Number};
use super::emoji::is_emoji;

/// The most Unicode scalar values in a text.
const TEXT_CHARS_MAX: usize = 4_096;
const CONTACTS_MAX: usize = 257;
const CONTACT_ENTRIES_MAX: usize = 100;
const NAME_PARTS: [&str; 5] = ["first_name", "last_name", "middle_name", "suffix", "prefix"];
/// Days for which a message may be pinned.
const PIN_DAYS_MAX: u64 = 30;
/// The limit of names and addresses, for which Meta documents none.
const LABEL_CHARS_MAX: usize = 1_024;

pub(super) fn check_text(node: &Node<'_>, at: &At<'_>, findings: &mut Findings) {
    if node.as_text().is_some() {
        check_body(Some(node), at, findings);
        return;
    }
    let mut check = findings.check(ErrorCode::InvalidField);
    if node.as_object().is_none() {
        check.refuse(at, "must be a text, or an object with a body");
        return;
    }
    check.bool_if_given(node, "preview_url", at);
    check_body(node.get("body"), &at.name("body"), findings);
}

fn check_body(body: Option<&Node<'_>>, at: &At<'_>, findings: &mut Findings) {
    let (code, message) = match body.map(|body| (body, body.as_text())) {
        None => (ErrorCode::EmptyText, "is required"),
        Some((_, None)) => (ErrorCode::InvalidField, "must be a text"),
        Some((_, Some(text))) if text.trim().is_empty() => (ErrorCode::EmptyText, "must not be empty"),
        Some((_, Some(text))) if text.len() > TEXT_CHARS_MAX && text.chars().count() > TEXT_CHARS_MAX => {
            (ErrorCode::TextTooLong, "must have 4,096 characters at most")
        }
        Some((_, Some(text))) if has_forbidden_control(text) => (
            ErrorCode::InvalidText,
            "contains control characters other than line breaks and tabs",
        ),
        Some(_) => return,
    };
    findings.add(code, at, message);
}

pub(super) fn check_reaction(node: &Node<'_>, at: &At<'_>, findings: &mut Findings) {
    let mut check = findings.check(ErrorCode::InvalidField);
    if !check.is_object(node, at) {
        return;
    }
    check_message_id(node, at, &mut check);
    if let Some(emoji) = check.member(node, "emoji", at)
        // An empty emoji removes the reaction.
        && !emoji.as_text().is_some_and(|text| text.is_empty() || is_emoji(text))
    {
        check.refuse(
            &at.name("emoji"),
            "must be one emoji, or empty to take the reaction back",
        );
    }
}

fn check_message_id(node: &Node<'_>, at: &At<'_>, check: &mut Check<'_>) {
    if let Some(id) = check.member(node, "message_id", at)
        && !is_wamid(id)
    {
        check.refuse(&at.name("message_id"), "must be Meta's id of a message, wamid.…");
    }
}

pub(super) fn check_location(node: &Node<'_>, at: &At<'_>, findings: &mut Findings) {
    let mut check = findings.check(ErrorCode::InvalidField);
    if check.is_object(node, at) {
        check_place(node, at, &mut check);
    }
}

/// Checks a place on earth, in a message of its own or in a part of another.
pub(super) fn check_place(node: &Node<'_>, at: &At<'_>, check: &mut Check<'_>) {
    for (name, degrees_max) in [("latitude", 90.0), ("longitude", 180.0)] {
        if let Some(member) = check.member(node, name, at)
            && degrees(member).is_none_or(|degrees| degrees.abs() > degrees_max)
        {
            check.refuse(
                &at.name(name),
                format!("must be a number of degrees from -{degrees_max} to {degrees_max}"),
            );
        }
    }
    for name in ["name", "address"] {
        check.text_if_given(node, name, at, LABEL_CHARS_MAX);
    }
}

/// Reads degrees, which Meta's own examples write as numbers and as texts.
fn degrees(node: &Node<'_>) -> Option<f64> {
    match node {
        Node::Number(Number::Real(degrees)) => Some(*degrees),
        Node::Number(Number::Natural(degrees)) => u32::try_from(*degrees).ok().map(f64::from),
        Node::Number(Number::Negative(degrees)) => i32::try_from(*degrees).ok().map(f64::from),
        Node::Text(text) => text.parse().ok().filter(|degrees: &f64| degrees.is_finite()),
        _ => None,
    }
}

pub(super) fn check_contacts(node: &Node<'_>, at: &At<'_>, findings: &mut Findings) {
    let mut check = findings.check(ErrorCode::InvalidField);
    let contacts = check.as_list(node, at, 1..=CONTACTS_MAX).unwrap_or_default();
    for (i, contact) in contacts.iter().enumerate() {
        let at = at.index(i);
        if !check.is_object(contact, &at) {
            continue;
        }
        if let Some(name) = check.object(contact, "name", &at) {
            check_contact_name(name, &at.name("name"), &mut check);
        }
        if let Some(birthday) = contact.get("birthday")
            && !birthday.as_text().is_some_and(is_date)
        {
            check.refuse(&at.name("birthday"), "must be a date, such as 1990-12-31");
        }
        for name in ["addresses", "emails", "phones", "urls"] {
            if let Some(list) = contact.get(name) {
                check.as_list(list, &at.name(name), 0..=CONTACT_ENTRIES_MAX);
            }
        }
    }
}

/// Meta wants the whole name and one part of it at least.
fn check_contact_name(name: &Node<'_>, at: &At<'_>, check: &mut Check<'_>) {
    check.text(name, "formatted_name", at, LABEL_CHARS_MAX);
    let is_given = |part: &&str| {
        name.get(part)
            .and_then(Node::as_text)
            .is_some_and(|text| !text.is_empty())
    };
    if !NAME_PARTS.iter().any(is_given) {
        check.refuse(at, "must have a first_name or another part beside the formatted_name");
    }
}

fn is_date(text: &str) -> bool {
    text.len() == "1990-12-31".len() && jiff::civil::Date::strptime("%Y-%m-%d", text).is_ok()
}

pub(super) fn check_pin(node: &Node<'_>, at: &At<'_>, findings: &mut Findings) {
    let mut check = findings.check(ErrorCode::InvalidField);
    if !check.is_object(node, at) {
        return;
    }
    if let Some(kind) = check.member(node, "type", at)
        && !matches!(kind.as_text(), Some("pin" | "unpin"))
    {
        check.refuse(&at.name("type"), "must be pin or unpin");
    }
    if node.get("type").and_then(Node::as_text) == Some("pin")
        && let Some(days) = check.member(node, "expiration_days", at)
        && !matches!(days, Node::Number(Number::Natural(days)) if (1..=PIN_DAYS_MAX).contains(days))
    {
        check.refuse(
            &at.name("expiration_days"),
            "must be a whole number of days from 1 to 30",
        );
    }
    check_message_id(node, at, &mut check);
}
