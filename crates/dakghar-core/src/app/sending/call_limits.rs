//! The calls under way of each tenant, in all processes.
//!
//! A process says how many it has when it wants more, and each second while it has some. So a place that is given back is
//! seen by the others after a second, and those of a process that died after ten.
//!
//! Calls that were granted and have not begun are among what it says: the grant of one batch must not be taken back by what
//! was counted before it.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::lock::Mutex as Turn;
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
    granted: Arc<Granted>,
    /// What is said is counted and said in one turn, so that nothing old is said after something new.
    turn: Turn<()>,
}

/// Calls that a tenant wants to begin, and the most that it may have under way.
#[derive(Clone, Copy)]
struct Wanted {
    max: u32,
    calls: u32,
}

/// The calls of each tenant that were granted and are not among those under way yet.
#[derive(Default)]
struct Granted(Mutex<HashMap<TenantId, u32>>);

/// What the messages of a batch may do. To be dropped when all of them have their places.
#[derive(Default)]
pub(super) struct CallsAllowed {
    allowances: HashMap<TenantId, Allowance>,
    granted: Arc<Granted>,
}

struct Allowance {
    granted: u32,
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
            granted: Arc::default(),
            turn: Turn::default(),
        }
    }

    /// Takes places for calls of these tenants, one for each time that a tenant is named.
    pub(super) async fn allow<'a>(
        &self,
        in_flight: &InFlightLimits,
        tenants: impl Iterator<Item = &'a SharedTenant>,
    ) -> Result<CallsAllowed, Failure> {
        let mut wanted = HashMap::new();
        for tenant in tenants {
            if let Some(max) = tenant.limits.in_force(&self.defaults, TenantLimit::CallsUnderWay) {
                wanted.entry(tenant.id).or_insert(Wanted { max, calls: 0 }).calls += 1;
            }
        }
        self.take(in_flight, wanted).await
    }

    /// Takes places, for all tenants in one call.
    async fn take(
        &self,
        in_flight: &InFlightLimits,
        wanted: HashMap<TenantId, Wanted>,
    ) -> Result<CallsAllowed, Failure> {
        if wanted.is_empty() {
            return Ok(CallsAllowed::default());
        }
        let _turn = self.turn.lock().await;
        let asks: Vec<CallAsk> = wanted
            .into_iter()
            .map(|(tenant_id, wanted)| self.ask(in_flight, tenant_id, wanted))
            .collect();
        let granted = self.quota.take_calls(&self.process, &asks).await?;
        let mut told = self.told.lock();
        let mut allowances = HashMap::new();
        for (ask, calls) in asks.iter().zip(granted) {
            told.insert(ask.tenant_id, ask.max);
            self.granted.add(ask.tenant_id, calls);
            let allowance = Allowance {
                granted: calls,
                calls,
                line: LINE_OF_TENANT,
            };
            allowances.insert(ask.tenant_id, allowance);
        }
        Ok(CallsAllowed {
            allowances,
            granted: self.granted.clone(),
        })
    }

    /// Says how many calls this process has under way. To be done each second.
    pub(super) async fn tell(&self, in_flight: &InFlightLimits) -> Result<(), Failure> {
        let _turn = self.turn.lock().await;
        let told: Vec<(TenantId, u32)> = self.told.lock().iter().map(|(id, max)| (*id, *max)).collect();
        if told.is_empty() {
            return Ok(());
        }
        let asks: Vec<CallAsk> = told
            .into_iter()
            .map(|(tenant_id, max)| self.ask(in_flight, tenant_id, Wanted { max, calls: 0 }))
            .collect();
        self.quota.take_calls(&self.process, &asks).await?;
        let mut told = self.told.lock();
        for ask in asks.iter().filter(|ask| ask.under_way == 0) {
            told.remove(&ask.tenant_id);
        }
        Ok(())
    }

    fn ask(&self, in_flight: &InFlightLimits, tenant_id: TenantId, wanted: Wanted) -> CallAsk {
        // Those that begin meanwhile are counted twice, which costs a place for a second; the other way round they would
        // be missing.
        let granted = self.granted.of(&tenant_id);
        CallAsk {
            tenant_id,
            max: wanted.max,
            under_way: granted + in_flight.of_tenant(&tenant_id),
            wanted: wanted.calls,
        }
    }
}

