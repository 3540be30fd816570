//! Why a migration does not begin, or stopped.

use crate::domain::migration::{Kind, Retirement};
use crate::domain::{TenantId, Timestamp};
use crate::ports::StoreError;
use crate::vault::VaultError;

/// Why a migration does not begin, or stopped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MigrateError {
    /// The source failed.
    #[error("the source failed: {0}")]
    Source(StoreError),
    /// The target failed.
    #[error("the target failed: {0}")]
    Target(StoreError),
    /// The tokens of the source do not open under the key of the target.
    #[error("the master key does not open the access tokens of tenant {tenant_id}: {why}")]
    WrongKey {
        /// The first tenant whose tokens do not open.
        tenant_id: TenantId,
        /// Why.
        why: VaultError,
    },
    /// The target holds what no migration brought.
    #[error("the target is in use: it holds what no migration brought: {}", listed(.0))]
    TargetInUse(Vec<(Kind, u64)>),
    /// The target holds an unfinished migration of a source in another state.
    #[error(
        "the target holds an unfinished migration of {origin}, begun {started_at}; that is another source, or this \
         one before it was changed"
    )]
    OtherUnfinished {
        /// Where that source is.
        origin: String,
        /// When that began.
        started_at: Timestamp,
    },
    /// The target holds a finished migration of a source in another state.
    #[error(
        "the target holds the finished migration of {origin}, begun {started_at}; that is another source, or this one \
         before it was changed"
    )]
    OtherFinished {
        /// Where that source is.
        origin: String,
        /// When that began.
        started_at: Timestamp,
    },
    /// The source has moved to another place before.
    #[error("the source was moved to {} before, at {}", .0.successor, .0.at)]
    Retired(Retirement),
    /// Another process saved the record of the migration meanwhile.
    #[error("another process is migrating into the same target")]
    Overtaken,
    /// The source does not hold what it counted.
    #[error("the source is damaged: it counts {counted} {} and holds {found}", kind.as_str())]
    SourceMiscounts {
        /// Of which kind.
        kind: Kind,
        /// What it counted.
        counted: u64,
        /// What could be read.
        found: u64,
    },
    /// A record did not arrive.
    #[error("verification failed: {} {id} is not in the target", kind.as_str())]
    Missing {
        /// Of which kind.
        kind: Kind,
        /// The first one.
        id: String,
    },
    /// A record is not the same in both stores.
    #[error("verification failed: {} {id} is not the same in the target", kind.as_str())]
    Different {
        /// Of which kind.
        kind: Kind,
        /// The first one.
        id: String,
    },
    /// The target holds more than the source.
    #[error("verification failed: the source holds {source_count} {}, the target {target_count}", kind.as_str())]
    Surplus {
        /// Of which kind.
        kind: Kind,
        /// What the source holds.
        source_count: u64,
        /// What the target holds.
        target_count: u64,
    },
    /// All records are the same, but not their sums.
    #[error("verification failed: the checksums of {} are not the same", .0.as_str())]
    Checksum(Kind),
}

fn listed(counts: &[(Kind, u64)]) -> String {
    let texts: Vec<String> = counts
        .iter()
        .map(|(kind, count)| format!("{} ({count})", kind.as_str()))
        .collect();
    texts.join(", ")
}
