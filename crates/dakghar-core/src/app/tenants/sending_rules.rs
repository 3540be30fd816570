//! What a tenant wants to be kept to whenever something is sent in its name.

use super::Tenants;
use crate::app::auditing::Deed;
use crate::app::failure::Failure;
use crate::app::stale::Step;
use crate::domain::audit::{AuditAction, Principal};
use crate::domain::tenant::SharedTenant;
use crate::domain::{SendingRules, TenantId};

impl Tenants {
    /// Sets the rules. They count for what is accepted from now on, and for what waits.
    pub async fn set_sending_rules(
        &self,
        id: &TenantId,
        rules: SendingRules,
        by: &Principal,
    ) -> Result<SharedTenant, Failure> {
        let deed = Deed::new(by, AuditAction::TenantSendingRulesChanged);
        let changed = self
            .change_by(id, deed, |tenant| {
                if tenant.rules == rules {
                    return Ok(Step::Leave);
                }
                tenant.rules = rules.clone();
                Ok(Step::Save)
            })
            .await?;
        Ok(changed.tenant)
    }
}