impl Granted {
    fn of(&self, tenant: &TenantId) -> u32 {
        self.0.lock().get(tenant).copied().unwrap_or(0)
    }

    fn add(&self, tenant: TenantId, calls: u32) {
        if calls > 0 {
            *self.0.lock().entry(tenant).or_default() += calls;
        }
    }

    fn remove(&self, tenant: &TenantId, calls: u32) {
        let mut granted = self.0.lock();
        if let Some(count) = granted.get_mut(tenant) {
            *count = count.saturating_sub(calls);
            if *count == 0 {
                granted.remove(tenant);
            }
        }
    }
}

impl Drop for CallsAllowed {
    fn drop(&mut self) {
        for (tenant, allowance) in &self.allowances {
            self.granted.remove(tenant, allowance.granted);
        }
    }
}

impl CallsAllowed {
    /// Takes the place of one call of the tenant.
    pub(super) fn take(&mut self, tenant: &TenantId) -> Allowed {
        let Some(allowance) = self.allowances.get_mut(tenant) else {
            return Allowed::Yes;
        };
        let (left, allowed) = match allowance {
            Allowance { calls: 0, line: 0, .. } => return Allowed::Later,
            Allowance { calls: 0, line, .. } => (line, Allowed::Soon),
            Allowance { calls, .. } => (calls, Allowed::Yes),
        };
        *left -= 1;
        allowed
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use futures_executor::block_on;
    use futures_util::poll;
    use uuid::Uuid;

    use super::*;
    use crate::ports::{Grant, QueueError, QuotaAsk};

    /// Grants what is wanted, once it is let go on. Remembers what it was asked.
    #[derive(Default)]
    struct Held {
        asked: Mutex<Vec<(u32, u32)>>,
        gate: Turn<()>,
    }

    #[async_trait]
    impl TenantQuota for Held {
        async fn take(&self, _: &[QuotaAsk]) -> Result<Vec<Grant>, QueueError> {
            unreachable!("calls are no requests")
        }

        async fn take_calls(&self, _: &Arc<str>, asks: &[CallAsk]) -> Result<Vec<u32>, QueueError> {
            let asked = asks.iter().map(|ask| (ask.under_way, ask.wanted));
            self.asked.lock().extend(asked);
            let _gate = self.gate.lock().await;
            Ok(asks.iter().map(|ask| ask.wanted).collect())
        }
    }

    #[test]
    fn what_was_granted_and_has_not_begun_is_told_too() {
        let tenant = TenantId::from_uuid(Uuid::from_u128(1));
        let quota = Arc::<Held>::default();
        let calls = CallLimits::new(TenantLimits::default(), "one".into(), quota.clone());
        let in_flight = InFlightLimits::new(100);
        let wanted = |calls| HashMap::from([(tenant, Wanted { max: 10, calls })]);
        block_on(async {
            let gate = quota.gate.lock().await;
            let mut taking = std::pin::pin!(calls.take(&in_flight, wanted(3)));
            assert!(poll!(&mut taking).is_pending());
            let mut telling = std::pin::pin!(calls.tell(&in_flight));
            assert!(poll!(&mut telling).is_pending());
            assert_eq!(
                *quota.asked.lock(),
                [(0, 3)],
                "nothing is said while a grant is on its way"
            );
            drop(gate);
            let first = taking.await.expect("granted");
            telling.await.expect("told");
            let second = calls.take(&in_flight, wanted(2)).await.expect("granted");
            assert_eq!(
                quota.asked.lock()[1..],
                [(3, 0), (3, 2)],
                "they may begin at any moment"
            );

            // None of the first found its place.
            drop(first);
            calls.tell(&in_flight).await.expect("told");
            drop(second);
            for _ in 0..3 {
                calls.tell(&in_flight).await.expect("told");
            }
            assert_eq!(
                quota.asked.lock()[3..],
                [(2, 0), (0, 0)],
                "that there are none is said once"
            );
        });
    }
}
