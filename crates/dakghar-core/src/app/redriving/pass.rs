//! Where the pass over the tenants is that looks for causes that have ended.

use std::time::Duration;

use crate::domain::TenantId;

/// Where the pass is.
#[derive(Default)]
pub(super) struct Following {
    /// The last tenant that was looked at.
    pub(super) last: Option<TenantId>,
    /// When the next pass begins, by the time since the boot.
    pub(super) next_at: Duration,
}
