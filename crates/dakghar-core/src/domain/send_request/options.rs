//! The client's options for the handling of a message. None of them goes to Meta.

use std::sync::Arc;

use super::super::ids::PhoneNumberId;
use super::super::message::{Priority, UnknownOutcome};
use super::super::problem::ErrorCode;
use super::fields::{Field, Fields};
use super::findings::{At, Findings};
use super::json::{Member, Node};

/// Bytes of `metadata` as written.
const METADATA_BYTES_MAX: usize = 2_048;
const METADATA_NAME_CHARS_MAX: usize = 64;
/// Meta's own limit for callback data, in characters.
const CLIENT_OPAQUE_CHARS_MAX: usize = 512;

/// The options, as far as they are valid.
#[derive(Debug, Default)]
pub(super) struct Options {
    pub(super) from: Option<PhoneNumberId>,
    pub(super) priority: Priority,
    pub(super) metadata: Option<Arc<str>>,
    pub(super) unknown_outcome: Option<UnknownOutcome>,
    pub(super) marketing: bool,
    pub(super) open_window: bool,
}

pub(super) fn read(fields: &Fields<'_>, findings: &mut Findings) -> Options {
    let mut options = Options::default();
    if let Some(member) = fields.get(Field::From) {
        options.from = member.node.as_text().and_then(|text| PhoneNumberId::parse(text).ok());
        if options.from.is_none() {
            refuse(
                findings,
                ErrorCode::InvalidPhoneNumberId,
                member,
                "must be a phone number id, in digits",
            );
        }
    }
    if let Some(member) = fields.get(Field::Priority) {
        match member.node.as_text().and_then(Priority::parse) {
            Some(priority) => options.priority = priority,
            None => refuse(findings, ErrorCode::InvalidField, member, "must be high, normal or low"),
        }
    }
    if let Some(member) = fields.get(Field::UnknownOutcome) {
        options.unknown_outcome = member.node.as_text().and_then(UnknownOutcome::parse);
        if options.unknown_outcome.is_none() {
            refuse(
                findings,
                ErrorCode::InvalidPolicy,
                member,
                "must be auto, resend or fail",
            );
        }
    }
    options.marketing = read_flag(fields, Field::Marketing, findings);
    options.open_window = read_flag(fields, Field::RequireOpenWindow, findings);
    if let Some(member) = fields.get(Field::Metadata) {
        options.metadata = read_metadata(member, findings);
    }
    options
}

/// Has this number send it, unless the client chose another one.
pub(super) fn send_from(sender: &PhoneNumberId, fields: &Fields<'_>, options: &mut Options, findings: &mut Findings) {
    if let Some(member) = fields.get(Field::From)
        && options.from.as_ref().is_some_and(|from| from != sender)
    {
        let message = "is another number than the one that is asked to send";
        refuse(findings, ErrorCode::InvalidPhoneNumberId, member, message);
    }
    options.from = Some(sender.clone());
}

fn read_flag(fields: &Fields<'_>, field: Field, findings: &mut Findings) -> bool {
    match fields.get(field).map(|member| (member, &member.node)) {
        None => false,
        Some((_, Node::Bool(is_set))) => *is_set,
        Some((member, _)) => {
            refuse(findings, ErrorCode::InvalidField, member, "must be true or false");
            false
        }
    }
}

/// Returns the number that the client chose, valid or not at all.
pub(super) fn sender(fields: &Fields<'_>) -> Option<PhoneNumberId> {
    let text = fields.get(Field::From)?.node.as_text()?;
    PhoneNumberId::parse(text).ok()
}

/// Reads the client's own callback data, which stands among Meta's fields.
pub(super) fn client_opaque(fields: &Fields<'_>, findings: &mut Findings) -> Option<Arc<str>> {
    let member = fields.get(Field::ClientOpaque)?;
    match member.node.as_text() {
        Some(text) if text.len() <= CLIENT_OPAQUE_CHARS_MAX || is_short(text) => Some(text.into()),
        _ => {
            let message = "must be a text of 512 characters at most";
            refuse(findings, ErrorCode::InvalidField, member, message);
            None
        }
    }
}

fn is_short(text: &str) -> bool {
    text.chars().count() <= CLIENT_OPAQUE_CHARS_MAX
}

fn read_metadata(member: &Member<'_>, findings: &mut Findings) -> Option<Arc<str>> {
    let at = At::field(&member.name);
    let Some(entries) = member.node.as_object() else {
        refuse(findings, ErrorCode::InvalidMetadata, member, "must be an object");
        return None;
    };
    if member.raw.len() > METADATA_BYTES_MAX {
        refuse(
            findings,
            ErrorCode::MetadataTooLarge,
            member,
            "must have 2,048 bytes at most",
        );
        return None;
    }
    let mut is_valid = true;
    for (name, node) in entries {
        let message = if !is_metadata_name(name) {
            "names have 1 to 64 letters, digits, _ and -"
        } else if !node.is_scalar() {
            "must not be an object or a list"
        } else {
            continue;
        };
        findings.add(ErrorCode::InvalidMetadata, &at.name(name), message);
        is_valid = false;
    }
    is_valid.then(|| member.raw.into())
}

/// True if the name may be a key of the metadata. Narrow, because clients and stores turn names into paths and
/// properties.
fn is_metadata_name(name: &str) -> bool {
    (1..=METADATA_NAME_CHARS_MAX).contains(&name.len())
        && name != "__proto__"
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

fn refuse(findings: &mut Findings, code: ErrorCode, member: &Member<'_>, message: &str) {
    findings.add(code, &At::field(&member.name), message);
}
