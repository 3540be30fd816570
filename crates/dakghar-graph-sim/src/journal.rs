//! What reached the messages endpoint, and what became of it. Tests read it to prove that an attempt
//! was called at most once. Tokens are never kept.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;

use jiff::Timestamp;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::config::{JournalMode, SimConfig};

/// The endpoint that a message was sent to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    /// `/messages`.
    #[default]
    Messages,
    /// `/marketing_messages`.
    Marketing,
}

/// One call of the messages endpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JournalEntry {
    /// Counts from 1 in the order of decision.
    pub seq: u64,
    /// When the call was decided.
    pub at: Timestamp,
    /// The endpoint in the URL path.
    #[serde(default)]
    pub endpoint: Endpoint,
    /// The number in the URL path.
    pub phone_number_id: String,
    /// Start of the token's SHA-256, if there was a token.
    pub token_fingerprint: Option<String>,
    /// The recipient as given.
    pub to: Option<String>,
    /// The message type, or `read` for a read mark.
    pub message_type: Option<String>,
    /// `biz_opaque_callback_data` as given.
    pub biz_opaque: Option<String>,
    /// The body; text if it was not JSON, null if it was not read or not kept.
    pub body: Value,
    /// What was decided.
    pub outcome: Outcome,
    /// The fault that hit the call.
    pub fault: Option<String>,
    /// Counts the TCP connections from 1.
    pub connection: u64,
    /// The other end of the connection.
    pub peer: SocketAddr,
}

/// What became of a call, which the client may not have learnt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum Outcome {
    /// The message is accepted.
    Accepted {
        /// Its id.
        wamid: String,
    },
    /// A read mark is taken.
    Marked,
    /// Refused with an answer.
    Refused {
        /// HTTP status.
        http: u16,
        /// Meta's code; none for a page that is not from the Graph API.
        code: Option<u32>,
    },
    /// Not accepted, and the connection was dropped without an answer.
    Dropped,
}

/// Which entries to read. Conditions that are absent hold for every entry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JournalFilter {
    /// The number in the URL path.
    pub phone_number_id: Option<String>,
    /// The exact `biz_opaque_callback_data`.
    pub biz_opaque: Option<String>,
    /// Only entries after this `seq`.
    pub after_seq: u64,
    /// At most this many, oldest first.
    pub limit: Option<usize>,
}

impl JournalFilter {
    fn holds(&self, entry: &JournalEntry) -> bool {
        let same = |wanted: &Option<String>, actual: Option<&str>| match wanted {
            None => true,
            Some(wanted) => actual == Some(wanted.as_str()),
        };
        entry.seq > self.after_seq
            && same(&self.phone_number_id, Some(&entry.phone_number_id))
            && same(&self.biz_opaque, entry.biz_opaque.as_deref())
    }
}

/// How often one `biz_opaque_callback_data` was seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Tally {
    pub(crate) calls: u64,
    pub(crate) accepted: u64,
}

/// The journal in memory and, if asked for, in a file.
#[derive(Debug)]
pub(crate) struct Journal {
    mode: JournalMode,
    entries_max: usize,
    kept: Mutex<Kept>,
    file: Option<Mutex<File>>,
}

#[derive(Debug, Default)]
struct Kept {
    seq: u64,
    entries: VecDeque<JournalEntry>,
    tallies: HashMap<String, Tally>,
    dropped: u64,
}

impl Journal {
    /// Opens the file for appending, if one is configured.
    pub(crate) fn open(config: &SimConfig) -> std::io::Result<Self> {
        let append = |path: &Path| OpenOptions::new().create(true).append(true).open(path);
        let file = config.journal_file.as_deref().map(append).transpose()?;
        Ok(Self {
            mode: config.journal,
            entries_max: config.journal_entries_max.max(1),
            kept: Mutex::default(),
            file: file.map(Mutex::new),
        })
    }

    /// Whether a caller should bother to fill in body, token and time.
    pub(crate) fn wants_details(&self) -> bool {
        self.mode == JournalMode::Full || self.file.is_some()
    }

    /// Whether a caller should build an entry at all.
    pub(crate) fn wants_calls(&self) -> bool {
        self.mode != JournalMode::Off || self.file.is_some()
    }

    /// Adds an entry and gives it the next `seq`. The file has it before this returns.
    pub(crate) fn record(&self, mut entry: JournalEntry) -> std::io::Result<()> {
        let mut kept = self.kept.lock();
        kept.seq += 1;
        entry.seq = kept.seq;
        if self.mode != JournalMode::Off
            && let Some(biz_opaque) = &entry.biz_opaque
        {
            let accepted = u64::from(matches!(entry.outcome, Outcome::Accepted { .. }));
            let tally = match kept.tallies.get_mut(biz_opaque) {
                Some(tally) => tally,
                None => kept.tallies.entry(biz_opaque.clone()).or_default(),
            };
            tally.calls += 1;
            tally.accepted += accepted;
        }
        if let Some(file) = &self.file {
            let mut line = serde_json::to_vec(&entry)?;
            line.push(b'\n');
            // Locked while `kept` is, so that the lines are in the order of `seq`.
            file.lock().write_all(&line)?;
        }
        if self.mode == JournalMode::Full {
            if kept.entries.len() >= self.entries_max {
                kept.entries.pop_front();
                kept.dropped += 1;
            }
            kept.entries.push_back(entry);
        }
        Ok(())
    }

    pub(crate) fn entries(&self, filter: &JournalFilter) -> Vec<JournalEntry> {
        let kept = self.kept.lock();
        kept.entries
            .iter()
            .filter(|entry| filter.holds(entry))
            .take(filter.limit.unwrap_or(usize::MAX))
            .cloned()
            .collect()
    }

    pub(crate) fn tally(&self, biz_opaque: &str) -> Tally {
        let kept = self.kept.lock();
        kept.tallies.get(biz_opaque).copied().unwrap_or_default()
    }

    pub(crate) fn tallies(&self) -> BTreeMap<String, Tally> {
        let kept = self.kept.lock();
        kept.tallies
            .iter()
            .map(|(biz_opaque, tally)| (biz_opaque.clone(), *tally))
            .collect()
    }

    /// Entries that fell out because the journal was full.
    pub(crate) fn dropped(&self) -> u64 {
        self.kept.lock().dropped
    }

    /// Forgets entries and counts; `seq` goes on and the file stays.
    pub(crate) fn clear(&self) {
        let mut kept = self.kept.lock();
        kept.entries.clear();
        kept.tallies.clear();
        kept.dropped = 0;
    }
}
