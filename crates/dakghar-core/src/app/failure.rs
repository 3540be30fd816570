//! Why a use case did not do what it was asked: what happened, whether trying again may help, and whose fault it is.
//!
//! Nothing here is logged. Whoever handles a failure logs it, once; the edge makes a [`Problem`] of it for the caller.

use std::time::Duration;

use crate::domain::{ErrorCode, Problem};
use crate::group_commit::Rejected;
use crate::ports::{QueueError, StoreError};
use crate::vault::VaultError;

/// Why a use case failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The caller asked for what cannot be done.
    #[error(transparent)]
    Refused(#[from] Problem),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The queue or the pacer failed.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// A secret could not be sealed or opened.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The request found no place in a commit.
    #[error(transparent)]
    Rejected(#[from] Rejected),
    /// Others kept saving in between; `0` names what kept changing.
    #[error("the {0} kept changing")]
    KeptChanging(&'static str),
}

/// Whose fault a failure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The caller's: the request must change.
    Caller,
    /// The surroundings': a store, a queue or a key service that is away, full or busy.
    Surroundings,
    /// Ours, or that of whoever damaged the data: a person must look.
    Ours,
}

impl Failure {
    /// Whose fault it is.
    pub const fn fault(&self) -> Fault {
        match self {
            Self::Refused(_) => Fault::Caller,
            Self::Store(StoreError::Unavailable(_) | StoreError::Full(_))
            | Self::Queue(_)
            | Self::Vault(VaultError::Unavailable(_))
            | Self::Rejected(_)
            | Self::KeptChanging(_) => Fault::Surroundings,
            Self::Store(StoreError::Corrupt(_)) | Self::Vault(VaultError::Unreadable(_)) => Fault::Ours,
        }
    }

    /// Whether the same request may succeed later without anybody changing it.
    pub const fn is_retryable(&self) -> bool {
        matches!(self.fault(), Fault::Surroundings)
    }
}

impl From<Failure> for Problem {
    /// What the caller is told: no internals.
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(problem) => problem,
            Failure::Store(StoreError::Unavailable(_)) => Self::new(
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
