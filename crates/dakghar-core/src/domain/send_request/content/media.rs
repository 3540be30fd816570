//! Images, videos, audio, documents and stickers: uploaded before, or fetched by Meta from a link.

use super::super::super::problem::ErrorCode;
use super::super::findings::{At, Findings};
use super::super::json::Node;
use super::super::link::{LinkFault, check_public};

const CAPTION_CHARS_MAX: usize = 1_024;
const FILENAME_CHARS_MAX: usize = 255;
const MEDIA_ID_CHARS_MAX: usize = 256;

/// Checks the media object of that type, in a message of its own or in a part of another.
pub(super) fn check(kind: &str, node: &Node<'_>, at: &At<'_>, findings: &mut Findings) {
    let mut check = findings.check(ErrorCode::InvalidMedia);
    if !check.is_object(node, at) {
        return;
    }
    match (node.get("id"), node.get("link")) {
        (Some(_), Some(_)) => check.refuse(at, "must have an id or a link, not both"),
        (None, None) => check.refuse(at, "must have an id or a link"),
        (Some(id), None) => {
            if !id.as_text().is_some_and(is_media_id) {
                check.refuse(&at.name("id"), "must be the id of a medium, as a text");
            }
        }
        (None, Some(link)) => check_link(link, &at.name("link"), check.findings),
    }
    let mut check = findings.check(ErrorCode::InvalidMedia);
    if matches!(kind, "audio" | "sticker") {
        if node.get("caption").is_some() {
            check.refuse(&at.name("caption"), "is not possible for this type");
        }
    } else {
        check.text_if_given(node, "caption", at, CAPTION_CHARS_MAX);
    }
    if kind == "document" {
        check.text_if_given(node, "filename", at, FILENAME_CHARS_MAX);
    }
    if kind == "audio" {
        check.bool_if_given(node, "voice", at);
    }
}

fn is_media_id(id: &str) -> bool {
    (1..=MEDIA_ID_CHARS_MAX).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic())
}

fn check_link(node: &Node<'_>, at: &At<'_>, findings: &mut Findings) {
    let (code, message) = match node.as_text().map(check_public) {
        Some(Ok(())) => return,
        None => (ErrorCode::InvalidUrl, "must be a text"),
        Some(Err(LinkFault::Malformed(message))) => (ErrorCode::InvalidUrl, message),
        Some(Err(LinkFault::Private)) => (ErrorCode::ForbiddenUrl, "must point to a public host"),
    };
    findings.add(code, at, message);
}
