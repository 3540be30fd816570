//! Pauses, which people begin and end.

use super::{Tenants, find_number_id, no_such_number};
use crate::app::auditing::Deed;
use crate::app::failure::Failure;
use crate::app::stale::Step;
use crate::domain::audit::{AuditAction, Principal};
use crate::domain::auto_redrive::Cause;
use crate::domain::tenant::SharedTenant;
use crate::domain::{ErrorCode, Hold, PhoneNumberId, Problem, TenantId};

impl Tenants {
    /// Stops sending, for the tenant or one of its numbers. Accepting and receiving go on.
    ///
    /// A pause replaces a hold that Meta's refusals began, because that hold lets probes out. If its cause is still
    /// there after the pause, the next refusals begin it again. The operator's pause stays when the tenant pauses, and a pause
    /// stays as it is when whoever began it pauses again.
    pub async fn pause(&self, id: &TenantId, number: Option<&str>, by: &Principal) -> Result<SharedTenant, Failure> {
        let actor = by.actor();
        let pause = Hold {
            reason: actor.pause(),
            since: self.now(),
            probe_at: None,
        };
        let number = number.map(find_number_id).transpose()?;
        let actions = [AuditAction::TenantPaused, AuditAction::NumberPaused];
        self.change_by(id, deed(by, actions, number.as_ref()), |tenant| {
            let hold = match &number {
                None => &mut tenant.hold,
                Some(number) => {
                    let number = tenant.number_mut(number).ok_or_else(no_such_number)?;
                    number.token_refusals = 0;
                    &mut number.hold
                }
            };
            if hold.is_none_or(|hold| actor.may_end(hold) && hold.reason != pause.reason) {
                *hold = Some(pause);
            }
            Ok(Step::Save)
        })
        .await
        .map(|changed| changed.tenant)
    }

    /// Resumes sending: ends every hold, whatever its reason, and wakes the held messages. Only the operator ends the
    /// operator's pause, of a tenant or a number. A number that the operator paused stays paused when the tenant
    /// resumes as a whole.
    pub async fn resume(&self, id: &TenantId, number: Option<&str>, by: &Principal) -> Result<SharedTenant, Failure> {
        let actor = by.actor();
        let number = number.map(find_number_id).transpose()?;
        let actions = [AuditAction::TenantResumed, AuditAction::NumberResumed];
        let tenant = self
            .change_by(id, deed(by, actions, number.as_ref()), |tenant| {
                let hold = match &number {
                    None => tenant.hold,
                    Some(number) => tenant.number(Some(number)).ok_or_else(no_such_number)?.hold,
                };
                if hold.is_some_and(|hold| !actor.may_end(hold)) {
                    return Err(Problem::new(
                        ErrorCode::Forbidden,
                        "The operator paused it; only the admin key ends that.",
                    ));
                }
                if number.is_none() {
                    tenant.hold = None;
                }
                for each in &mut tenant.phone_numbers {
                    let is_meant = number.as_ref().is_none_or(|number| *number == each.phone_number_id);
                    if is_meant && each.hold.is_none_or(|hold| actor.may_end(hold)) {
                        if let Some(cause) = each.hold.and_then(|hold| Cause::of_hold(hold.reason)) {
                            let (number, id) = (&each.phone_number_id, self.redrive_id());
                            tenant.auto.ends(cause, number, id, self.now());
                        }
                        each.hold = None;
                        each.token_refusals = 0;
                    }
                }
                Ok(Step::Save)
            })
            .await?
            .tenant;
        self.ports.timers.wake_held(id, number.as_ref(), self.now()).await?;
        Ok(tenant)
    }
}

/// The first action is about the tenant, the second about one of its numbers.
fn deed<'a>(by: &'a Principal, [whole, one]: [AuditAction; 2], number: Option<&PhoneNumberId>) -> Deed<'a> {
    match number {
        None => Deed::new(by, whole),
        Some(number) => Deed::new(by, one).about("phone_number", number),
    }
}
