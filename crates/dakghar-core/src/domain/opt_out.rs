//! What people said about being written to: that a tenant must not, or may again.
//!
//! A person is known here by a mark, a keyed hash of an id of theirs. When the person is erased the id goes and the mark
//! stays: who asked not to be written to must not be written to because they also asked to be forgotten.

mod spelling;
mod words;

use std::fmt;

use super::ids::{TenantId, WaId};
use super::page::Paged;
use super::time::Timestamp;

pub use words::Word;

/// Bytes of a mark.
const MARK_BYTES: usize = 32;
/// The bytes of a record in memory, about.
const RECORD_BYTES: usize = 256;

/// The keyed hash of an id of a person, of one tenant.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PersonMark([u8; MARK_BYTES]);

impl PersonMark {
    /// Takes the hash.
    pub const fn new(hash: [u8; MARK_BYTES]) -> Self {
        Self(hash)
    }

    /// Reads the form that it is shown in.
    pub fn parse(text: &str) -> Option<Self> {
        let mut hash = [0; MARK_BYTES];
        let is_lower = text.bytes().all(|byte| !byte.is_ascii_uppercase());
        (is_lower && hex::decode_to_slice(text, &mut hash).is_ok()).then_some(Self(hash))
    }
}

impl fmt::Display for PersonMark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for PersonMark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The messages that are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OptOutScope {
    /// All of them.
    All,
    /// Marketing.
    Marketing,
}

impl OptOutScope {
    /// Every scope.
    pub const ALL: [Self; 2] = [Self::All, Self::Marketing];

    /// The name used in answers and in the stores.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Marketing => "marketing",
        }
    }

    /// Reads the name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text)
    }
}

/// Where it was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OptOutSource {
    /// The person wrote one of the words that mean it.
    StopWord,
    /// The person told Meta, which reported it.
    Meta,
    /// Somebody set it through the API or the command line.
    Api,
}

impl OptOutSource {
    /// Every source.
    pub const ALL: [Self; 3] = [Self::StopWord, Self::Meta, Self::Api];

    /// The name used in answers and in the stores.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::StopWord => "stop_word",
            Self::Meta => "meta",
            Self::Api => "api",
        }
    }

    /// Reads the name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|source| source.as_str() == text)
    }
}

/// The place of a record among those of its tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OptOutKey {
    /// Whom it is about.
    pub mark: PersonMark,
    /// The messages that are meant.
    pub scope: OptOutScope,
}

impl OptOutKey {
    /// Reads its text.
    pub fn parse(text: &str) -> Option<Self> {
        let (mark, scope) = text.split_once('/')?;
        Some(Self {
            mark: PersonMark::parse(mark)?,
            scope: OptOutScope::parse(scope)?,
        })
    }
}

impl fmt::Display for OptOutKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.mark, self.scope.as_str())
    }
}

/// The last word about one id of a person and one scope: that it is an opt-out, or is none any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptOut {
    /// The tenant to whom it was said.
    pub tenant_id: TenantId,
    /// About whom, and which messages.
    pub key: OptOutKey,
    /// The id; `None` once the person was erased, or the opt-out was taken back.
    pub person: Option<WaId>,
    /// True for an opt-out; false if it was taken back.
    pub is_out: bool,
    /// When it was said: the time of Meta where Meta reported it.
    pub at: Timestamp,
    /// Where it was said.
    pub source: OptOutSource,
}

impl OptOut {
    /// True if this one replaces the other, which is of the same key: it was said later. Of two that were said at the same
    /// time, that which opts out. So their order and number do not matter.
    pub fn replaces(&self, other: &Self) -> bool {
        (self.at, self.is_out) > (other.at, other.is_out)
    }

    /// Stands for a record that cannot be read: nobody is written to because of damage.
    pub const fn unreadable(tenant_id: TenantId, mark: PersonMark) -> Self {
        Self {
            tenant_id,
            key: OptOutKey {
                mark,
                scope: OptOutScope::All,
            },
            person: None,
            is_out: true,
            at: Timestamp::from_millis(0),
            source: OptOutSource::Api,
        }
    }

    /// Returns its id, unique among all tenants.
    pub fn id(&self) -> String {
        format!("{}/{}", self.tenant_id, self.key)
    }
}

impl Paged for OptOut {
    type Position = OptOutKey;

    fn position(&self) -> OptOutKey {
        self.key
    }

    fn bytes(&self) -> usize {
        RECORD_BYTES + self.person.as_ref().map_or(0, |person| person.as_str().len())
    }
}

/// What a person said, before it is known under which ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// The ids that the person was named by.
    pub ids: Vec<WaId>,
    /// The messages that are meant.
    pub scope: OptOutScope,
    /// True for an opt-out.
    pub is_out: bool,
    /// When it was said; `None` if nobody told.
    pub at: Option<Timestamp>,
    /// Where.
    pub source: OptOutSource,
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn said(at: i64, is_out: bool) -> OptOut {
        OptOut {
            tenant_id: TenantId::from_uuid(Uuid::from_u128(1)),
            key: OptOutKey {
                mark: PersonMark::new([7; MARK_BYTES]),
                scope: OptOutScope::All,
            },
            person: None,
            is_out,
            at: Timestamp::from_millis(at),
            source: OptOutSource::StopWord,
        }
    }

    #[test]
    fn the_last_word_counts_in_whatever_order_they_come() {
        let words = [
            said(1, true),
            said(2, false),
            said(2, true),
            said(3, false),
            said(1, false),
        ];
        for first in 0..words.len() {
            let mut kept = words[first].clone();
            for step in 1..=words.len() {
                let next = &words[(first + step * 2) % words.len()];
                if next.replaces(&kept) {
                    kept = next.clone();
                }
            }
            assert_eq!(kept, said(3, false));
        }
        assert!(said(2, true).replaces(&said(2, false)), "the careful one of two");
        assert!(!said(2, true).replaces(&said(2, true)), "a repetition changes nothing");
    }

    #[test]
    fn keys_are_read_as_they_are_shown() {
        let key = said(1, true).key;
        assert_eq!(OptOutKey::parse(&key.to_string()), Some(key));
        for text in [
            "",
            "all",
            "07/all",
            &format!("{}/some", key.mark),
            &format!("{}/all", "A".repeat(64)),
        ] {
            assert_eq!(OptOutKey::parse(text), None, "{text}");
        }
    }
}
