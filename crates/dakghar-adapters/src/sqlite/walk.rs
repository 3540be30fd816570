//! Walking records portion by portion, by items and bytes.

use dakghar_core::ports::{AgedPortion, ErasedPortion};
use rusqlite::Row;

use super::cells::{Cells, readable};

/// The bytes of bodies by which a commit erases no more: erased pages are written over.
const ERASED_BYTES_MAX: usize = 1024 * 1024;

/// A portion as it is walked.
pub(super) struct Walk<'a> {
    portion: &'a AgedPortion,
    looked_at: u32,
    bytes: i64,
    pub(super) erased: u64,
    pub(super) last: Option<String>,
}

impl<'a> Walk<'a> {
    pub(super) const fn new(portion: &'a AgedPortion) -> Self {
        Self {
            portion,
            looked_at: 0,
            bytes: 0,
            erased: 0,
            last: None,
        }
    }

    /// Notes a record that was looked at.
    pub(super) fn pass(&mut self, place: Option<String>, bytes: i64) {
        self.looked_at += 1;
        self.bytes += bytes;
        self.last = place.or(self.last.take());
    }

    pub(super) fn is_full(&self) -> bool {
        self.bytes >= i64::try_from(ERASED_BYTES_MAX).unwrap_or(i64::MAX)
    }

    /// There is more if it ended early.
    pub(super) fn end(self) -> ErasedPortion {
        let has_more = self.is_full() || self.looked_at >= self.portion.limit;
        ErasedPortion {
            erased: self.erased,
            next: self.last.filter(|_| has_more),
        }
    }
}

pub(super) fn id_of(what: &'static str, row: &Row<'_>) -> Option<String> {
    readable(what, row, Cells::of(row).get())
}
