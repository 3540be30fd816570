//! A condition that begins, goes on and ends, of which only the beginning and the end are told.

use std::sync::atomic::{AtomicU64, Ordering};

/// One condition, such as a disk that is full. Whoever meets it notes that, however often; the answers say what is new.
#[derive(Debug, Default)]
pub struct Episode {
    /// How many times it was met since it began; 0 while it is not so.
    times: AtomicU64,
}

impl Episode {
    /// Notes that it is so. Returns true if that is new, which is to be told.
    pub fn note(&self) -> bool {
        self.times.fetch_add(1, Ordering::Relaxed) == 0
    }

    /// Notes that it is not so. Returns how many times it was met if that is new, which is to be told.
    pub fn end(&self) -> Option<u64> {
        // Most of those who say so find it as it was, and must not take the cache line from each other.
        if !self.goes_on() {
            return None;
        }
        let times = self.times.swap(0, Ordering::Relaxed);
        (times > 0).then_some(times)
    }

    /// True while it is so.
    pub fn goes_on(&self) -> bool {
        self.times.load(Ordering::Relaxed) > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_and_the_end_are_told_once_each() {
        let episode = Episode::default();
        assert_eq!((episode.end(), episode.goes_on()), (None, false));
        assert_eq!([(); 3].map(|()| episode.note()), [true, false, false]);
        assert!(episode.goes_on());
        assert_eq!(
            (episode.end(), episode.end(), episode.goes_on()),
            (Some(3), None, false)
        );
        assert!(episode.note(), "the next one");
    }
}
