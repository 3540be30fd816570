//! What people said about being written to.

use async_trait::async_trait;

use super::StoreError;
use crate::domain::ids::TenantId;
use crate::domain::opt_out::{OptOut, OptOutKey, PersonMark};
use crate::domain::page::{Listed, PageLimit};

/// The last word of people, one record for each id of a person and scope.
#[async_trait]
pub trait OptOutStore: Send + Sync {
    /// Keeps what was said, each unless something is known that it does not replace ([`OptOut::replaces`]). Keeping it again
    /// changes nothing, and neither does the order in which it comes.
    async fn note_opt_outs(&self, batch: &[OptOut]) -> Result<(), StoreError>;

    /// Returns what is known of these people, taken back or not, in any order. A record that cannot be read is an opt-out
    /// ([`OptOut::unreadable`]).
    async fn find_opt_outs(&self, tenant_id: &TenantId, people: &[PersonMark]) -> Result<Vec<OptOut>, StoreError>;

    /// Returns the opt-outs of a tenant that were not taken back, below `before`, the greatest key first.
    async fn list_opt_outs(
        &self,
        tenant_id: &TenantId,
        before: Option<OptOutKey>,
        limit: PageLimit,
    ) -> Result<Listed<OptOut>, StoreError>;
}
