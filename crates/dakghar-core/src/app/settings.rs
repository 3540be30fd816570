//! The settings of the use cases.

use std::sync::Arc;
use std::time::Duration;

use super::check_settings::CheckSettings;
use super::meta_apps::DefaultApp;
use super::signup_settings::SignupSettings;
use crate::domain::callback_url::CallbackRules;
use crate::domain::limits::TenantLimits;
use crate::domain::message::{ATTEMPTS_MAX_DEFAULT, SendPolicy};
use crate::group_commit::Limits;
use crate::metrics::{Limit, Metrics};

/// The most messages that a client gives at once.
pub const BULK_ITEMS_MAX: usize = 1_000;
/// The bytes of requests in one commit.
pub const BATCH_BYTES_MAX: usize = 8 * 1024 * 1024;
/// The bytes of requests of one kind that may wait for a commit.
pub const WAITING_BYTES_MAX: usize = 64 * 1024 * 1024;

/// The settings that an installation may choose.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Names this process in the leases it takes; different for every start.
    pub worker_id: Arc<str>,
    /// The waits between attempts and the times of the protocol.
    pub send: SendPolicy,
    /// True if this is the only process that sends. Leases of others then belong to processes that have died.
    pub is_sole_sender: bool,
    /// True if this is the only process that accepts messages.
    pub is_sole_accepter: bool,
    /// Attempts that may count against a message, 1 to 20.
    pub attempts_max: u32,
    /// Commits of one kind that may be under way at a time: 1 where the store has one writer.
    pub commits_max: usize,
    /// Requests in one commit.
    pub batch_max: usize,
    /// Requests of one kind that may wait for a commit.
    pub waiting_max: usize,
    /// Calls to Meta that this process may have under way. One tenant gets at most half of them.
    pub calls_max: u32,
    /// Where callbacks may go.
    pub callback_rules: Arc<CallbackRules>,
    /// The time a call of an endpoint may take in all.
    pub callback_timeout: Duration,
    /// The wait between two looks at all endpoints while their changes are told, and at the feed of one of which no news
    /// came.
    pub endpoints_look_every: Duration,
    /// The app of the settings.
    pub default_app: DefaultApp,
    /// The way in which numbers are connected.
    pub signups: SignupSettings,
    /// The way in which numbers are checked at Meta.
    pub checks: CheckSettings,
    /// The limits of a tenant whose record says nothing.
    pub tenant_limits: TenantLimits,
    /// The days that records of the audit log are kept; 0 is for ever.
    pub audit_days: u32,
    /// The time a tenant is remembered before it is read again. It bounds the delay until a pause takes effect.
    pub directory_ttl: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            worker_id: "worker".into(),
            send: SendPolicy::default(),
            is_sole_sender: false,
            is_sole_accepter: false,
            attempts_max: ATTEMPTS_MAX_DEFAULT,
            commits_max: 1,
            callback_rules: Arc::default(),
            callback_timeout: Duration::from_secs(15),
            endpoints_look_every: Duration::from_secs(5),
            default_app: DefaultApp::default(),
            signups: SignupSettings::default(),
            checks: CheckSettings::default(),
            tenant_limits: TenantLimits::default(),
            audit_days: 0,
            batch_max: 512,
            waiting_max: 20_000,
            calls_max: 512,
            directory_ttl: Duration::from_secs(1),
        }
    }
}

impl Settings {
    /// The bounds of every group commit.
    pub(super) fn limits(&self, metrics: &Metrics) -> Limits {
        Limits {
            batch_max: self.batch_max,
            batch_bytes_max: BATCH_BYTES_MAX,
            commits_max: self.commits_max,
            waiting_max: self.waiting_max,
            waiting_bytes_max: WAITING_BYTES_MAX,
            refused: metrics.refused.of(Limit::CommitQueue).clone(),
        }
    }
}
