//! Passes over all tenants, which check the numbers that are due.

use std::collections::VecDeque;

use super::NumberChecks;
use super::asking::{Accounts, Looked};
use crate::app::failure::Failure;
use crate::app::stale::Step;
use crate::domain::page::PageLimit;
use crate::domain::standing::{Drift, Pace};
use crate::domain::tenant::SharedTenant;
use crate::domain::{PhoneNumber, PhoneNumberId, Tenant, TenantId};
use crate::metrics::NumberDrift;

/// Tenants that are read at once.
const TENANTS: u32 = 100;
/// Numbers of one tenant that are checked at once.
const NUMBERS: usize = 20;

/// Where a pass is.
#[derive(Debug, Default)]
pub struct CheckPass {
    /// Tenants with a number to check.
    due: VecDeque<TenantId>,
    /// The last tenant that was read.
    last: Option<TenantId>,
    has_all: bool,
    /// Numbers that somebody should see to, by the place of what is wrong in [`Drift::ALL`].
    drifted: [i64; Drift::ALL.len()],
}

/// A step of a pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckStep {
    /// The number of questions to Meta.
    pub asked: usize,
    /// True if Meta wants fewer calls of an app.
    pub is_throttled: bool,
    /// True if the pass is through.
    pub is_through: bool,
}

impl NumberChecks {
    /// Does the next step of a pass: reads some tenants, or checks some numbers of one. After an error it is done again.
    pub async fn step(&self, pass: &mut CheckPass) -> Result<CheckStep, Failure> {
        let mut step = CheckStep {
            asked: 0,
            is_throttled: false,
            is_through: false,
        };
        if let Some(id) = pass.due.front().copied() {
            let is_done = self.check_due(&id, &mut step).await?;
            if is_done {
                pass.due.pop_front();
            }
        } else if !pass.has_all {
            self.read_tenants(pass).await?;
        }
        step.is_through = pass.due.is_empty() && pass.has_all;
        if step.is_through {
            for (drift, count) in Drift::ALL.into_iter().zip(pass.drifted) {
                self.metrics.numbers_drifted.of(NumberDrift::from(drift)).set(count);
            }
        }
        Ok(step)
    }

    async fn read_tenants(&self, pass: &mut CheckPass) -> Result<(), Failure> {
        let listed = self.store.list(pass.last, PageLimit::items(TENANTS)).await?;
        for tenant in listed.items.iter().filter(|tenant| tenant.removed_at.is_none()) {
            for concern in tenant.phone_numbers.iter().flat_map(PhoneNumber::concerns) {
                let place = Drift::ALL.iter().position(|drift| *drift == concern.drift);
                if let Some(count) = place.and_then(|place| pass.drifted.get_mut(place)) {
                    *count += 1;
                }
            }
            if tenant.phone_numbers.iter().any(|number| self.is_due(tenant, number)) {
                pass.due.push_back(tenant.id);
            }
        }
        pass.last = listed.next;
        pass.has_all = listed.next.is_none();
        Ok(())
    }

    fn is_due(&self, tenant: &Tenant, number: &PhoneNumber) -> bool {
        let Some(every) = self.every else { return false };
        let pace = Pace {
            every,
            begins: self.began.max(tenant.created_at),
        };
        // All numbers of a tenant share a moment, so that their account is read once for all of them.
        let (_, mark) = tenant.id.as_uuid().as_u64_pair();
        // A departure takes things back at Meta on purpose, which is no drift.
        let is_here = !number.simulated && !tenant.is_leaving(&number.phone_number_id);
        is_here && number.standing.is_due(self.clock.wall(), pace, mark)
    }

    /// Checks some of the numbers of a tenant that are due. Returns true if that is all.
    async fn check_due(&self, id: &TenantId, step: &mut CheckStep) -> Result<bool, Failure> {
        let Some((tenant, due)) = self.take_due(id).await? else {
            return Ok(true);
        };
        let is_all = due.len() < NUMBERS;
        let mut looked = Vec::with_capacity(due.len());
        let mut accounts = Accounts::default();
        for number in due.iter().filter_map(|id| tenant.number(Some(id))) {
            let found = self.look(&tenant, number, &mut accounts, true).await;
            step.is_throttled |= matches!(found, Looked::Throttled(_));
            looked.push((number.phone_number_id.clone(), found));
            if step.is_throttled {
                break;
            }
        }
        step.asked = accounts.asked();
        self.keep(&tenant, &looked).await?;
        Ok(is_all || step.is_throttled)
    }

    /// Takes numbers that are due, so that no other process checks them meanwhile. `None` if there are none any more.
    async fn take_due(&self, id: &TenantId) -> Result<Option<(SharedTenant, Vec<PhoneNumberId>)>, Failure> {
        let mut due = Vec::new();
        let taken = self.tenants.change(id, |tenant| {
            let numbers = tenant.phone_numbers.iter().filter(|number| self.is_due(tenant, number));
            due = numbers
                .map(|number| number.phone_number_id.clone())
                .take(NUMBERS)
                .collect();
            let now = self.clock.wall();
            for id in &due {
                if let Some(number) = tenant.number_mut(id) {
                    number.standing.rest_from(now);
                }
            }
            Ok(if due.is_empty() { Step::Leave } else { Step::Save })
        });
        match taken.await {
            Ok(changed) if changed.is_saved => Ok(Some((changed.tenant, due))),
            // It was removed meanwhile, or cannot be read; or another process was first.
            Ok(_) | Err(Failure::Refused(_)) => Ok(None),
            Err(failure) if failure.is_of_one_record() => {
                tracing::warn!(tenant_id = %id, %failure, "the numbers of a tenant cannot be checked");
                Ok(None)
            }
            Err(failure) => Err(failure),
        }
    }
}
