//! Removes a tenant and everything it owns.
//!
//! First the tenant is marked, which stops acceptance, sending and routing. Then its data is erased in portions, and
//! last the tenant itself. If the process dies in between, the mark stays, and [`Tenants::finish_removals`] goes on.

use std::time::Duration;

use super::{Tenants, no_such_tenant};
use crate::app::auditing::Deed;
use crate::app::failure::Failure;
use crate::app::stale::Step;
use crate::domain::audit::{AuditAction, Principal};
use crate::domain::page::PageLimit;
use crate::domain::{ErrorCode, Problem, TenantId};

/// Messages erased in one commit.
const ERASED_AT_ONCE: u32 = 1_000;

impl Tenants {
    /// Removes a tenant. Refused while it has unsettled messages, unless forced. An interrupted removal goes on.
    pub async fn remove(&self, id: &TenantId, force: bool, by: &Principal) -> Result<(), Failure> {
        let tenant = self.ports.tenants.find(id).await?.ok_or_else(no_such_tenant)?;
        if tenant.removed_at.is_some() {
            return self.erase(id).await;
        }
        if !force {
            const COUNTED_MAX: u32 = 1_000;
            let unsettled = self.ports.lists.count_unsettled(&[(*id, COUNTED_MAX)]).await?;
            let unsettled = unsettled.first().copied().unwrap_or_default();
            if unsettled > 0 {
                let more = if unsettled == COUNTED_MAX { " or more" } else { "" };
                let detail = format!("{unsettled}{more} messages are not settled; wait, or force the removal.");
                return Err(Problem::new(ErrorCode::TenantNotEmpty, detail).into());
            }
        }
        self.begin_removal(id, by).await?;
        tracing::info!(tenant_id = %id, force, "tenant removal began");
        self.erase(id).await
    }

    /// Marks a tenant as removed: nothing is accepted, sent or routed any more. What it has is erased after that.
    pub(in crate::app) async fn begin_removal(&self, id: &TenantId, by: &Principal) -> Result<(), Failure> {
        let now = self.now();
        self.change_by(id, Deed::new(by, AuditAction::TenantRemoved), |tenant| {
            tenant.removed_at = Some(now);
            Ok(Step::Save)
        })
        .await?;
        // Whoever delivers to its endpoints stops, and writes less after the erasing.
        self.ports.news.tell_endpoints(id);
        Ok(())
    }

    async fn erase(&self, id: &TenantId) -> Result<(), Failure> {
        self.erase_data(id).await?;
        self.erase_itself(id).await
    }

    async fn erase_data(&self, id: &TenantId) -> Result<(), Failure> {
        while self.erase_portion(id).await? > 0 {}
        Ok(())
    }

    /// Erases a portion of what a removed tenant has. Returns how much; 0 means that nothing is left.
    pub(in crate::app) async fn erase_portion(&self, id: &TenantId) -> Result<u64, Failure> {
        Ok(self.ports.erasure.erase(id, ERASED_AT_ONCE).await?)
    }

    /// Erases a removed tenant itself, when it has nothing any more.
    pub(in crate::app) async fn erase_itself(&self, id: &TenantId) -> Result<(), Failure> {
        self.ports.news.tell_endpoints(id);
        self.ports.tenants.remove(id).await?;
        tracing::info!(tenant_id = %id, "tenant removed");
        Ok(())
    }

    /// Returns the time after a removal from which no process remembers the tenant.
    pub fn forgotten_after(&self) -> Duration {
        self.directory_ttl * 2
    }

    /// Erases the data that a process stored for a removed tenant while it still remembered it. Must be called
    /// [`Tenants::forgotten_after`] later, when no process does. What a call of an endpoint brings that takes longer is found
    /// by the next pass over what is old.
    pub async fn erase_left_behind(&self, id: &TenantId) -> Result<(), Failure> {
        if self.ports.tenants.find(id).await?.is_none() {
            self.erase_data(id).await?;
        }
        Ok(())
    }

    /// Continues removals that a crash interrupted. Called at start.
    pub async fn finish_removals(&self) -> Result<(), Failure> {
        const PAGE: u32 = 200;
        let mut before = None;
        loop {
            let page = self.ports.tenants.list(before, PageLimit::items(PAGE)).await?;
            for tenant in page.items.iter().filter(|tenant| tenant.removed_at.is_some()) {
                self.erase(&tenant.id).await?;
            }
            before = page.next;
            if before.is_none() {
                return Ok(());
            }
        }
    }
}
