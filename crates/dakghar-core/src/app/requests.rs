//! The requests a second of each tenant.
//!
//! Requests that come while others are being counted are counted together with the next ones, so that no request has a
//! round trip of its own. A tenant that has used its requests up is refused without asking until it has more.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::domain::quota::Quota;
use crate::domain::{Tenant, TenantId, TenantLimit, TenantLimits};
use crate::group_commit::{BoxFuture, GroupCommit, Limits, Weighed};
use crate::metrics::{Limit, Metrics};
use crate::ports::{Clock, Grant, Ports, QuotaAsk, TenantQuota};

/// Tenants that have used their requests up, before those that have more again are forgotten.
const EXHAUSTED_SWEPT_AT: usize = 1_000;

/// A tenant's requests in a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestAllowance {
    /// The most requests in a second.
    pub per_second: u32,
    /// How many more there may be now.
    pub remaining: u32,
    /// The time until there may be more than now; a second at most.
    pub resets_in: Duration,
    /// True if this request was one too many.
    pub is_refused: bool,
}

/// Counts the requests of tenants.
pub struct Requests {
    defaults: TenantLimits,
    clock: Arc<dyn Clock>,
    exhausted: Arc<Exhausted>,
    takes: GroupCommit<Counted, Option<Grant>>,
    metrics: Arc<Metrics>,
}

/// A request of this tenant, which may have so many in a second.
struct Counted(TenantId, u32);

impl Weighed for Counted {
    fn bytes(&self) -> usize {
        size_of::<Self>()
    }
}

/// When those have more again that have used their requests up, by the uptime.
type Exhausted = Mutex<HashMap<TenantId, Duration>>;

impl Requests {
    /// For tenants whose record says nothing the defaults count. The future counts the requests.
    pub(super) fn new(defaults: TenantLimits, ports: &Ports, limits: &Limits) -> (Self, BoxFuture<()>) {
        let (quota, clock) = (ports.quota.clone(), ports.clock.clone());
        let metrics = ports.metrics.clone();
        let exhausted = Arc::<Exhausted>::default();
        let own = Arc::<Mutex<Quota>>::default();
        let (takes, taking) = {
            let (clock, exhausted) = (clock.clone(), exhausted.clone());
            GroupCommit::new(limits.clone(), move |asks| {
                let (quota, clock, exhausted, own) = (quota.clone(), clock.clone(), exhausted.clone(), own.clone());
                async move { take(&*quota, &*clock, &exhausted, &own, asks).await }
            })
        };
        let requests = Self {
            defaults,
            clock,
            exhausted,
            takes,
            metrics,
        };
        (requests, taking)
    }

    /// Counts a request of the tenant. Returns `None` if it has no limit. Never refuses because counting failed: then
    /// this process counts by itself.
    pub async fn admit(&self, tenant: &Tenant) -> Option<RequestAllowance> {
        let per_second = tenant.limits.in_force(&self.defaults, TenantLimit::RequestsPerSecond)?;
        let now = self.clock.uptime();
        let exhausted_until = self.exhausted.lock().get(&tenant.id).copied();
        let grant = match exhausted_until.filter(|until| *until > now) {
            Some(until) => Some(Grant {
                granted: 0,
                remaining: 0,
                resets_in_ms: u32::try_from(until.saturating_sub(now).as_millis()).unwrap_or(1000),
            }),
            None => self.takes.submit(Counted(tenant.id, per_second)).await.ok().flatten(),
        };
        // Too many wait to be counted: others have the limits for that.
        let grant = grant.unwrap_or(Grant {
            granted: 1,
            remaining: 0,
            resets_in_ms: 1000,
        });
        let is_refused = grant.granted == 0;
        if is_refused {
            self.metrics.refused.of(Limit::RequestsPerSecond).inc();
        }
        Some(RequestAllowance {
            per_second,
            remaining: grant.remaining,
            resets_in: Duration::from_millis(grant.resets_in_ms.into()),
            is_refused,
        })
    }
}

/// Counts requests of many tenants in one call.
async fn take(
    quota: &dyn TenantQuota,
    clock: &dyn Clock,
    exhausted: &Exhausted,
    own: &Mutex<Quota>,
    requests: Vec<Counted>,
) -> Vec<Option<Grant>> {
    let mut places: HashMap<TenantId, usize> = HashMap::new();
    let mut asks: Vec<QuotaAsk> = Vec::new();
    for Counted(tenant_id, per_second) in &requests {
        let place = *places.entry(*tenant_id).or_insert(asks.len());
        match asks.get_mut(place) {
            Some(ask) => ask.requests += 1,
            None => asks.push(QuotaAsk {
                tenant_id: *tenant_id,
                per_second: *per_second,
                requests: 1,
            }),
        }
    }
    let asked_at = clock.uptime();
    let grants = quota.take(&asks).await;
    let mut left = grants.unwrap_or_else(|_| own.lock().take(&asks, asked_at));
    {
        let mut exhausted = exhausted.lock();
        if exhausted.len() > EXHAUSTED_SWEPT_AT {
            exhausted.retain(|_, until| *until > asked_at);
        }
        for (ask, grant) in asks.iter().zip(&left).filter(|(_, grant)| grant.remaining == 0) {
            let until = asked_at + Duration::from_millis(grant.resets_in_ms.into());
            exhausted.insert(ask.tenant_id, until);
        }
    }
    let grant_of = |Counted(tenant_id, _): &Counted| {
        let grant = left.get_mut(*places.get(tenant_id)?)?;
        let granted = grant.granted.min(1);
        grant.granted -= granted;
        // Those of one batch see their allowance shrink one by one.
        Some(Grant {
            granted,
            remaining: grant.remaining + grant.granted,
            ..*grant
        })
    };
    requests.iter().map(grant_of).collect()
}
