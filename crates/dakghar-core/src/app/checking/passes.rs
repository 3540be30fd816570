//! Passes over all tenants, which check the numbers that are due.

use std::time::Duration;

use super::NumberChecks;
use super::asking::{Accounts, Looked};
use super::lanes::Lanes;
use crate::app::failure::Failure;
use crate::app::stale::Step;
use crate::domain::page::PageLimit;
use crate::domain::standing::{Drift, Pace, Urgency};
use crate::domain::tenant::SharedTenant;
use crate::domain::{PhoneNumber, PhoneNumberId, Tenant, TenantId, Timestamp};
use crate::metrics::NumberDrift;

/// Tenants that are read at once.
const TENANTS: u32 = 100;
/// Numbers of one tenant that are checked at once.
const NUMBERS: usize = 20;
/// A pass checks numbers for this long. The next one finds the others again, behind those that are more urgent by then.
const PASS_TIME: Duration = Duration::from_secs(30);
/// Numbers of one tenant are looked at for this long, however slowly Meta answers.
const LOOK_TIME: Duration = Duration::from_secs(15);

/// Where a pass is.
#[derive(Debug, Default)]
pub struct CheckPass {
    /// Tenants with a number to check.
    due: Lanes,
    /// The last tenant that was read.
    last: Option<TenantId>,
    /// When all were read: the checks began then.
    read_at: Option<Timestamp>,
    /// Numbers that somebody should see to, by the place of what is wrong in [`Drift::ALL`].
    drifted: [i64; Drift::ALL.len()],
}

impl CheckPass {
    /// The pass that follows this one: it reads all tenants anew.
    #[must_use]
    pub fn following(self) -> Self {
        Self {
            due: self.due.emptied(),
            ..Self::default()
        }
    }
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
    /// True if it is through because it took long: there is more to check.
    pub is_cut: bool,
}

impl NumberChecks {
    /// Does the next step of a pass: reads some tenants, or checks some numbers of one, the most urgent ones first. After an error it
    /// is done again.
    pub async fn step(&self, pass: &mut CheckPass) -> Result<CheckStep, Failure> {
        let mut step = CheckStep {
            asked: 0,
            is_throttled: false,
            is_through: false,
            is_cut: false,
        };
        match (pass.read_at, pass.due.front()) {
            (None, _) => self.read_tenants(pass).await?,
            (Some(began), Some((urgency, id))) => {
                let is_done = self.check_due(&id, urgency, &mut step).await?;
                pass.due.had_turn(urgency, is_done);
                step.is_cut = !pass.due.is_empty() && self.clock.now().since(began) >= PASS_TIME;
            }
            (Some(_), None) => {}
        }
        step.is_through = step.is_cut || (pass.due.is_empty() && pass.read_at.is_some());
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
            let numbers = tenant.phone_numbers.iter();
            let urgencies: Vec<Urgency> = numbers.filter_map(|number| self.urgency(tenant, number)).collect();
            for urgency in Urgency::ALL.into_iter().filter(|one| urgencies.contains(one)) {
                pass.due.push(urgency, tenant.id);
            }
        }
        pass.last = listed.next;
        if listed.next.is_none() {
            pass.due.begin();
            pass.read_at = Some(self.clock.now());
        }
        Ok(())
    }

    fn urgency(&self, tenant: &Tenant, number: &PhoneNumber) -> Option<Urgency> {
        let every = self.every?;
        let pace = Pace {
            every,
            begins: self.began.max(tenant.created_at),
        };
        // All numbers of a tenant share a moment, so that their account is read once for all of them.
        let (_, mark) = tenant.id.as_uuid().as_u64_pair();
        // A departure takes things back at Meta on purpose, which is no drift.
        let is_here = !number.simulated && !tenant.is_leaving(&number.phone_number_id);
        let standing = is_here.then_some(&number.standing)?;
        standing.urgency(self.clock.wall(), pace, mark)
    }

    /// Checks some of the numbers of a tenant that are so urgent, or more. Returns true if that is all.
    async fn check_due(&self, id: &TenantId, urgency: Urgency, step: &mut CheckStep) -> Result<bool, Failure> {
        let Some((tenant, due)) = self.take_due(id, urgency).await? else {
            return Ok(true);
        };
        let mut is_all = due.len() < NUMBERS;
        let mut looked = Vec::with_capacity(due.len());
        let mut accounts = Accounts::default();
        let began = self.clock.now();
        for number in due.iter().filter_map(|id| tenant.number(Some(id))) {
            if !looked.is_empty() && self.clock.now().since(began) >= LOOK_TIME {
                looked.push((number.phone_number_id.clone(), Looked::NotYet));
                is_all = false;
                continue;
            }
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

    /// Takes the most urgent numbers of those that are so urgent, or more, so that no other process checks them meanwhile. `None` if
    /// there are none any more.
    async fn take_due(
        &self,
        id: &TenantId,
        least: Urgency,
    ) -> Result<Option<(SharedTenant, Vec<PhoneNumberId>)>, Failure> {
        let mut due = Vec::new();
        let taken = self.tenants.change(id, |tenant| {
            let numbers = tenant.phone_numbers.iter();
            let urgent = numbers.filter_map(|number| Some((self.urgency(tenant, number)?, &number.phone_number_id)));
            let mut urgent: Vec<_> = urgent.filter(|(urgency, _)| *urgency <= least).collect();
            urgent.sort_by_key(|(urgency, _)| *urgency);
            due = urgent.into_iter().map(|(_, id)| id.clone()).take(NUMBERS).collect();
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
