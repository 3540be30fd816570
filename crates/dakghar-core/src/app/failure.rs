//! Failures of the use cases. A failure says what happened, whose fault it is, and whether trying again may help.
//!
//! Nothing here is logged. The code that handles a failure logs it, once. The edge turns it into a [`Problem`] for the
//! caller.

use std::time::Duration;

use crate::domain::{ErrorCode, GraphRefusal, Problem};
use crate::group_commit::Rejected;
use crate::ports::{QueueError, StoreError};
use crate::vault::VaultError;

/// As much of Meta's words as is repeated.
const WORDS_CHARS_MAX: usize = 300;

/// A use case failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The request cannot be done as it stands.
    #[error(transparent)]
    Refused(#[from] Problem),
    /// Meta refused what was asked of it at once.
    #[error("Meta refuses it with code {}", .0.code)]
    MetaRefused(Box<GraphRefusal>),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The queue or the pacer failed.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// A secret could not be sealed or opened.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The request did not get into a commit.
    #[error(transparent)]
    Rejected(#[from] Rejected),
    /// Other writers saved first on every try. `0` names the record that kept changing.
    #[error("the {0} kept changing")]
    KeptChanging(&'static str),
}

/// The party at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The caller's: the request must change.
    Caller,
    /// The surroundings': a store, a queue or a key service cannot be reached, is full or is busy.
    Surroundings,
    /// Ours, or damaged data: a person must look.
    Ours,
}

impl Failure {
    /// Returns the party at fault.
    pub const fn fault(&self) -> Fault {
        match self {
            Self::Refused(_) | Self::MetaRefused(_) => Fault::Caller,
            Self::Store(StoreError::Unavailable(_) | StoreError::Full(_) | StoreError::NotReadYet)
            | Self::Queue(_)
            | Self::Vault(VaultError::Unavailable(_))
            | Self::Rejected(_)
            | Self::KeptChanging(_) => Fault::Surroundings,
            Self::Store(StoreError::Corrupt(_) | StoreError::Unreadable(_))
            | Self::Vault(VaultError::Unreadable(_)) => Fault::Ours,
        }
    }

    /// Returns the class of the failure, in a word for programs.
    pub fn class(&self) -> &'static str {
        Problem::from(self.clone()).code.as_str()
    }

    /// True if it concerns one record alone, so that work on others goes on.
    pub const fn is_of_one_record(&self) -> bool {
        matches!(self, Self::KeptChanging(_)) || matches!(self.fault(), Fault::Ours)
    }

    /// True if the same request may succeed later without a change by anybody.
    pub const fn is_retryable(&self) -> bool {
        matches!(self.fault(), Fault::Surroundings)
    }
}

impl From<Failure> for Problem {
    /// Makes the problem that the caller sees. It holds no internals.
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(problem) => problem,
            Failure::MetaRefused(refusal) => {
                let mut problem = Self::new(ErrorCode::MetaRefused, words_of(&refusal));
                problem.retry_after = refusal.retry_after;
                problem
            }
            Failure::Store(StoreError::Unavailable(_) | StoreError::NotReadYet) => Self::new(
                ErrorCode::StoreUnavailable,
                "The store did not answer; please try again.",
            )
            .retry_after(Duration::from_secs(2)),
            Failure::Store(StoreError::Full(_)) => Self::new(
                ErrorCode::StoreFull,
                "Nothing was stored; the operator must free space.",
            )
            .retry_after(Duration::from_secs(60)),
            Failure::Store(StoreError::Corrupt(_)) => {
                Self::new(ErrorCode::Internal, "The store gave an answer that makes no sense.")
            }
            Failure::Store(StoreError::Unreadable(_)) => Self::new(
                ErrorCode::RecordUnreadable,
                "A stored record that this needs is damaged. The operator must mend it; trying again does not help.",
            ),
            Failure::Queue(_) => Self::new(
                ErrorCode::StoreUnavailable,
                "The queue did not answer; please try again.",
            )
            .retry_after(Duration::from_secs(2)),
            Failure::Vault(VaultError::Unavailable(_)) => {
                Self::new(ErrorCode::StoreUnavailable, "The key service is not available.")
                    .retry_after(Duration::from_secs(5))
            }
            Failure::Vault(VaultError::Unreadable(_)) => {
                Self::new(ErrorCode::Internal, "A stored secret cannot be read.")
            }
            Failure::Rejected(Rejected::Full) => {
                Self::new(ErrorCode::Overloaded, "Too many requests are waiting to be stored.")
                    .retry_after(Duration::from_secs(1))
            }
            Failure::Rejected(Rejected::Closed) => {
                Self::new(ErrorCode::ShuttingDown, "Please try another instance.").retry_after(Duration::from_secs(1))
            }
            Failure::KeptChanging(what) => Self::new(
                ErrorCode::Conflict,
                format!("The {what} kept changing; please try again."),
            ),
        }
    }
}

fn words_of(refusal: &GraphRefusal) -> String {
    let words = refusal.details.as_deref().unwrap_or(&refusal.message);
    let words: String = words.chars().take(WORDS_CHARS_MAX).collect();
    format!("Meta refuses it with code {}: {words}", refusal.code)
}
