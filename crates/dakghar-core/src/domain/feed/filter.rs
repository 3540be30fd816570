//! Which entries somebody wants.

use std::sync::Arc;

use super::super::ids::PhoneNumberId;
use super::kind::{EntryKind, META_KINDS, OWN_KINDS};

/// Which entries somebody wants. Without kinds those of any kind, without numbers those of any number or of none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EntryFilter {
    /// The kinds.
    pub kinds: Vec<KindPattern>,
    /// The business numbers.
    pub phone_number_ids: Vec<PhoneNumberId>,
}

impl EntryFilter {
    /// True if an entry of this kind about this number is wanted. `None` is an entry that is about no number, such as an
    /// event of a whole account; whoever names numbers does not want it. A report names none itself: its number is that of
    /// its message. What cannot be read may be what is wanted, and is wanted by everybody.
    pub fn matches(&self, kind: &EntryKind, number: Option<&PhoneNumberId>) -> bool {
        if kind.is_unreadable() {
            return true;
        }
        self.matches_kind(kind)
            && (self.phone_number_ids.is_empty() || number.is_some_and(|number| self.phone_number_ids.contains(number)))
    }

    /// True if an entry of this kind is wanted, where its number is.
    pub fn matches_kind(&self, kind: &EntryKind) -> bool {
        self.kinds.is_empty() || kind.is_unreadable() || self.kinds.iter().any(|pattern| pattern.matches(kind))
    }

    /// True if this very kind is named, and not only the beginning of it.
    pub fn names(&self, kind: &EntryKind) -> bool {
        self.kinds.iter().any(|pattern| pattern.as_str() == kind.as_str())
    }

    /// True if everything is wanted.
    pub const fn is_everything(&self) -> bool {
        self.kinds.is_empty() && self.phone_number_ids.is_empty()
    }
}

/// A kind, or the beginning of kinds and `*`: `message.received`, `status.*`, `*`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KindPattern(Arc<str>);

impl KindPattern {
    /// Reads it: what an [`EntryKind`] may be, with a `*` at the end or none.
    pub fn parse(text: &str) -> Option<Self> {
        EntryKind::parse(text)?;
        let beginning = text.strip_suffix('*').unwrap_or(text);
        (!beginning.contains('*')).then(|| Self(text.into()))
    }

    /// Returns it as it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// True if it is this kind, or its beginning.
    pub fn matches(&self, kind: &EntryKind) -> bool {
        match self.0.strip_suffix('*') {
            Some(beginning) => kind.as_str().starts_with(beginning),
            None => *self.0 == *kind.as_str(),
        }
    }

    /// False if no entry can ever be of such a kind.
    pub fn can_match(&self) -> bool {
        match self.0.strip_suffix('*') {
            Some(beginning) => {
                beginning.starts_with(META_KINDS)
                    || META_KINDS.starts_with(beginning)
                    || OWN_KINDS.iter().any(|kind| kind.starts_with(beginning))
            }
            None => {
                let of_field = self.0.strip_prefix(META_KINDS);
                of_field.is_some_and(|field| !field.is_empty()) || OWN_KINDS.contains(&&*self.0)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> KindPattern {
        KindPattern::parse(text).unwrap_or_else(|| panic!("{text}"))
    }

    fn kind(text: &str) -> EntryKind {
        EntryKind::parse(text).expect("a kind")
    }

    #[test]
    fn a_pattern_is_a_kind_or_the_beginning_of_kinds() {
        for (text, matched, other) in [
            ("status.read", "status.read", "status.readable"),
            ("status.*", "status.read", "message.read"),
            ("meta.account*", "meta.account_update", "meta.security"),
            ("*", "meta.security", ""),
        ] {
            assert!(pattern(text).matches(&kind(matched)), "{text}");
            assert!(other.is_empty() || !pattern(text).matches(&kind(other)), "{text}");
            assert_eq!(pattern(text).as_str(), text);
        }
        for wrong in ["", "a b", "*.read", "status.**", "sta*tus", &"x".repeat(81)] {
            assert_eq!(KindPattern::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_no_entry_can_be_is_told() {
        for text in OWN_KINDS
            .into_iter()
            .chain(["status.*", "m*", "me*", "meta.x", "meta.*", "meta.ac*", "*"])
        {
            assert!(pattern(text).can_match(), "{text}");
        }
        for text in [
            "message",
            "message.read",
            "meta",
            "meta.",
            "statuses.*",
            "Message.received",
            "x*",
        ] {
            assert!(!pattern(text).can_match(), "{text}");
        }
    }

    #[test]
    fn a_filter_is_kinds_and_numbers_together() {
        let number = |text| PhoneNumberId::parse(text).expect("digits");
        let all = EntryFilter::default();
        assert!(all.is_everything() && all.matches(&kind("meta.security"), None));
        let some = EntryFilter {
            kinds: vec![pattern("status.*"), pattern("message.received")],
            phone_number_ids: vec![number("1"), number("2")],
        };
        assert!(!some.is_everything());
        assert!(some.matches(&kind("status.sent"), Some(&number("2"))));
        assert!(!some.matches(&kind("status.sent"), Some(&number("3"))));
        assert!(!some.matches(&kind("status.sent"), None));
        assert!(!some.matches(&kind("message.echo"), Some(&number("1"))));
        assert!(
            some.matches(&kind("entry.unreadable"), None),
            "it may be what is wanted"
        );
        assert!(some.matches_kind(&kind("entry.unreadable")));
        assert!(some.names(&kind("message.received")) && !some.names(&kind("status.sent")));
    }
}
