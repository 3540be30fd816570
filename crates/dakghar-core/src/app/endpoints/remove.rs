//! Removing endpoints.

use super::Endpoints;
use super::new::{ExpectedVersion, version_conflict};
use crate::app::failure::Failure;
use crate::domain::{Endpoint, TenantId};

/// Records that are forgotten at once.
const FORGOTTEN_AT_ONCE: u32 = 500;

impl Endpoints {
    /// Removes an endpoint. What it did not get yet it does not get.
    pub async fn remove(&self, tenant_id: &TenantId, id: &str, expected: &ExpectedVersion) -> Result<(), Failure> {
        let endpoint = self.find(tenant_id, id).await?;
        expected.check(endpoint.version)?;
        if endpoint.is_of_callback_url() {
            self.tenants.keep_callback_url(tenant_id, None).await?;
        }
        let version = expected.is_named().then_some(endpoint.version);
        let store = &self.ports.endpoints;
        if !store.remove_endpoint(tenant_id, &endpoint.id, version).await? {
            // Whoever changed it meanwhile is asked; whoever removed it has done what was wanted.
            let changed = self.find(tenant_id, id).await?;
            if endpoint.is_of_callback_url() {
                self.tenants.keep_callback_url(tenant_id, Some(&changed.url)).await?;
            }
            return Err(version_conflict(changed.version).into());
        }
        self.ports.news.tell_endpoints(tenant_id);
        tracing::info!(%tenant_id, endpoint_id = %endpoint.id, "endpoint removed");
        self.forget(&endpoint).await
    }

    /// Forgets what is kept of an endpoint that was removed. What a crash leaves of it, or whoever still delivers writes, is
    /// erased with its tenant; one that is made under its id keeps its own under another id.
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
