//! The content of the message. The most common types are checked here, so that a client learns of a mistake at once and
//! not by a refusal from Meta minutes later. Everything else passes untouched, because Meta adds types and fields
//! faster than gateways are upgraded.

mod emoji;
mod interactive;
mod media;
mod plain;
mod shop;
mod template;

use std::sync::Arc;

use super::super::message::Content;
use super::super::problem::ErrorCode;
use super::fields::{Field, Fields};
use super::findings::{At, Findings};
use super::fingerprint::Canonical;
use super::json::Node;
use super::recipient::is_group;

const KIND_CHARS_MAX: usize = 64;

/// The object of the message's type.
pub(super) struct Saying<'b> {
    pub(super) kind: &'b str,
    raw: &'b str,
    node: &'b Node<'b>,
    /// True for a text that is given as a string, in place of Meta's object.
    is_short: bool,
}

/// Finds the type and its object, and checks it unless Meta is to judge the `raw` message.
pub(super) fn read<'b>(fields: &Fields<'b>, is_raw: bool, findings: &mut Findings) -> Option<Saying<'b>> {
    let kind = find_kind(fields, findings);
    if is_raw {
        fields.refuse_options(findings);
        let (raw, node) = fields
            .object(kind?)
            .map_or(("null", &Node::Null), |member| (member.raw, &member.node));
        return Some(Saying {
            kind: kind?,
            raw,
            node,
            is_short: false,
        });
    }
    fields.refuse_others(kind, findings);
    let kind = kind?;
    let Some(member) = fields.object(kind) else {
        findings.add(ErrorCode::TypeMismatch, &At::field(kind), "is required by the type");
        return None;
    };
    check(kind, &member.node, findings);
    check_together(kind, fields, findings);
    Some(Saying {
        kind,
        raw: member.raw,
        node: &member.node,
        is_short: matches!(member.node, Node::Text(_)),
    })
}

fn find_kind<'b>(fields: &Fields<'b>, findings: &mut Findings) -> Option<&'b str> {
    let kind = match fields.get(Field::Type) {
        Some(member) => member.node.as_text().filter(|kind| is_kind(kind)),
        None => fields.object("text").map(|_| "text"),
    };
    if kind.is_none() {
        findings.add(
            ErrorCode::InvalidType,
            &At::field("type"),
            "must name the type of the message; it may only be left out beside a text",
        );
    }
    kind
}

fn is_kind(kind: &str) -> bool {
    (1..=KIND_CHARS_MAX).contains(&kind.len())
        && kind.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
        && !Fields::is_reserved(kind)
}

fn check(kind: &str, node: &Node<'_>, findings: &mut Findings) {
    let at = At::field(kind);
    match kind {
        "text" => plain::check_text(node, &at, findings),
        "template" => template::check(node, &at, findings),
        "image" | "video" | "audio" | "document" | "sticker" => media::check(kind, node, &at, findings),
        "interactive" => interactive::check(node, &at, findings),
        "reaction" => plain::check_reaction(node, &at, findings),
        "location" => plain::check_location(node, &at, findings),
        "contacts" => plain::check_contacts(node, &at, findings),
        "pin" => plain::check_pin(node, &at, findings),
        _ if node.is_scalar() => {
            findings.add(ErrorCode::TypeMismatch, &at, "must be an object");
        }
        _ => {}
    }
}

/// Notes what a message of this type cannot have beside it.
fn check_together(kind: &str, fields: &Fields<'_>, findings: &mut Findings) {
    match kind {
        "pin" if !is_group(fields) => {
            let message = "is for groups only; their recipient_type is group";
            findings.add(ErrorCode::InvalidField, &At::field("pin"), message);
        }
        "reaction" if fields.get(Field::Context).is_some() => {
            let message = "is not possible with a reaction, which names its message itself";
            findings.add(ErrorCode::InvalidContext, &At::field("context"), message);
        }
        _ => {}
    }
    if kind == "template" {
        return;
    }
    for field in [Field::ProductPolicy, Field::ActivitySharing] {
        if let Some(member) = fields.get(field) {
            let message = "is for templates only, which then go out as marketing messages";
            findings.add(ErrorCode::TypeMismatch, &At::field(&member.name), message);
        }
    }
}

impl Saying<'_> {
    /// Returns the content as it is stored: the client's own JSON. A text given as a string becomes Meta's object.
    pub(super) fn to_content(&self, envelope: Option<Arc<str>>) -> Content {
        let raw = self.raw;
        let body = if self.is_short {
            ["{\"body\":", raw, "}"].concat().into()
        } else {
            raw.into()
        };
        Content {
            kind: self.kind.into(),
            body,
            envelope,
            frame: None,
            removed_at: None,
        }
    }

    /// Adds the content to the canonical form. Both spellings of a text have the same form.
    pub(super) fn write_canonical(&self, form: &mut Canonical) {
        form.text(self.kind);
        if self.is_short {
            form.object(1);
            form.text("body");
        }
        form.node(self.node);
    }
}
