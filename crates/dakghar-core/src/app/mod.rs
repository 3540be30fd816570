//! The use cases: what the HTTP API, the worker and the command line ask Dakghar to do.
//!
//! [`App`] holds the ports and the group commits; each file adds one use case to it. Nothing here spawns a task:
//! [`App::new`] hands out the futures that must run, and the caller runs them.

mod backlogs;
mod commits;
pub mod cursor;
mod directory;
mod in_flight;
pub mod local_pacer;
mod memory;
mod recent_calls;

pub mod accept_message;
pub mod change_message;
pub mod deliver_message;
pub mod manage_tenant;
pub mod migrate;
pub mod prepare_message;
pub mod read;
pub mod receive_webhook;
pub mod reconcile;
pub mod register_tenant;
pub mod remove_tenant;

use std::sync::Arc;
use std::time::Duration;

use crate::domain::message::{ATTEMPTS_MAX_DEFAULT, SendPolicy};
use crate::domain::opaque::OpaqueSigner;
use crate::domain::{ErrorCode, Problem, Timestamp};
use crate::group_commit::{BoxFuture, Limits, Rejected};
use crate::ports::{Ports, StoreError};
use crate::vault::VaultError;

pub use crate::vault::SigningKeys;
pub use local_pacer::LocalPacer;

use commits::Commits;
use cursor::CursorSigner;
use directory::Directory;
use in_flight::InFlightLimits;
use recent_calls::RecentCalls;

/// What can be set.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Names this process in the leases it takes; different for every start.
    pub worker_id: Arc<str>,
    /// The waits between attempts and the times of the protocol.
    pub send: SendPolicy,
    /// Whether this is the only process that sends: leases of others are then those of processes that are gone.
    pub is_sole_sender: bool,
    /// Attempts that may count against a message, 1 to 20.
    pub attempts_max: u32,
    /// Commits of one kind that may be under way at a time: 1 where the store has one writer.
    pub commits_max: usize,
    /// Requests in one commit.
    pub batch_max: usize,
    /// Requests of one kind that may wait for a commit.
    pub waiting_max: usize,
    /// Calls to Meta that this process may have under way. One tenant gets half of them at most.
    pub calls_max: u32,
    /// How long a tenant is remembered before it is read again. Bounds how late a pause takes effect.
    pub directory_ttl: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            worker_id: "worker".into(),
            send: SendPolicy::default(),
            is_sole_sender: false,
            attempts_max: ATTEMPTS_MAX_DEFAULT,
            commits_max: 1,
            batch_max: 512,
            waiting_max: 20_000,
            calls_max: 512,
            directory_ttl: Duration::from_secs(1),
        }
    }
}

struct Shared {
    ports: Ports,
    settings: Settings,
    opaque: OpaqueSigner,
    cursors: CursorSigner,
    directory: Directory,
    commits: Commits,
    in_flight: InFlightLimits,
    recent_calls: RecentCalls,
}

/// Dakghar without its edges. Cheap to clone.
#[derive(Clone)]
pub struct App {
    shared: Arc<Shared>,
}

impl App {
    /// Wires the use cases to the world. The futures carry the group commits: spawn them all; they end after the
    /// last clone of the app is dropped.
    pub fn new(ports: Ports, settings: Settings, keys: &SigningKeys) -> (Self, Vec<BoxFuture<()>>) {
        let limits = Limits {
            batch_max: settings.batch_max,
            commits_max: settings.commits_max,
            waiting_max: settings.waiting_max,
        };
        let (commits, mut running) = Commits::new(&ports, limits);
        let (directory, reading) = Directory::new(ports.tenants.clone(), &ports.clock, settings.directory_ttl, limits);
        running.extend(reading);
        let shared = Shared {
            opaque: OpaqueSigner::new(&keys.opaque, keys.opaque_previous.as_ref().map(|secret| &secret[..])),
            cursors: CursorSigner::new(&keys.cursor),
            directory,
            commits,
            in_flight: InFlightLimits::new(settings.calls_max),
            recent_calls: RecentCalls::default(),
            ports,
            settings,
        };
        (
            Self {
                shared: Arc::new(shared),
            },
            running,
        )
    }

    fn ports(&self) -> &Ports {
        &self.shared.ports
    }

    fn settings(&self) -> &Settings {
        &self.shared.settings
    }

    fn directory(&self) -> &Directory {
        &self.shared.directory
    }

    fn commits(&self) -> &Commits {
        &self.shared.commits
    }

    /// Now, by the store's clock.
    pub fn now(&self) -> Timestamp {
        self.shared.ports.clock.now()
    }

    /// How far ahead the queue takes messages; `None` when it reads the store itself.
    pub fn queue_window(&self) -> Option<Duration> {
        self.shared.ports.queue.window()
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::Unavailable(_) => {
                tracing::warn!(%error, "the store is not available");
                Self::new(
                    ErrorCode::StoreUnavailable,
                    "The store did not answer; please try again.",
                )
                .retry_after(Duration::from_secs(2))
            }
            StoreError::Full(_) => {
                tracing::error!(%error, "the store is full");
                Self::new(
                    ErrorCode::StoreFull,
                    "Nothing was stored; the operator must free space.",
                )
                .retry_after(Duration::from_secs(60))
            }
            StoreError::Corrupt(_) => {
                tracing::error!(%error, "the store is damaged");
                Self::new(ErrorCode::Internal, "The store gave an answer that makes no sense.")
            }
        }
    }
}

impl From<VaultError> for Problem {
    fn from(error: VaultError) -> Self {
        tracing::error!(%error, "a secret could not be sealed or opened");
        match error {
            VaultError::Unavailable(_) => Self::new(ErrorCode::StoreUnavailable, "The key service is not available.")
                .retry_after(Duration::from_secs(5)),
            VaultError::Unreadable(_) => Self::new(ErrorCode::Internal, "A stored secret cannot be read."),
        }
    }
}

impl From<Rejected> for Problem {
    fn from(rejected: Rejected) -> Self {
        match rejected {
            Rejected::Full => Self::new(ErrorCode::Overloaded, "Too many requests are waiting to be stored.")
                .retry_after(Duration::from_secs(1)),
            Rejected::Closed => {
                Self::new(ErrorCode::ShuttingDown, "Please try another instance.").retry_after(Duration::from_secs(1))
            }
        }
    }
}
