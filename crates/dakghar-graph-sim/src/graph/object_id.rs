//! The form of Meta's ids.

/// Meta's object ids are digits.
pub(super) fn is_object_id(id: &str) -> bool {
    (1..=21).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_digit())
}
