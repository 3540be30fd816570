//! The limits of a tenant, which the operator sets.

use super::Tenants;
use super::checks::{check, check_limit};
use crate::app::auditing::Deed;
use crate::app::failure::Failure;
use crate::app::stale::Step;
use crate::domain::audit::{AuditAction, Principal};
use crate::domain::tenant::SharedTenant;
use crate::domain::{LimitChanges, TenantId};

impl Tenants {
    /// Changes limits of a tenant; those that are not named stay. Other processes see it when they read the tenant
    /// again, after a second at most.
    pub async fn set_limits(
        &self,
        id: &TenantId,
        changes: &LimitChanges,
        by: &Principal,
    ) -> Result<SharedTenant, Failure> {
        let wrong = changes.iter().map(|(limit, number)| check_limit(*limit, *number));
        check(&wrong.collect::<Vec<_>>())?;
        let changed = self
            .change_by(id, Deed::new(by, AuditAction::TenantLimitsChanged), |tenant| {
                let before = tenant.limits;
                for (limit, number) in changes {
                    tenant.limits.set(*limit, *number);
                }
                Ok(if tenant.limits == before {
                    Step::Leave
                } else {
                    Step::Save
                })
            })
            .await?;
        Ok(changed.tenant)
    }
}
