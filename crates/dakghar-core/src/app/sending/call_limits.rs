//! The calls under way of each tenant, in all processes.
//!
//! A process says how many it has when it wants more, and each second while it has some. So a place that is given back is
//! seen by the others after a second, and those of a process that died after ten.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use super::in_flight::InFlightLimits;
use crate::app::failure::Failure;
use crate::domain::tenant::SharedTenant;
use crate::domain::{TenantId, TenantLimit, TenantLimits};
use crate::ports::{CallAsk, TenantQuota};

/// Messages of a batch that may wait in memory for a call of their tenant to end. Those behind them go back into the
/// queue at once: the line is for all tenants.
const LINE_OF_TENANT: u32 = 32;

/// Asks for places among the calls of tenants that have a limit.
pub(super) struct CallLimits {
    defaults: TenantLimits,
    process: Arc<str>,
    quota: Arc<dyn TenantQuota>,
    /// The tenants of which this process said that it has calls, and their limits.
    told: Mutex<HashMap<TenantId, u32>>,
}

/// What the messages of a batch may do.
#[derive(Default)]
pub(super) struct Allowances(HashMap<TenantId, Allowance>);

struct Allowance {
    calls: u32,
    line: u32,
}

/// Whether a tenant may begin another call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Allowed {
    Yes,
    /// Not now, but the message may wait for it.
    Soon,
    /// Not now, and others of the tenant wait already.
    Later,
}

impl CallLimits {
    pub(super) fn new(defaults: TenantLimits, process: Arc<str>, quota: Arc<dyn TenantQuota>) -> Self {
        Self {
            defaults,
            process,
            quota,
            told: Mutex::default(),
        }
    }

    /// What to ask for the messages of these tenants.
    pub(super) fn asks<'a>(
        &self,
        in_flight: &InFlightLimits,
        tenants: impl Iterator<Item = &'a SharedTenant>,
    ) -> Vec<CallAsk> {
        let mut asks: HashMap<TenantId, CallAsk> = HashMap::new();
        for tenant in tenants {
            if let Some(max) = tenant.limits.in_force(&self.defaults, TenantLimit::CallsUnderWay) {
                let ask = asks.entry(tenant.id).or_insert_with(|| CallAsk {
                    tenant_id: tenant.id,
                    max,
                    under_way: in_flight.of_tenant(&tenant.id),
                    wanted: 0,
                });
                ask.wanted += 1;
            }
        }
        asks.into_values().collect()
    }

    /// Takes places for calls, for all tenants in one call.
    pub(super) async fn allow(&self, asks: Vec<CallAsk>) -> Result<Allowances, Failure> {
        if asks.is_empty() {
            return Ok(Allowances::default());
        }
        let granted = self.quota.take_calls(&self.process, &asks).await?;
        let mut told = self.told.lock();
        let mut allowances = HashMap::new();
        for (ask, calls) in asks.iter().zip(granted) {
            told.insert(ask.tenant_id, ask.max);
            let allowance = Allowance {
                calls,
                line: LINE_OF_TENANT,
            };
            allowances.insert(ask.tenant_id, allowance);
        }
        Ok(Allowances(allowances))
    }

    /// Says how many calls this process has under way. To be done each second.
    pub(super) async fn tell(&self, in_flight: &InFlightLimits) -> Result<(), Failure> {
        let told: Vec<(TenantId, u32)> = self.told.lock().iter().map(|(id, max)| (*id, *max)).collect();
        if told.is_empty() {
            return Ok(());
        }
        let ask = |(tenant_id, max): (TenantId, u32)| CallAsk {
            tenant_id,
            max,
            under_way: in_flight.of_tenant(&tenant_id),
            wanted: 0,
        };
        let asks: Vec<CallAsk> = told.into_iter().map(ask).collect();
        self.quota.take_calls(&self.process, &asks).await?;
        let mut told = self.told.lock();
        for ask in asks.iter().filter(|ask| ask.under_way == 0) {
            told.remove(&ask.tenant_id);
        }
        Ok(())
    }
}

impl Allowances {
    /// Takes the place of one call of the tenant.
    pub(super) fn take(&mut self, tenant: &TenantId) -> Allowed {
        let Some(allowance) = self.0.get_mut(tenant) else {
            return Allowed::Yes;
        };
        let (left, allowed) = match allowance {
            Allowance { calls: 0, line: 0 } => return Allowed::Later,
            Allowance { calls: 0, line } => (line, Allowed::Soon),
            Allowance { calls, .. } => (calls, Allowed::Yes),
        };
        *left -= 1;
        allowed
    }
}
