//! The client's key for a send, from the header or from the field.

use super::super::ids::IdempotencyKey;
use super::super::problem::{ErrorCode, Problem};
use super::fields::{Field, Fields};

const RULE: &str = "must be 1 to 255 printable ASCII characters, and not only blanks";

/// Returns the key in the values of all `Idempotency-Key` headers, if there is one. It may be given several times, as long as
/// it is the same.
pub fn key_in_headers(header_keys: &[&[u8]]) -> Result<Option<IdempotencyKey>, Problem> {
    let code = ErrorCode::InvalidIdempotencyKey;
    let mut found: Option<IdempotencyKey> = None;
    for value in header_keys {
        let key = std::str::from_utf8(value).ok().and_then(parse);
        let key = key.ok_or_else(|| Problem::new(code, format!("the Idempotency-Key header {RULE}")))?;
        if found.as_ref().is_some_and(|other| *other != key) {
            return Err(Problem::new(code, "the Idempotency-Key headers differ from each other"));
        }
        found = Some(key);
    }
    Ok(found)
}

/// Returns the key of the headers or the field, if there is one.
pub(super) fn read(fields: &Fields<'_>, header_keys: &[&[u8]]) -> Result<Option<IdempotencyKey>, Problem> {
    let code = ErrorCode::InvalidIdempotencyKey;
    let mut found = key_in_headers(header_keys)?;
    for member in fields.all(Field::IdempotencyKey) {
        let pointer = || format!("/{}", member.name);
        let key = member.node.as_text().and_then(parse);
        let key = key.ok_or_else(|| Problem::field(code, pointer(), RULE))?;
        if found.as_ref().is_some_and(|other| *other != key) {
            return Err(Problem::field(code, pointer(), "differs from the key given elsewhere"));
        }
        found = Some(key);
    }
    Ok(found)
}

/// A key of blanks is a variable that nobody has set: under it, every message would be a repetition of the first. Stored
/// ones from before this rule stay readable.
fn parse(text: &str) -> Option<IdempotencyKey> {
    let key = IdempotencyKey::parse(text).ok();
    key.filter(|_| !text.trim().is_empty())
}
