//! Removing endpoints.

use super::Endpoints;
use super::new::{ExpectedVersion, version_conflict};
use crate::app::auditing::Deed;
use crate::app::failure::Failure;
use crate::domain::audit::{AuditAction, Principal};
use crate::domain::{Endpoint, TenantId};
use crate::ports::{AuditedChange, Carried};

/// Records that are forgotten at once.
const FORGOTTEN_AT_ONCE: u32 = 500;

impl Endpoints {
    /// Removes an endpoint. What it did not get yet it does not get.
    pub async fn remove(
        &self,
        tenant_id: &TenantId,
        id: &str,
        expected: &ExpectedVersion,
        by: &Principal,
    ) -> Result<(), Failure> {
        let endpoint = self.find(tenant_id, id).await?;
        expected.check(endpoint.version)?;
        if endpoint.is_of_callback_url() {
            self.tenants.keep_callback_url(tenant_id, None, by).await?;
        }
        let version = expected.is_named().then_some(endpoint.version);
        if !self.take_away(&endpoint, version, by).await? {
            // Whoever changed it meanwhile is asked; whoever removed it has done what was wanted.
            let changed = self.find(tenant_id, id).await?;
            if endpoint.is_of_callback_url() {
                let kept = self.tenants.keep_callback_url(tenant_id, Some(&changed.url), by);
                kept.await?;
            }
            return Err(version_conflict(changed.version).into());
        }
        self.ports.news.tell_endpoints(tenant_id);
        tracing::info!(%tenant_id, endpoint_id = %endpoint.id, "endpoint removed");
        self.forget(&endpoint).await
    }

    /// Deletes the record of an endpoint. Returns false if there was none such.
    pub(super) async fn take_away(
        &self,
        endpoint: &Endpoint,
        version: Option<u64>,
        by: &Principal,
    ) -> Result<bool, Failure> {
        let (tenant_id, id) = (&endpoint.tenant_id, endpoint.id);
        let deed = Deed::new(by, AuditAction::EndpointRemoved)
            .of(tenant_id)
            .about("endpoint", id);
        let change = AuditedChange::RemoveEndpoint(*tenant_id, id, version);
        Ok(self.ledger.carry_out(&change, &deed, Vec::new()).await? == Carried::Done)
    }

    /// Forgets what is kept of an endpoint that was removed. What a crash leaves of it, or whoever still delivers writes, is
    /// forgotten with what is old; one that is made under its id keeps its own under another id.
    pub(super) async fn forget(&self, endpoint: &Endpoint) -> Result<(), Failure> {
        let (store, tenant_id) = (&self.ports.callbacks, &endpoint.tenant_id);
        while store
            .forget_endpoint(tenant_id, &endpoint.kept_under, FORGOTTEN_AT_ONCE)
            .await?
            > 0
        {}
        Ok(())
    }
}
