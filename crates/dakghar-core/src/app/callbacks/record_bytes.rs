//! The bytes of records that wait in memory to be delivered: those of one endpoint, and of all together.
//!
//! A receiver that is slow must not make its endpoint read on, and many of them together must not fill the memory. An endpoint of
//! which nothing is in memory may always read one record.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The most bytes of records of all endpoints.
const ALL_MAX: usize = 64 * 1024 * 1024;
/// The most bytes of records of one endpoint.
const OWN_MAX: usize = 4 * 1024 * 1024;
/// What a record is taken for before one was read. A first reading that has a few large ones costs little.
const FIRST_GUESS: usize = 48 * 1024;
/// The least that a record is taken for.
const RECORD_MIN: usize = 1024;

/// The bytes of all endpoints of a process.
#[derive(Clone, Debug, Default)]
pub(super) struct AllRecordBytes(Arc<AtomicUsize>);

/// The bytes of one endpoint.
#[derive(Debug)]
pub(super) struct RecordBytes {
    own: Arc<AtomicUsize>,
    all: AllRecordBytes,
    /// What a record of this endpoint has, about: the mean of the last reading that had some.
    usual: usize,
}

/// Bytes that are in memory. They are given back when this is dropped.
#[derive(Debug)]
pub(super) struct HeldBytes {
    bytes: usize,
    own: Arc<AtomicUsize>,
    all: AllRecordBytes,
}

impl Drop for HeldBytes {
    fn drop(&mut self) {
        self.own.fetch_sub(self.bytes, Ordering::Relaxed);
        self.all.0.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl RecordBytes {
    pub(super) fn of(all: &AllRecordBytes) -> Self {
        Self {
            own: Arc::default(),
            all: all.clone(),
            usual: FIRST_GUESS,
        }
    }

    /// How many records may be read now, `most` at most.
    pub(super) fn room(&self, most: usize) -> usize {
        let own = self.own.load(Ordering::Relaxed);
        let left = ALL_MAX.saturating_sub(self.all.0.load(Ordering::Relaxed));
        let records = left.min(OWN_MAX.saturating_sub(own)) / self.usual;
        records.clamp(usize::from(own == 0), most)
    }

    /// Holds the bytes of so many records while they are read, so that others see them before they are there.
    pub(super) fn expect(&self, records: usize) -> HeldBytes {
        self.hold(records * self.usual)
    }

    /// Holds the bytes of a record.
    pub(super) fn hold(&self, bytes: usize) -> HeldBytes {
        self.own.fetch_add(bytes, Ordering::Relaxed);
        self.all.0.fetch_add(bytes, Ordering::Relaxed);
        HeldBytes {
            bytes,
            own: self.own.clone(),
            all: self.all.clone(),
        }
    }

    /// Learns what records have.
    pub(super) fn learn(&mut self, bytes: impl ExactSizeIterator<Item = usize>) {
        let records = bytes.len();
        if let Some(mean) = bytes.sum::<usize>().checked_div(records) {
            self.usual = mean.max(RECORD_MIN);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_reads_one_however_full_it_is_and_more_only_where_there_is_room() {
        let all = AllRecordBytes::default();
        let mut slow = RecordBytes::of(&all);
        assert_eq!(slow.room(100), OWN_MAX / FIRST_GUESS);
        slow.learn([2_048, 4_096].into_iter());
        assert_eq!(slow.room(100), 100);
        let held = slow.hold(OWN_MAX);
        assert_eq!(slow.room(100), 0);

        // Together they have no more than the process has.
        let others: Vec<_> = (0..ALL_MAX / OWN_MAX).map(|_| RecordBytes::of(&all)).collect();
        let theirs: Vec<_> = others.iter().map(|other| other.hold(OWN_MAX)).collect();
        let mut late = RecordBytes::of(&all);
        assert_eq!(late.room(100), 1);
        late.learn([1].into_iter());
        let one = late.hold(1);
        assert_eq!(late.room(100), 0);
        drop((held, one));
        assert!(late.room(100) <= 1, "others have it all");
        drop(theirs);
        assert_eq!((late.room(100), all.0.load(Ordering::Relaxed)), (100, 0));
    }

    #[test]
    fn what_is_being_read_counts_before_it_is_there() {
        let all = AllRecordBytes::default();
        let reader = RecordBytes::of(&all);
        let expected = reader.expect(8);
        assert_eq!(all.0.load(Ordering::Relaxed), 8 * FIRST_GUESS);
        drop(expected);
        assert_eq!(all.0.load(Ordering::Relaxed), 0);
    }
}
