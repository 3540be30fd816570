//! The kinds of entries.

use std::sync::Arc;

/// Bytes of the name of a kind.
const KIND_BYTES_MAX: usize = 80;

/// The kinds that are no events of Meta's, all of them.
pub const OWN_KINDS: [&str; 25] = [
    "message.received",
    "message.echo",
    MESSAGE_HISTORY,
    "message.redriven",
    "message.in_doubt",
    "message.cancelled",
    "message.expired",
    "message.dead",
    "message.sent",
    "message.failed",
    "message.revoked",
    "message.edited",
    "message.corrected",
    "status.sent",
    "status.delivered",
    "status.read",
    "status.played",
    "status.failed",
    ENDPOINT_DISABLED,
    ENDPOINT_EVENTS_EXPIRED,
    SENDING_HELD,
    SENDING_RELEASED,
    TOKEN_EXPIRES,
    NUMBER_CHANGED,
    ENTRY_UNREADABLE,
];
/// The kind of an entry that tells of a message of the history that a business shared.
const MESSAGE_HISTORY: &str = "message.history";
/// The kind of an entry that tells how far a history is.
const META_HISTORY: &str = "meta.history";
/// The kind of an entry that tells that Dakghar has given an endpoint up.
pub const ENDPOINT_DISABLED: &str = "endpoint.disabled";
/// The kind of an entry that tells that entries went out of the feed before an endpoint got them.
pub const ENDPOINT_EVENTS_EXPIRED: &str = "endpoint.events_expired";
/// The kind of an entry that tells that sending is held, or held for another reason, of a number or the whole tenant.
pub const SENDING_HELD: &str = "sending.held";
/// The kind of an entry that tells that sending is not held any more.
pub const SENDING_RELEASED: &str = "sending.released";
/// The kind of an entry that tells that the access token of a number ends soon.
pub const TOKEN_EXPIRES: &str = "token.expires";
/// The kind of an entry that tells what a check of a number found changed at Meta.
pub const NUMBER_CHANGED: &str = "number.changed";
/// The kind of what stands where an entry of the feed cannot be read.
pub const ENTRY_UNREADABLE: &str = "entry.unreadable";
/// The kinds of the events that Dakghar makes itself.
const DAKGHAR_KINDS: [&str; 6] = [
    ENDPOINT_DISABLED,
    ENDPOINT_EVENTS_EXPIRED,
    SENDING_HELD,
    SENDING_RELEASED,
    TOKEN_EXPIRES,
    NUMBER_CHANGED,
];
/// How the kind of an event of Meta's begins. The name of its field follows.
pub const META_KINDS: &str = "meta.";

/// What an entry tells of: `message.received`, `status.delivered`, `meta.account_update`. The list has an open tail,
/// because Meta's has.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryKind(Arc<str>);

impl EntryKind {
    pub(super) fn named(name: &str) -> Self {
        debug_assert!(OWN_KINDS.contains(&name), "{name} is not among the kinds");
        Self(name.into())
    }

    /// The kind of an event that Dakghar made itself.
    pub(super) fn of_dakghar(name: &str) -> Self {
        let known = DAKGHAR_KINDS.into_iter().find(|known| *known == name);
        known.map_or_else(|| Self::of_field(name), Self::named)
    }

    /// True for an event that Dakghar made itself: of an endpoint, a hold, a token or a number.
    pub fn is_of_dakghar(&self) -> bool {
        DAKGHAR_KINDS.contains(&&*self.0)
    }

    /// True for an entry of the history that a business shared: a message of it, or what else it says.
    pub fn is_of_history(&self) -> bool {
        [MESSAGE_HISTORY, META_HISTORY].contains(&&*self.0)
    }

    /// True for what stands where an entry cannot be read. It may be of any kind and about any number.
    pub fn is_unreadable(&self) -> bool {
        &*self.0 == ENTRY_UNREADABLE
    }

    /// The kind of an event of Meta's, by the name of its field.
    pub(super) fn of_field(field: &str) -> Self {
        let plain = |char: char| if char.is_ascii_graphic() { char } else { '_' };
        let field: String = field
            .chars()
            .map(plain)
            .take(KIND_BYTES_MAX - META_KINDS.len())
            .collect();
        Self(format!("{META_KINDS}{}", if field.is_empty() { "unnamed" } else { &field }).into())
    }

    /// Reads the name: printable ASCII without spaces, at most 80 bytes.
    pub fn parse(text: &str) -> Option<Self> {
        let is_name =
            !text.is_empty() && text.len() <= KIND_BYTES_MAX && text.bytes().all(|byte| byte.is_ascii_graphic());
        is_name.then(|| Self(text.into()))
    }

    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_of_any_name_makes_a_kind_that_can_be_read() {
        for field in ["account_update", "", "a b\u{9}ü", &"x".repeat(500)] {
            let kind = EntryKind::of_field(field);
            assert_eq!(EntryKind::parse(kind.as_str()).as_ref(), Some(&kind));
        }
        for wrong in ["", "a b", "ü", &"x".repeat(81)] {
            assert_eq!(EntryKind::parse(wrong), None, "{wrong}");
        }
    }
}
