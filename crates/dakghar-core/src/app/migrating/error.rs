//! The reason that a migration does not begin, or stopped.

use crate::domain::migration::{Kind, Retirement};
use crate::domain::{AppId, TenantId, Timestamp};
use crate::ports::StoreError;
use crate::vault::VaultError;

/// The reason that a migration does not begin, or stopped.
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
        /// The reason.
        why: VaultError,
    },
    /// The data key of an app of the source does not open under the key of the target.
    #[error("the master key does not open the secrets of app {app_id}: {why}")]
    WrongKeyOfApp {
        /// The first app whose data key does not open.
        app_id: AppId,
        /// The reason.
        why: VaultError,
    },
    /// The secrets of the source's installation do not open under the key of the target.
    #[error("the master key does not open the secrets of the installation: {0}")]
    WrongKeyOfInstallation(VaultError),
    /// Redrives of the source are running or paused, and would be lost.
    #[error("{0} redrives of dead letters are running or paused, and stay behind")]
    OpenRedrives(u64),
    /// Erasures of people are not done in the source, and would be lost.
    #[error("{0} erasures of people are not done, and stay behind")]
    OpenErasures(u64),
    /// Signups of the source are under way, and would be lost.
    #[error("{0} signups are under way, and stay behind")]
    OpenSignups(u64),
    /// Departures of the source are not over, and would be lost.
    #[error("{0} departures are not over, and stay behind")]
    OpenDepartures(u64),
    /// The target holds records that no migration brought.
    #[error("the target is in use: it holds what no migration brought: {}", listed(.0))]
    TargetInUse(Vec<(Kind, u64)>),
    /// The target holds an unfinished migration of a source in another state.
    #[error(
        "the target holds an unfinished migration of {origin}, begun {started_at}; that is another source, or this \
         one before it was changed"
    )]
    OtherUnfinished {
        /// The location of that source.
        origin: String,
        /// The time that migration began.
        started_at: Timestamp,
    },
    /// The target holds a finished migration of a source in another state.
    #[error(
        "the target holds the finished migration of {origin}, begun {started_at}; that is another source, or this one \
         before it was changed"
    )]
    OtherFinished {
        /// The location of that source.
        origin: String,
        /// The time that migration began.
        started_at: Timestamp,
    },
    /// The source has moved to another place before.
    #[error("the source was moved to {} before, at {}", .0.successor, .0.at)]
    Retired(Retirement),
    /// Another process saved the record of the migration meanwhile.
    #[error("another process is migrating into the same target")]
    Overtaken,
    /// The source does not hold as many records as it counts.
    #[error("the source is damaged: it counts {counted} {} and holds {found}", kind.as_str())]
    SourceMiscounts {
        /// The kind of record.
        kind: Kind,
        /// The number it counts.
        counted: u64,
        /// The number that could be read.
        found: u64,
    },
    /// A record did not arrive.
    #[error("verification failed: {} {id} is not in the target", kind.as_str())]
    Missing {
        /// The kind of record.
        kind: Kind,
        /// The id of the first such record.
        id: String,
    },
    /// A record is not the same in both stores.
    #[error("verification failed: {} {id} is not the same in the target", kind.as_str())]
    Different {
        /// The kind of record.
        kind: Kind,
        /// The id of the first such record.
        id: String,
    },
    /// The target holds more than the source.
    #[error("verification failed: the source holds {source_count} {}, the target {target_count}", kind.as_str())]
    Surplus {
        /// The kind of record.
        kind: Kind,
        /// The number in the source.
        source_count: u64,
        /// The number in the target.
        target_count: u64,
    },
    /// All records are the same, but their checksums differ.
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
