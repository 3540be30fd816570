//! The wish of a tenant that messages are sent again by themselves, and its record.

use dakghar_core::domain::audit::Principal;
use dakghar_core::domain::auto_redrive::AutoRedrive;
use dakghar_core::domain::redrive::{Redrive, RedriveStatus};
use dakghar_core::domain::{OptOutScope, PersonErasure, Problem, SendingRules, Tenant, TenantId};

use super::Process;

impl Process {
    /// Sets what is sent again by itself.
    pub async fn set_auto_redrive(&self, tenant: &TenantId, policy: AutoRedrive) -> Result<(), Problem> {
        let tenants = &self.app.tenants;
        let set = tenants.set_auto_redrive(tenant, Some(policy), Principal::CLI);
        Ok(set.await.map(drop)?)
    }

    /// Sets what is kept to when something is sent.
    pub async fn set_sending_rules(&self, tenant: &TenantId, rules: SendingRules) -> Result<(), Problem> {
        let set = self.app.tenants.set_sending_rules(tenant, rules, Principal::CLI);
        Ok(set.await.map(drop)?)
    }

    /// Notes that a person opted out; of nothing takes it back.
    pub async fn set_opt_out(
        &self,
        tenant: &TenantId,
        person: &str,
        scope: Option<OptOutScope>,
    ) -> Result<(), Problem> {
        let opt_outs = &self.app.opt_outs;
        match scope {
            Some(scope) => opt_outs.set(tenant, person, scope, Principal::CLI).await?,
            None => opt_outs.remove(tenant, person, Principal::CLI).await?,
        };
        Ok(())
    }

    /// What a person opted out of, and whether their id is known.
    pub async fn opt_outs(&self, tenant: &TenantId, person: &str) -> Result<Vec<(OptOutScope, bool)>, Problem> {
        let found = self.app.opt_outs.find(tenant, person).await?.opt_outs;
        Ok(found
            .iter()
            .map(|said| (said.key.scope, said.person.is_some()))
            .collect())
    }

    /// Erases a person to the end.
    pub async fn erase(&self, tenant: &TenantId, person: &str) -> Result<PersonErasure, Problem> {
        let begun = self.app.erasing.begin(tenant, person, false, Principal::CLI).await?;
        loop {
            self.app.erasing.work().await?;
            let erasure = self.app.erasing.find(tenant, &begun.id.to_string()).await?;
            if !erasure.is_open() {
                return Ok(erasure);
            }
            self.shared.wire.executor.sleep(std::time::Duration::from_secs(1)).await;
        }
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
