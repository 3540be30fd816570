//! Erasing one person: everything that a tenant keeps of them is looked for, place by place, and deleted.
//!
//! The record of an erasure names the person in sealed form while it runs, because another process must be able to go on
//! with it, and not at all once it is done. It is about what was there when it was asked for. What comes later is a new
//! contact.

mod named;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::ids::{ErasureId, TenantId, WaId};
use super::lease::Lease;
use super::page::Paged;
use super::time::Timestamp;
use named::written_out;

/// Erasures of one tenant that may run at a time.
pub const OPEN_ERASURES_MAX: usize = 20;
/// The time for which a process has an erasure to itself after each portion. Two at once would do no harm, only work.
pub const ERASURE_LEASE: Duration = Duration::from_secs(15);
/// Numbers and ids of one person, at most.
pub const PERSON_IDS_MAX: usize = 1_000;
/// Below this length an id may be a part of anything, so only a whole JSON text counts as the person's.
const LONG_ID_CHARS: usize = 7;

/// The numbers and ids of one person.
#[derive(Clone, PartialEq, Eq)]
pub struct PersonIds(Vec<WaId>);

/// A person is not told to logs.
impl std::fmt::Debug for PersonIds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ids", self.0.len())
    }
}

impl PersonIds {
    /// Takes the ids, each once and in their order; the first [`PERSON_IDS_MAX`].
    pub fn new(ids: impl IntoIterator<Item = WaId>) -> Self {
        let ids: BTreeSet<WaId> = ids.into_iter().collect();
        Self(ids.into_iter().take(PERSON_IDS_MAX).collect())
    }

    /// Returns the ids in an order that is always the same.
    pub fn ids(&self) -> &[WaId] {
        &self.0
    }

    /// True if the text is one of the ids, with or without a `+`.
    pub fn has(&self, text: &str) -> bool {
        let text = text.strip_prefix('+').unwrap_or(text);
        self.0.iter().any(|id| id.as_str() == text)
    }

    /// True if one of the ids stands in the text, JSON, and not as a part of a longer number or word: with whatever escapes,
    /// and a number also with the spaces, hyphens, dots and brackets that people write in it.
    pub fn are_named_in(&self, json: &str) -> bool {
        let text = written_out(json);
        self.0.iter().any(|id| is_named(id.as_str(), &text)) || named::spaced_numbers(&text, |digits| self.has(digits))
    }

    /// Returns all ids as one text. They are printable and have no spaces.
    pub fn to_text(&self) -> String {
        let ids: Vec<&str> = self.0.iter().map(WaId::as_str).collect();
        ids.join(" ")
    }

    /// Reads [`PersonIds::to_text`]; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let ids: Result<Vec<WaId>, _> = text.split(' ').map(WaId::parse).collect();
        ids.ok().map(Self::new)
    }
}

/// True if the id stands in the text.
fn is_named(id: &str, text: &str) -> bool {
    text.match_indices(id).any(|(at, _)| {
        let (before, behind) = (&text[..at], &text[at + id.len()..]);
        if id.len() < LONG_ID_CHARS {
            let before = before.strip_suffix('+').unwrap_or(before);
            return before.ends_with('"') && behind.starts_with('"');
        }
        !before.ends_with(char::is_alphanumeric) && !behind.starts_with(char::is_alphanumeric)
    })
}

/// Where something of a person may be, in the order in which it is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ErasurePlace {
    /// Messages to and from the person, with Meta's reports on them.
    Messages,
    /// Messages that the person wrote in groups.
    GroupMessages,
    /// Meta's reports that name the person, on messages of others: those of groups.
    Reports,
    /// Webhook events that name the person.
    Events,
    /// Events of no tenant that name the person; only if the operator asked for it.
    Unrouted,
    /// Conversations with the person: ids, names, times.
    Conversations,
    /// What receivers of callbacks answered, in dead and open callbacks and in the log of attempts. An answer may hold
    /// anything, so those of all people go.
    Answers,
    /// What deleting leaves behind in the file of the store and its log.
    File,
}

impl ErasurePlace {
    /// All places, in their order.
    pub const ALL: [Self; 8] = [
        Self::Messages,
        Self::GroupMessages,
        Self::Reports,
        Self::Events,
        Self::Unrouted,
        Self::Conversations,
        Self::Answers,
        Self::File,
    ];

    /// The name used in answers and in the stores.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Messages => "messages",
            Self::GroupMessages => "groupMessages",
            Self::Reports => "reports",
            Self::Events => "events",
            Self::Unrouted => "unrouted",
            Self::Conversations => "conversations",
            Self::Answers => "answers",
            Self::File => "file",
        }
    }

    /// Reads the name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|place| place.as_str() == text)
    }

    fn next(self) -> Option<Self> {
        Self::ALL.into_iter().find(|place| *place > self)
    }
}

/// How many records of each place an erasure deleted or emptied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ErasureCounts([u64; ErasurePlace::ALL.len()]);

