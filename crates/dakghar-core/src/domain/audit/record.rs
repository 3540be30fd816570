//! Records as links of a chain, and which of them a list wants.

use aws_lc_rs::digest;

use super::entry::AuditEntry;
use crate::domain::ids::{AuditId, TenantId};
use crate::domain::page::{PageLimit, Paged};
use crate::domain::time::Timestamp;

/// The beginning of all that is hashed, so that a hash is the hash of nothing else.
const HASHED_AS: &[u8] = b"dakghar audit record 1\n";

/// A place in the chain: a record's number and hash.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChainLink {
    /// The number of the record; 0 stands before the first.
    pub number: u64,
    /// Its hash; zeros before the first.
    pub hash: [u8; 32],
}

impl ChainLink {
    /// The place before the first record.
    pub const START: Self = Self {
        number: 0,
        hash: [0; 32],
    };
}

/// A record as it is stored. All but the links of the chain follows from the text; what stores find records by is kept beside
/// it, and a check compares the two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRecord {
    /// Its number: 1 for the first, and one more for each.
    pub number: u64,
    /// The id of its entry.
    pub id: AuditId,
    /// The time of its entry.
    pub at: Timestamp,
    /// The tenant of its entry.
    pub tenant_id: Option<TenantId>,
    /// Who it was: [`Who::actor`](super::Who::actor).
    pub actor: String,
    /// What was done.
    pub action: String,
    /// The text of its entry.
    pub text: String,
    /// The hash of the record before it; zeros for the first.
    pub previous: [u8; 32],
    /// Its own hash.
    pub hash: [u8; 32],
}

impl ChainLink {
    /// Returns the hash in hexadecimal.
    pub fn hash_text(&self) -> String {
        hex::encode(self.hash)
    }
}

impl AuditRecord {
    /// Returns the place of the record before it.
    pub const fn before(&self) -> ChainLink {
        ChainLink {
            number: self.number.saturating_sub(1),
            hash: self.previous,
        }
    }

    /// Makes the record that comes behind the end of a chain.
    pub fn behind(end: &ChainLink, entry: &AuditEntry) -> Self {
        let (number, text) = (end.number + 1, entry.text());
        Self {
            number,
            id: entry.id,
            at: entry.at,
            tenant_id: entry.tenant_id,
            actor: entry.by.who.actor(),
            action: entry.action.clone(),
            hash: hash_of(number, &end.hash, &text),
            previous: end.hash,
            text,
        }
    }

    /// Returns its number as a text that sorts as the number does.
    pub fn place(&self) -> String {
        place_of(self.number)
    }

    /// Returns what it says; `None` if that cannot be read.
    pub fn entry(&self) -> Option<AuditEntry> {
        AuditEntry::parse(&self.text)
    }

    /// Returns its place in the chain.
    pub const fn link(&self) -> ChainLink {
        ChainLink {
            number: self.number,
            hash: self.hash,
        }
    }

    /// True if its hash is that of what it holds, and what it is found by is what its text says.
    pub fn is_whole(&self) -> bool {
        let is_said = self.entry().is_some_and(|entry| {
            entry.id == self.id
                && entry.at == self.at
                && entry.tenant_id == self.tenant_id
                && entry.action == self.action
                && entry.by.who.actor() == self.actor
        });
        is_said && hash_of(self.number, &self.previous, &self.text) == self.hash
    }
}

/// Returns the number of a record as a text that sorts as the number does.
pub fn place_of(number: u64) -> String {
    format!("{number:020}")
}

/// The hash of a record: over its number, the hash before it and its text, of which the first two have a fixed length.
fn hash_of(number: u64, previous: &[u8; 32], text: &str) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(HASHED_AS);
    context.update(&number.to_be_bytes());
    context.update(previous);
    context.update(text.as_bytes());
    let digest = context.finish();
    digest.as_ref().try_into().expect("SHA-256 has 32 bytes")
}

impl Paged for AuditRecord {
    type Position = u64;

    fn position(&self) -> u64 {
        self.number
    }

    fn bytes(&self) -> usize {
        size_of::<Self>() + self.text.len() + self.actor.len() + self.action.len()
    }
}

/// A query for records, the newest first. Every filter that is set must match.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditQuery {
    /// Only of this tenant.
    pub tenant_id: Option<TenantId>,
    /// Only of this actor: the id of a key, or a kind.
    pub actor: Option<String>,
    /// Only this action.
    pub action: Option<String>,
    /// Only at or after this.
    pub since: Option<Timestamp>,
    /// Only before this.
    pub until: Option<Timestamp>,
    /// Only records with a smaller number: the end of the previous page.
    pub before: Option<u64>,
    /// The end of the page.
    pub limit: PageLimit,
}

impl AuditQuery {
    /// True if the record is wanted, wherever the page begins.
    pub fn matches(&self, record: &AuditRecord) -> bool {
        self.tenant_id.is_none_or(|id| record.tenant_id == Some(id))
            && self.actor.as_ref().is_none_or(|actor| *actor == record.actor)
            && self.action.as_ref().is_none_or(|action| *action == record.action)
            && self.since.is_none_or(|since| record.at >= since)
            && self.until.is_none_or(|until| record.at < until)
    }
}
