//! The history of a number of the WhatsApp Business app, and the progress of it.
//!
//! Meta sends it in three phases, each in chunks, in no order that one could rely on, and repeats what was not answered. A chunk
//! is counted once, because a bit says that it was.

use crate::domain::time::Timestamp;

/// The phases: the last day, three months, six months.
const PHASES: u32 = 3;
/// Chunks of a phase that are remembered. Those behind them are counted whenever they come.
const CHUNKS_KNOWN_MAX_OF_PHASE: u32 = 4_096;
/// Bytes of the bits by which chunks are remembered.
pub const CHUNKS_KNOWN_MAX: usize = (PHASES * CHUNKS_KNOWN_MAX_OF_PHASE / 8) as usize;
/// The percentage of a history that is all there.
const WHOLE: u32 = 100;

/// A piece of a history, as a webhook brought it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wave {
    /// The phase, from 0.
    pub phase: Option<u32>,
    /// The number of the chunk in its phase.
    pub chunk: Option<u32>,
    /// Meta's percentage of the whole.
    pub progress: Option<u32>,
    /// Messages in it.
    pub messages: u32,
    /// True if it says instead that the owner of the number does not share the history.
    pub is_declined: bool,
}

/// The progress of a history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryImport {
    /// The latest phase of which something came.
    pub phase: u32,
    /// Meta's percentage of the whole.
    pub progress: u32,
    /// Messages that came, each chunk counted once.
    pub messages: u64,
    /// When the first piece came.
    pub began_at: Timestamp,
    /// When the last piece came.
    pub finished_at: Option<Timestamp>,
    /// When Meta told that the owner of the number does not share it.
    pub declined_at: Option<Timestamp>,
    /// A bit for each chunk that was counted, at most [`CHUNKS_KNOWN_MAX`] bytes.
    pub chunks: Vec<u8>,
}

impl HistoryImport {
    /// A history of which nothing has come.
    pub const fn begun(now: Timestamp) -> Self {
        Self {
            phase: 0,
            progress: 0,
            messages: 0,
            began_at: now,
            finished_at: None,
            declined_at: None,
            chunks: Vec::new(),
        }
    }

    /// Takes a piece.
    pub(super) fn take(&mut self, wave: Wave, now: Timestamp) {
        if wave.is_declined {
            self.declined_at.get_or_insert(now);
            return;
        }
        if self.is_new(wave) {
            self.messages += u64::from(wave.messages);
        }
        self.phase = self.phase.max(wave.phase.unwrap_or_default().min(PHASES - 1));
        self.progress = self.progress.max(wave.progress.unwrap_or_default().min(WHOLE));
        if self.progress == WHOLE {
            self.finished_at.get_or_insert(now);
        }
        // The owner has changed their mind.
        self.declined_at = None;
    }

    /// Marks the chunk. Returns false if it was counted before.
    fn is_new(&mut self, wave: Wave) -> bool {
        let (Some(phase), Some(chunk)) = (wave.phase, wave.chunk) else {
            return true;
        };
        if phase >= PHASES || chunk >= CHUNKS_KNOWN_MAX_OF_PHASE {
            return true;
        }
        let bit = chunk * PHASES + phase;
        let (byte, mask) = ((bit / 8) as usize, 1_u8 << (bit % 8));
        if self.chunks.len() <= byte {
            self.chunks.resize(byte + 1, 0);
        }
        let is_new = self.chunks[byte] & mask == 0;
        self.chunks[byte] |= mask;
        is_new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn wave(phase: u32, chunk: u32, progress: u32) -> Wave {
        Wave {
            phase: Some(phase),
            chunk: Some(chunk),
            progress: Some(progress),
            messages: 10,
            is_declined: false,
        }
    }

    #[test]
    fn a_chunk_counts_once_in_whatever_order_chunks_come() {
        let mut history = HistoryImport::begun(at(1));
        for wave in [
            wave(0, 1, 20),
            wave(2, 1, 100),
            wave(1, 2, 60),
            wave(0, 1, 20),
            wave(1, 1, 40),
        ] {
            history.take(wave, at(2));
        }
        assert_eq!((history.phase, history.progress, history.messages), (2, 100, 40));
        assert_eq!(history.finished_at, Some(at(2)));
        history.take(wave(2, 1, 100), at(3));
        assert_eq!((history.messages, history.finished_at), (40, Some(at(2))));
    }

    #[test]
    fn what_is_remembered_is_bounded_whatever_meta_says() {
        let mut history = HistoryImport::begun(at(1));
        for (phase, chunk) in [(2, 4_095), (2, 4_096), (9, 1), (u32::MAX, u32::MAX)] {
            history.take(wave(phase, chunk, 7_000), at(1));
        }
        assert_eq!((history.messages, history.phase, history.progress), (40, 2, 100));
        assert_eq!(history.chunks.len(), CHUNKS_KNOWN_MAX);
    }

    #[test]
    fn a_refusal_holds_until_something_comes() {
        let mut history = HistoryImport::begun(at(1));
        let declined = Wave {
            is_declined: true,
            ..Wave::default()
        };
        history.take(declined, at(2));
        history.take(declined, at(3));
        assert_eq!((history.declined_at, history.messages), (Some(at(2)), 0));
        history.take(wave(0, 1, 5), at(4));
        assert_eq!((history.declined_at, history.messages), (None, 10));
    }
}