impl ErasureCounts {
    /// Returns the number of one place.
    pub const fn of(&self, place: ErasurePlace) -> u64 {
        self.0[place as usize]
    }

    /// Adds to the number of one place.
    pub const fn add(&mut self, place: ErasurePlace, count: u64) {
        self.0[place as usize] += count;
    }
}

/// What one portion of an erasure did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PortionDone {
    /// Records that were deleted or emptied.
    pub erased: u64,
    /// Where the next portion goes on; `None` if the place is through.
    pub next: Option<String>,
    /// Messages that were cancelled for it.
    pub cancelled: u64,
    /// Messages that are on their way, of which nobody knows yet what becomes of them.
    pub waiting: u64,
}

/// An erasure of one person, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersonErasure {
    /// Its id.
    pub id: ErasureId,
    /// The tenant.
    pub tenant_id: TenantId,
    /// The person's ids, sealed for the tenant; `None` once it is done.
    pub sealed_person: Option<Vec<u8>>,
    /// True if events of no tenant are looked through, too.
    pub with_unrouted: bool,
    /// Where it is.
    pub place: ErasurePlace,
    /// How far it is there; `None` is the beginning.
    pub from: Option<String>,
    /// What it did so far.
    pub counts: ErasureCounts,
    /// Messages that it cancelled.
    pub cancelled: u64,
    /// Messages on their way that it waits for, as the last walk counted them.
    pub waiting: u64,
    /// Messages that the present walk cancelled, and those on their way that it met.
    pub met: [u64; 2],
    /// True if the file is too large to be rewritten beside the work of the store, so that traces may be left in it.
    pub needs_vacuum: bool,
    /// The process that works on it.
    pub lease: Option<Lease>,
    /// When it was asked for: it is about what was there before.
    pub created_at: Timestamp,
    /// The time of its last change.
    pub updated_at: Timestamp,
    /// When it was done.
    pub ended_at: Option<Timestamp>,
    /// Counts saves; a save must name the version it read.
    pub version: u64,
}

impl PersonErasure {
    /// Makes an erasure that has not looked at anything.
    pub fn new(
        id: ErasureId,
        tenant_id: TenantId,
        sealed_person: Vec<u8>,
        with_unrouted: bool,
        now: Timestamp,
    ) -> Self {
        Self {
            id,
            tenant_id,
            sealed_person: Some(sealed_person),
            with_unrouted,
            place: ErasurePlace::Messages,
            from: None,
            counts: ErasureCounts::default(),
            cancelled: 0,
            waiting: 0,
            met: [0, 0],
            needs_vacuum: false,
            lease: None,
            created_at: now,
            updated_at: now,
            ended_at: None,
            version: 0,
        }
    }

    /// True until it is done.
    pub const fn is_open(&self) -> bool {
        self.ended_at.is_none()
    }

    /// True if another process has it.
    pub fn is_held_by_other(&self, owner: &str, now: Timestamp) -> bool {
        let lease = self.lease.as_ref();
        lease.is_some_and(|lease| lease.is_of_other(owner, now, ERASURE_LEASE))
    }

    /// Gives it to this process until its next portion, if there is anything left to do.
    pub fn keep_for(&mut self, owner: &Arc<str>, now: Timestamp) {
        self.lease = self.is_open().then(|| Lease::begin(owner, now, ERASURE_LEASE));
    }

    /// Counts a portion and moves on. Messages on their way hold it where it is: they are walked again until there are
    /// none. Returns true if it has to wait for those.
    pub fn take(&mut self, done: PortionDone, now: Timestamp) -> bool {
        self.updated_at = now;
        self.counts.add(self.place, done.erased);
        self.cancelled += done.cancelled;
        self.met[0] += done.cancelled;
        self.met[1] += done.waiting;
        self.from = done.next;
        if self.from.is_some() {
            return false;
        }
        let [cancelled, waiting] = std::mem::take(&mut self.met);
        self.waiting = waiting;
        if cancelled + waiting > 0 {
            // What was cancelled is deleted by the next walk, at once.
            return waiting > 0;
        }
        match self.next_place() {
            Some(place) => self.place = place,
            None => self.end(now),
        }
        false
    }

    fn next_place(&self) -> Option<ErasurePlace> {
        match self.place.next() {
            Some(ErasurePlace::Unrouted) if !self.with_unrouted => ErasurePlace::Unrouted.next(),
            next => next,
        }
    }

    fn end(&mut self, now: Timestamp) {
        self.sealed_person = None;
        self.ended_at = Some(now);
    }
}

impl Paged for PersonErasure {
    type Position = ErasureId;

    fn position(&self) -> ErasureId {
        self.id
    }

    fn bytes(&self) -> usize {
        const BYTES: usize = 512;
        BYTES + self.sealed_person.as_ref().map_or(0, Vec::len)
    }
}

#[cfg(test)]
mod tests;
