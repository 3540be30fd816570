//! Holds of a number that Meta's answers begin and end.

use std::sync::Arc;

use crate::app::failure::{Failure, Fault};
use crate::app::stale::Step;
use crate::app::tenants::Tenants;
use crate::app::tenants::directory::Directory;
use crate::domain::auto_redrive::Cause;
use crate::domain::message::Message;
use crate::domain::tenant::TOKEN_REFUSALS_MAX;
use crate::domain::{Hold, HoldReason, PhoneNumber, PhoneNumberId, Tenant, TenantId, Timestamp};
use crate::ports::{Clock, TimerStore};

/// Begins, probes and ends holds.
#[derive(Clone)]
pub(in crate::app) struct NumberHolds {
    tenants: Arc<Tenants>,
    directory: Arc<Directory>,
    timers: Arc<dyn TimerStore>,
    clock: Arc<dyn Clock>,
}

impl NumberHolds {
    pub(in crate::app) const fn new(
        tenants: Arc<Tenants>,
        directory: Arc<Directory>,
        timers: Arc<dyn TimerStore>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            tenants,
            directory,
            timers,
            clock,
        }
    }

    /// True if one message may go out to probe the hold. Several workers may ask: the one that first saves the next
    /// probe's time wins.
    pub(super) async fn may_probe(&self, tenant: &Tenant, number: &PhoneNumber, hold: &Hold, now: Timestamp) -> bool {
        let Some(probe_at) = hold.probe_at.filter(|_| hold.may_be_probed(now)) else {
            return false;
        };
        let next = now + hold.reason.probe_interval();
        let number = &number.phone_number_id;
        let won = self
            .tenants
            .change(&tenant.id, |tenant| {
                let held = tenant.number_mut(number).and_then(|number| number.hold.as_mut());
                Ok(match held.filter(|hold| hold.probe_at == Some(probe_at)) {
                    Some(hold) => {
                        hold.probe_at = Some(next);
                        Step::Save
                    }
                    None => Step::Leave,
                })
            })
            .await;
        won.is_ok_and(|change| change.is_saved)
    }

    /// Ends what a successful send disproves: the count of refused tokens, and a hold that was only being probed.
    /// `called` is the tenant as it was for the call: a token that was replaced since proves nothing.
    pub(super) async fn number_works(&self, message: &Message, called: &Tenant) -> Result<(), Failure> {
        let accepted = &message.accepted;
        let Some(tenant) = self.directory.find(&accepted.tenant_id).await? else {
            return Ok(());
        };
        let is_ending = |hold: Hold| hold.probe_at.is_some();
        let Some(number) = tenant.number(Some(&accepted.phone_number_id)) else {
            return Ok(());
        };
        let is_failing = tenant.auto.is_failing(&number.phone_number_id);
        if number.token_refusals == 0 && !number.hold.is_some_and(is_ending) && !is_failing {
            return Ok(());
        }
        let changed = self
            .tenants
            .change(&tenant.id, |tenant| {
                let Some(number) = tenant.number_mut(&accepted.phone_number_id) else {
                    return Ok(Step::Leave);
                };
                if !has_token_of(called, number) {
                    return Ok(Step::Leave);
                }
                number.token_refusals = 0;
                let ended = number.hold.filter(|hold| is_ending(*hold));
                number.hold = number.hold.filter(|hold| !is_ending(*hold));
                let (at, number) = (self.clock.now(), &accepted.phone_number_id);
                if let Some(cause) = ended.and_then(|hold| Cause::of_hold(hold.reason)) {
                    tenant.auto.ends(cause, number, self.tenants.redrive_id(), at);
                }
                tenant.auto.works(number, self.tenants.redrive_id(), at);
                Ok(Step::Save)
            })
            .await?;
        // Nothing that held a message has ended.
        if !changed.is_saved {
            return Ok(());
        }
        self.timers
            .wake_held(&accepted.tenant_id, Some(&accepted.phone_number_id), self.clock.now())
            .await?;
        Ok(())
    }

    /// Notes that a message of the number uses up its attempts, if its tenant wants it to be sent again when that is over.
    /// To be done before the message is saved, or a crash between the two would leave a dead letter of which nobody
    /// awaits the end; and once more after it, because a message that went out between the two has ended the cause too
    /// early. Only an outage is an error.
    pub(super) async fn number_fails(&self, message: &Message) -> Result<(), Failure> {
        let (tenant_id, number) = (&message.accepted.tenant_id, &message.accepted.phone_number_id);
        let tenant = self.directory.find(tenant_id).await?;
        if !tenant.is_some_and(|tenant| tenant.auto.wants(Cause::Meta)) {
            return Ok(());
        }
        let noted = self
            .tenants
            .change(tenant_id, |tenant| {
                let is_noted = tenant.number(Some(number)).is_some() && tenant.auto.fails(number);
                Ok(if is_noted { Step::Save } else { Step::Leave })
            })
            .await;
        match noted {
            Err(failure) if failure.fault() == Fault::Surroundings => Err(failure),
            Err(failure) => {
                tracing::warn!(%tenant_id, phone_number_id = %number, %failure, "a dead letter is not sent again by itself");
                Ok(())
            }
            Ok(_) => Ok(()),
        }
    }

    /// Puts a number on hold whose account, as Meta reports, may not send.
    pub(in crate::app) async fn number_restricted(
        &self,
        tenant_id: &TenantId,
        phone_number_id: &PhoneNumberId,
    ) -> Result<(), Failure> {
        let Some(tenant) = self.directory.find(tenant_id).await? else {
            return Ok(());
        };
        self.number_refused(&tenant, phone_number_id, HoldReason::AccountRestricted)
            .await
    }

    /// Counts a refusal of the token or the account, and puts the number on hold. A restricted account does so at once,
    /// a refused token after [`TOKEN_REFUSALS_MAX`] refusals in a row. The number is then probed. `called` is the tenant
    /// as it was for the call: a refusal of a token that was replaced since says nothing, and the message goes on.
    pub(super) async fn number_refused(
        &self,
        called: &Tenant,
        phone_number_id: &PhoneNumberId,
        reason: HoldReason,
    ) -> Result<(), Failure> {
        let tenant_id = &called.id;
        let Some(tenant) = self.directory.find(tenant_id).await? else {
            return Ok(());
        };
        let number = tenant.number(Some(phone_number_id));
        if number.is_none_or(|number| number.hold.is_some()) {
            return Ok(());
        }
        let now = self.clock.now();
        let mut is_begun = false;
        let mut is_replaced = false;
        self.tenants
            .change(&tenant.id, |tenant| {
                let Some(number) = tenant.number_mut(phone_number_id) else {
                    return Ok(Step::Leave);
                };
                is_replaced = reason == HoldReason::CredentialsInvalid && !has_token_of(called, number);
                if is_replaced {
                    return Ok(Step::Leave);
                }
                number.token_refusals += 1;
                let is_certain =
                    reason != HoldReason::CredentialsInvalid || number.token_refusals >= TOKEN_REFUSALS_MAX;
                is_begun = number.hold.is_none() && is_certain;
                if is_begun {
                    let probe_at = Some(now + reason.probe_interval());
                    number.hold = Some(Hold {
                        reason,
                        since: now,
                        probe_at,
                    });
                }
                Ok(Step::Save)
            })
            .await?;
        if is_replaced {
            self.timers.wake_held(tenant_id, Some(phone_number_id), now).await?;
        }
        if is_begun {
            tracing::warn!(%tenant_id, %phone_number_id, reason = reason.as_str(), "the number is on hold");
        }
        Ok(())
    }
}

/// True if the number has the same token as it had for the tenant of a call.
fn has_token_of(called: &Tenant, number: &PhoneNumber) -> bool {
    called
        .number(Some(&number.phone_number_id))
        .is_some_and(|then| then.sealed_token == number.sealed_token)
}
