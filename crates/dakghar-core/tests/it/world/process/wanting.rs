//! The wish of a tenant that messages are sent again by themselves, and its record.

use dakghar_core::domain::audit::Principal;
use dakghar_core::domain::auto_redrive::AutoRedrive;
use dakghar_core::domain::redrive::{Redrive, RedriveStatus};
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

    /// Pauses, resumes or cancels a redrive.
    pub async fn turn_redrive(&self, redrive: &Redrive, status: RedriveStatus) -> Result<Redrive, Problem> {
        let (redriving, owner, id) = (&self.app.redriving, redrive.tenant_id.as_ref(), redrive.id.to_string());
        Ok(match status {
            RedriveStatus::Running => redriving.resume(owner, &id, Principal::CLI).await,
            RedriveStatus::Paused => redriving.pause(owner, &id, Principal::CLI).await,
            RedriveStatus::Cancelled => redriving.cancel(owner, &id, Principal::CLI).await,
            RedriveStatus::Done => redriving.find(owner, &id).await,
        }?)
    }
}
