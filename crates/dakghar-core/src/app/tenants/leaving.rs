//! Tenants that leave, or some of their numbers: nothing is accepted for them any more.

use super::Tenants;
use crate::app::failure::Failure;
use crate::app::stale::Step;
use crate::domain::tenant::SharedTenant;
use crate::domain::{ErrorCode, Leaving, PhoneNumberId, Problem, Tenant, TenantId};

impl Tenants {
    /// Accepts nothing any more for what leaves. Returns the tenant as it is stored now. A tenant that leaves as a whole goes on
    /// leaving as a whole.
    pub(in crate::app) async fn begin_leaving(
        &self,
        id: &TenantId,
        leaving: &Leaving,
    ) -> Result<SharedTenant, Failure> {
        let changed = self
            .change(id, |tenant| {
                if tenant.leaving == Some(Leaving::Whole) || tenant.leaving.as_ref() == Some(leaving) {
                    return Ok(Step::Leave);
                }
                tenant.leaving = Some(leaving.clone());
                Ok(Step::Save)
            })
            .await?;
        Ok(changed.tenant)
    }

    /// Accepts again what was leaving. A tenant that is removed meanwhile stays so.
    pub(in crate::app) async fn stay(&self, id: &TenantId, leaving: &Leaving) -> Result<(), Failure> {
        let changed = self.change(id, |tenant| {
            if tenant.leaving.as_ref() != Some(leaving) {
                return Ok(Step::Leave);
            }
            tenant.leaving = None;
            Ok(Step::Save)
        });
        match changed.await {
            Ok(_) => Ok(()),
            Err(Failure::Refused(problem)) if problem.code == ErrorCode::TenantNotFound => Ok(()),
            Err(failure) => Err(failure),
        }
    }
}

/// Refuses what a tenant that leaves as a whole gets no more: numbers, and ways to connect them.
pub(in crate::app) fn check_stays(leaving: Option<&Leaving>) -> Result<(), Problem> {
    match leaving {
        Some(Leaving::Whole) => Err(Problem::new(
            ErrorCode::TenantLeaving,
            "The tenant is leaving; cancel its departure first.",
        )),
        Some(Leaving::Numbers(_)) | None => Ok(()),
    }
}

/// Refuses what a number that leaves gets no more.
pub(in crate::app) fn check_number_stays(tenant: &Tenant, number: Option<&PhoneNumberId>) -> Result<(), Problem> {
    if number.is_some_and(|number| tenant.is_leaving(number)) {
        let detail = "The number is leaving; cancel its departure first.";
        return Err(Problem::new(ErrorCode::TenantLeaving, detail));
    }
    Ok(())
}
