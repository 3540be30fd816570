//! The time a message goes out, and the time until which it may.

use std::time::Duration;

use super::super::problem::ErrorCode;
use super::super::time::Timestamp;
use super::fields::{Field, Fields};
use super::findings::{At, Findings};

/// The furthest that a message can be planned ahead, and the longest that it may wait.
const AHEAD_MAX: Duration = Duration::from_hours(30 * 24);
/// The furthest that `sendAt` may be in the past: clocks differ, and requests take a while.
const PAST_MAX: Duration = Duration::from_mins(1);

/// `sendAt` and `expiresAt`.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Schedule {
    pub(super) send_at: Option<Timestamp>,
    pub(super) expires_at: Option<Timestamp>,
}

/// Reads the schedule. A time in the past is a finding, but is kept: it identifies the repetition of an earlier
/// request.
pub(super) fn read(fields: &Fields<'_>, now: Timestamp, findings: &mut Findings) -> Schedule {
    let (code, place) = (ErrorCode::InvalidSendAt, At::field("sendAt"));
    let mut send_at = None;
    match fields.get(Field::SendAt).map(|member| time(member.node.as_text())) {
        None => {}
        Some(None) => findings.add(code, &place, NOT_A_TIME),
        Some(Some(at)) if at > now + AHEAD_MAX => findings.add(code, &place, "is more than 30 days ahead"),
        Some(Some(at)) => {
            if at < now - PAST_MAX {
                findings.add_overdue(code, &place);
            }
            send_at = Some(at);
        }
    }

    let (code, place) = (ErrorCode::InvalidExpiresAt, At::field("expiresAt"));
    let mut expires_at = None;
    match fields.get(Field::ExpiresAt).map(|member| time(member.node.as_text())) {
        None => {}
        Some(None) => findings.add(code, &place, NOT_A_TIME),
        Some(Some(at)) if at > now + AHEAD_MAX => findings.add(code, &place, "is more than 30 days ahead"),
        Some(Some(at)) if at > now && send_at.is_some_and(|send_at| at <= send_at) => {
            findings.add(code, &place, "is not after sendAt");
        }
        Some(Some(at)) => {
            if at <= now {
                findings.add_overdue(code, &place);
            }
            expires_at = Some(at);
        }
    }
    Schedule { send_at, expires_at }
}

const NOT_A_TIME: &str = "must be a time with an offset, such as 2026-11-22T10:00:00Z";

fn time(text: Option<&str>) -> Option<Timestamp> {
    text.filter(|text| has_rfc3339_shape(text))
        .and_then(Timestamp::parse_rfc3339)
}

/// True if the text has the form that we promise to read. The parser behind [`Timestamp`] reads more.
fn has_rfc3339_shape(text: &str) -> bool {
    let bytes = text.as_bytes();
    let has = |i: usize, allowed: &[u8]| bytes.get(i).is_some_and(|byte| allowed.contains(byte));
    let ends_with_offset = match bytes {
        [.., b'Z' | b'z'] => true,
        [.., b'+' | b'-', h1, h2, b':', m1, m2] => [h1, h2, m1, m2].iter().all(|byte| byte.is_ascii_digit()),
        _ => false,
    };
    bytes.len() >= "2026-11-22T10:00:00Z".len()
        && has(4, b"-")
        && has(7, b"-")
        && has(10, b"Tt")
        && has(13, b":")
        && has(16, b":")
        && ends_with_offset
}
