//! The wish of a tenant that messages are sent again by themselves.

use super::Tenants;
use super::checks::check;
use crate::app::auditing::Deed;
use crate::app::failure::Failure;
use crate::app::stale::Step;
use crate::domain::audit::{AuditAction, Principal};
use crate::domain::auto_redrive::{AUTO_HOURS_MAX, AUTO_PER_MINUTE_MAX, AUTO_TIMES_MAX, AutoRedrive};
use crate::domain::tenant::SharedTenant;
use crate::domain::{ErrorCode, Problem, TenantId};

impl Tenants {
    /// Sets what is sent again by itself when its cause has ended; `None` turns it off. It counts for causes that end from
    /// now on. A redrive that has begun goes on; it can be cancelled like any other.
    pub async fn set_auto_redrive(
        &self,
        id: &TenantId,
        policy: Option<AutoRedrive>,
        by: &Principal,
    ) -> Result<SharedTenant, Failure> {
        if let Some(policy) = &policy {
            check(&[
                check_causes(policy),
                check_number("/perMinute", policy.per_minute, AUTO_PER_MINUTE_MAX),
                check_number("/maxAgeHours", policy.hours, AUTO_HOURS_MAX),
                check_number("/timesMax", policy.times, AUTO_TIMES_MAX),
            ])?;
        }
        let changed = self
            .change_by(id, Deed::new(by, AuditAction::TenantAutoRedriveChanged), |tenant| {
                if tenant.auto.policy == policy {
                    return Ok(Step::Leave);
                }
                tenant.auto.set(policy.clone());
                Ok(Step::Save)
            })
            .await?;
        Ok(changed.tenant)
    }
}

fn check_causes(policy: &AutoRedrive) -> Option<Problem> {
    let causes = &policy.causes;
    let is_repeated = |place: usize| causes[..place].contains(&causes[place]);
    (causes.is_empty() || (0..causes.len()).any(is_repeated)).then(|| {
        let message = "must name at least one cause, and each once";
        Problem::field(ErrorCode::InvalidField, "/causes", message)
    })
}

fn check_number(pointer: &'static str, number: u32, max: u32) -> Option<Problem> {
    (!(1..=max).contains(&number))
        .then(|| Problem::field(ErrorCode::InvalidField, pointer, format!("must be 1 to {max}")))
}
