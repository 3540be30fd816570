//! The wish of a tenant that messages are sent again by themselves, and its record.

use dakghar_core::domain::audit::Principal;
use dakghar_core::domain::auto_redrive::AutoRedrive;
use dakghar_core::domain::{Problem, Tenant, TenantId};

use super::Process;

impl Process {
    /// Sets what is sent again by itself.
    pub async fn set_auto_redrive(&self, tenant: &TenantId, policy: AutoRedrive) -> Result<(), Problem> {
        let tenants = &self.app.tenants;
        let set = tenants.set_auto_redrive(tenant, Some(policy), Principal::CLI);
        Ok(set.await.map(drop)?)
    }

    /// The tenant as it is stored.
    pub async fn stored_tenant(&self, tenant: &TenantId) -> Result<Tenant, Problem> {
        Ok(self.app.tenants.stored(tenant).await?)
    }
}
