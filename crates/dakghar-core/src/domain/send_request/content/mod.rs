//! The content of the message. The most common types are checked here, so that a client learns of a mistake at once and
//! not by a refusal from Meta minutes later. Everything else passes untouched, because Meta adds types and fields
//! faster than gateways are upgraded.

mod interactive;
mod media;
mod plain;
mod template;

use std::sync::Arc;

use super::super::message::Content;
use super::super::problem::ErrorCode;
use super::fields::{Field, Fields};
use super::findings::{At, Findings};
use super::fingerprint::Canonical;
use super::json::{Member, Node};

const KIND_CHARS_MAX: usize = 64;

/// The object of the message's type.
pub(super) struct Saying<'b> {
    kind: &'b str,
    member: &'b Member<'b>,
}

/// Finds the type and its object, and checks it.
pub(super) fn read<'b>(fields: &Fields<'b>, findings: &mut Findings) -> Option<Saying<'b>> {
    let kind = find_kind(fields, findings);
    fields.refuse_others(kind, findings);
    let kind = kind?;
    let Some(member) = fields.object(kind) else {
        findings.add(ErrorCode::TypeMismatch, &At::field(kind), "is required by the type");
        return None;
    };
    check(kind, &member.node, findings);
    Some(Saying { kind, member })
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

impl Saying<'_> {
    /// Returns the content as it is stored: the client's own JSON. A text given as a string becomes Meta's object.
    pub(super) fn to_content(&self, envelope: Option<Arc<str>>) -> Content {
        let raw = self.member.raw;
        let body = match self.member.node {
            Node::Text(_) => ["{\"body\":", raw, "}"].concat().into(),
            _ => raw.into(),
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
        let node = &self.member.node;
        if matches!(node, Node::Text(_)) {
            form.object(1);
            form.text("body");
        }
        form.node(node);
    }
}
