//! What Meta answered, kept on this machine while the store does not take it.

use std::sync::Arc;

use async_trait::async_trait;

use crate::domain::message::SendOutcome;
use crate::domain::{MessageKey, Timestamp};

/// The outcome of a call whose message could not be saved yet. It holds neither content nor secrets.
#[derive(Clone, Debug, PartialEq)]
pub struct SpooledOutcome {
    /// The message.
    pub key: MessageKey,
    /// The epoch of the claim under which Meta was called.
    pub epoch: u64,
    /// The number of the call.
    pub attempt: u32,
    /// When the call ended, by the store's clock.
    pub answered_at: Timestamp,
    /// How the call ended. Texts of errors are kept to 500 characters.
    pub outcome: SendOutcome,
}

/// Why outcomes could not be kept, or read again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpoolError {
    /// There is no room for them: the disk is full, or this process keeps too many.
    #[error("there is no room for them: {0}")]
    Full(Arc<str>),
    /// The disk failed. What this process keeps from now on would not be safe, so it keeps nothing any more.
    #[error("{0}")]
    Broken(Arc<str>),
    /// Somebody else wrote it, such as a later release.
    #[error("{0}")]
    Unreadable(Arc<str>),
}

/// Outcomes that outlive the process that was told them.
///
/// Each process has a part of its own. What it keeps is left behind when it ends before the store took all of it, and any
/// process of this machine may then store it. A repetition of that is harmless, so nothing here prevents one.
#[async_trait]
pub trait OutcomeSpool: Send + Sync {
    /// Keeps outcomes, with one write for all. Afterwards they outlive the process and a crash of the machine. After an
    /// error none of them counts as kept.
    async fn keep(&self, outcomes: &[SpooledOutcome]) -> Result<(), SpoolError>;

    /// Says that the store has taken so many of the outcomes that this process keeps. Once it has taken all of them, they
    /// are forgotten; not durably, because they may be stored again.
    async fn settle(&self, count: usize);

    /// Returns the names of the parts that processes have left behind. A process that lives has left nothing behind.
    async fn left_behind(&self) -> Result<Vec<Arc<str>>, SpoolError>;

    /// Returns what is in a part, in the order in which it was kept. It is cut where a crash has torn it.
    async fn read(&self, part: &str) -> Result<Vec<SpooledOutcome>, SpoolError>;

    /// Forgets a part that was left behind. Forgetting it again is harmless.
    async fn forget(&self, part: &str) -> Result<(), SpoolError>;
}
