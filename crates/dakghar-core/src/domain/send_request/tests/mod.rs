//! `parse` as clients see it: requests that are refused, requests that are accepted, and properties of any input.
#![expect(clippy::too_many_lines, reason = "tables of cases")]

mod accepted;
mod idempotent;
mod properties;
mod raw;
mod refused_body;
mod refused_content;
mod refused_fields;

use super::super::problem::{ErrorCode, Problem};
use super::super::time::Timestamp;
use super::SendRequest;

/// 2026-11-22T10:00:00Z
const NOW: Timestamp = Timestamp::from_millis(1_795_341_600_000);

/// Reads for a tenant of whose numbers nobody said a country.
fn parse(body: &[u8], header_keys: &[&[u8]], now: Timestamp) -> Result<SendRequest, Problem> {
    super::parse(body, header_keys, now, &|_| None)
}

fn accept(body: &str) -> SendRequest {
    parse(body.as_bytes(), &[], NOW).unwrap_or_else(|problem| panic!("{body}\n{problem:?}"))
}

fn refuse(body: &[u8]) -> Problem {
    match parse(body, &[], NOW) {
        Err(problem) => problem,
        Ok(_) => panic!("accepted: {}", String::from_utf8_lossy(body)),
    }
}

/// Asserts that the body is refused with this code, and that the first finding is about this field.
fn check_refused(body: &str, code: ErrorCode, pointer: &str) {
    let problem = refuse(body.as_bytes());
    let first = problem.errors.first().map_or("", |error| error.pointer.as_str());
    let shown: String = body.chars().take(300).collect();
    assert_eq!((problem.code, first), (code, pointer), "{shown}\n{problem:?}");
}

/// Returns a text message with further fields, given as JSON members.
fn with_fields(members: &str) -> String {
    format!(r#"{{"to":"+919111111111","text":"Hello",{members}}}"#)
}

/// Returns a message of this type.
fn of_type(kind: &str, object: &str) -> String {
    format!(r#"{{"to":"+919111111111","type":"{kind}","{kind}":{object}}}"#)
}
