//! The limits of a tenant, which the operator sets.

use super::Tenants;
use super::checks::{check, check_request_rate};
use crate::app::failure::Failure;
use crate::app::stale::Step;
use crate::domain::TenantId;
use crate::domain::tenant::SharedTenant;

impl Tenants {
    /// Sets the requests that a tenant may make in a second: 0 is no limit, `None` the default of the installation.
    /// Other processes see it when they read the tenant again, after a second at most.
    pub async fn limit_requests(&self, id: &TenantId, per_second: Option<u32>) -> Result<SharedTenant, Failure> {
        check(&[per_second.and_then(check_request_rate)])?;
        let changed = self
            .change(id, |tenant| {
                tenant.requests_per_second = per_second;
                Ok(Step::Save)
            })
            .await?;
        Ok(changed.tenant)
    }
}
