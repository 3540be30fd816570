//! The messages of each tenant that wait: accepted, and not settled.
//!
//! What waits is counted in the store, so the count holds for all processes and after every crash. A count lets this
//! process accept a portion of what there is room for, without asking anybody again. Only then it counts the next time,
//! when all of the portion is stored. So a process is at most a portion ahead of what the others can count, and few
//! messages share a count while there is little room.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_channel::oneshot;
use futures_util::future::join_all;
use parking_lot::Mutex;

use super::failure::Failure;
use crate::domain::limits::{TenantLimit, TenantLimits};
use crate::domain::{ErrorCode, Problem, Tenant, TenantId};
use crate::group_commit::{BoxFuture, GroupCommit, Limits, Weighed};
use crate::metrics::{Limit, Metrics};
use crate::ports::{Clock, ListStore, Ports, StoreError};

/// Beside others, a process accepts this part of the room before it counts again.
const ROOM_PARTS: u32 = 32;
/// Or this part of the limit, if that is more.
const LIMIT_PARTS: u32 = 100;
/// Beside others, the age at which a portion counts no more.
const PORTION_AGE_MAX: Duration = Duration::from_secs(10);
/// The least time between two counts of a tenant that has no room.
const RECOUNT_MIN: Duration = Duration::from_millis(100);
/// Counts of a tenant without room take at most this part of the time.
const RECOUNT_PARTS: u32 = 10;
/// Tenants that are known, before those are forgotten that send nothing.
const KNOWN_SWEPT_AT: usize = 1_000;
/// When a tenant without room may try again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Keeps the messages of each tenant that wait within its limit.
pub(super) struct Waiting {
    defaults: TenantLimits,
    clock: Arc<dyn Clock>,
    known: Arc<Tallies>,
    counts: GroupCommit<Asked, Result<(), StoreError>>,
    metrics: Arc<Metrics>,
}

type Tallies = Mutex<HashMap<TenantId, Tally>>;

/// What is known of a tenant.
#[derive(Default)]
struct Tally {
    /// The limit for which it was counted.
    max: u32,
    /// How many more messages this process may accept before it counts again.
    left: u32,
    /// The uptime at the last count.
    counted_at: Duration,
    /// Until then it is full without another count.
    full_until: Duration,
    /// Messages that took a place and are not known to be stored.
    under_way: u32,
    /// Told when none is under way.
    idle: Vec<oneshot::Sender<()>>,
}

impl Tally {
    /// True if it says whether there is room, for tenants with this limit.
    fn tells(&self, max: u32, now: Duration) -> bool {
        let has_portion = self.left > 0 && now <= self.counted_at + PORTION_AGE_MAX;
        self.max == max && (has_portion || now < self.full_until)
    }
}

/// A place among the messages that wait. Dropped when it is known whether the message is stored.
pub(super) struct WaitingPlace {
    known: Arc<Tallies>,
    tenant_id: TenantId,
    is_taken: bool,
}

impl WaitingPlace {
    /// Its message is stored, or may be. Otherwise the place is given back.
    pub(super) const fn is_taken(&mut self) {
        self.is_taken = true;
    }
}

impl Drop for WaitingPlace {
    fn drop(&mut self) {
        let mut known = self.known.lock();
        let Some(tally) = known.get_mut(&self.tenant_id) else {
            return;
        };
        tally.under_way -= 1;
        tally.left += u32::from(!self.is_taken);
        if tally.under_way == 0 {
            tally.idle.drain(..).for_each(|idle| _ = idle.send(()));
        }
    }
}

/// A tenant that is to be counted, with its limit.
struct Asked(TenantId, u32);

impl Weighed for Asked {
    fn bytes(&self) -> usize {
        size_of::<Self>()
    }
}

/// What a tenant's tally says about further messages.
enum Said {
    /// At least one.
    Places(Vec<WaitingPlace>),
    Full,
    Unknown,
}

impl Waiting {
    /// The future counts. Where this is the only process that accepts, a portion is all the room there is.
    pub(super) fn new(defaults: TenantLimits, is_sole: bool, ports: &Ports, limits: &Limits) -> (Self, BoxFuture<()>) {
        let known = Arc::<Tallies>::default();
        let (counts, counting) = {
            let (known, lists, clock) = (known.clone(), ports.lists.clone(), ports.clock.clone());
            GroupCommit::new(limits.clone(), move |asked| {
                let (known, lists, clock) = (known.clone(), lists.clone(), clock.clone());
                async move { count(&known, &*lists, &*clock, is_sole, asked).await }
            })
        };
        let waiting = Self {
            defaults,
            clock: ports.clock.clone(),
            known,
            counts,
            metrics: ports.metrics.clone(),
        };
        (waiting, counting)
    }

    /// Takes a place for one message, if the tenant has a limit. `Err` if it has no room.
    pub(super) async fn enter(&self, tenant: &Tenant) -> Result<Option<WaitingPlace>, Failure> {
        let limit = TenantLimit::MessagesWaiting;
        let Some(max) = tenant.limits.in_force(&self.defaults, limit) else {
            return Ok(None);
        };
        let place = self.take(tenant.id, max, 1).await?.pop();
        if place.is_some() {
            return Ok(place);
        }
        Err(self.full(tenant).into())
    }

    /// The answer to a message for which the tenant has no room; it is counted.
    pub(super) fn full(&self, tenant: &Tenant) -> Problem {
        self.metrics.refused.of(Limit::MessagesWaiting).inc();
        let limit = TenantLimit::MessagesWaiting;
        let max = tenant.limits.in_force(&self.defaults, limit).unwrap_or_default();
        let detail = format!(
            "The tenant may have {max} messages waiting ({}); there is room when some are sent or cancelled.",
            limit.as_str()
        );
        Problem::new(ErrorCode::TooManyWaiting, detail).retry_after(RETRY_AFTER)
    }

    /// Takes as many places as there are without another count, at most so many, if the tenant has a limit. An empty list
    /// says that it has no room. Nobody who holds a place may ask for more: a count waits for all that are under way.
    pub(super) async fn enter_many(&self, tenant: &Tenant, count: usize) -> Result<Option<Vec<WaitingPlace>>, Failure> {
        match tenant.limits.in_force(&self.defaults, TenantLimit::MessagesWaiting) {
            Some(max) => Ok(Some(self.take(tenant.id, max, count).await?)),
            None => Ok(None),
        }
    }

    async fn take(&self, tenant_id: TenantId, max: u32, count: usize) -> Result<Vec<WaitingPlace>, Failure> {
        loop {
            match self.ask(tenant_id, max, count) {
                Said::Places(places) => return Ok(places),
                Said::Full => return Ok(Vec::new()),
                // Others may take all that a count finds, but then they are that many further.
                Said::Unknown => self.counts.submit(Asked(tenant_id, max)).await??,
            }
        }
    }

    fn ask(&self, tenant_id: TenantId, max: u32, count: usize) -> Said {
        let now = self.clock.uptime();
        let mut known = self.known.lock();
        let Some(tally) = known.get_mut(&tenant_id).filter(|tally| tally.tells(max, now)) else {
            return Said::Unknown;
        };
        if tally.left == 0 {
            return Said::Full;
        }
        let count = u32::try_from(count).unwrap_or(u32::MAX).min(tally.left);
        tally.left -= count;
        tally.under_way += count;
        let place = || WaitingPlace {
            known: self.known.clone(),
            tenant_id,
            is_taken: false,
        };
        Said::Places((0..count).map(|_| place()).collect())
    }
}

/// Counts what waits of these tenants, in one call. What this process has under way is stored before, so that it is
/// counted.
async fn count(
    known: &Tallies,
    lists: &dyn ListStore,
    clock: &dyn Clock,
    is_sole: bool,
    asked: Vec<Asked>,
) -> Vec<Result<(), StoreError>> {
    let (tenants, idle) = close(known, clock.uptime(), &asked);
    if tenants.is_empty() {
        return vec![Ok(()); asked.len()];
    }
    join_all(idle).await;
    let began_at = clock.uptime();
    let counted = lists.count_unsettled(&tenants).await;
    if let Ok(counted) = &counted {
        let now = clock.uptime();
        let pause = (now.saturating_sub(began_at) * RECOUNT_PARTS).max(RECOUNT_MIN);
        let mut known = known.lock();
        for ((tenant_id, max), waiting) in tenants.iter().zip(counted) {
            let tally = known.entry(*tenant_id).or_default();
            tally.left = portion(*max, max.saturating_sub(*waiting), is_sole);
            tally.counted_at = now;
            tally.full_until = if tally.left == 0 { now + pause } else { Duration::ZERO };
        }
    }
    let result = counted.map(drop);
    vec![result; asked.len()]
}

/// Lets nobody else take a place of these tenants. Returns each of them once, with its limit, and what to wait for.
fn close(known: &Tallies, now: Duration, asked: &[Asked]) -> (Vec<(TenantId, u32)>, Vec<oneshot::Receiver<()>>) {
    let mut limits: HashMap<TenantId, u32> = HashMap::new();
    limits.extend(asked.iter().map(|Asked(tenant_id, max)| (*tenant_id, *max)));
    let mut known = known.lock();
    // Some were counted while they waited for that.
    limits.retain(|tenant_id, max| !known.get(tenant_id).is_some_and(|tally| tally.tells(*max, now)));
    let tenants: Vec<_> = limits.into_iter().collect();
    let mut idle = Vec::new();
    if known.len() > KNOWN_SWEPT_AT {
        known.retain(|_, tally| tally.under_way > 0 || now <= tally.counted_at + PORTION_AGE_MAX);
    }
    for (tenant_id, max) in &tenants {
        let tally = known.entry(*tenant_id).or_default();
        tally.max = *max;
        tally.left = 0;
        if tally.under_way > 0 {
            let (told, waits) = oneshot::channel();
            tally.idle.push(told);
            idle.push(waits);
        }
    }
    (tenants, idle)
}

/// How many messages this process may accept before it counts again.
fn portion(max: u32, room: u32, is_sole: bool) -> u32 {
    if is_sole {
        return room;
    }
    room.min((room / ROOM_PARTS).max(max / LIMIT_PARTS).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beside_others_a_process_takes_a_small_part_of_the_room_and_alone_all_of_it() {
        assert_eq!(portion(10_000, 10_000, false), 312);
        assert_eq!(portion(10_000, 500, false), 100);
        assert_eq!(portion(10_000, 60, false), 60);
        assert_eq!(portion(20, 15, false), 1);
        assert_eq!(portion(20, 0, false), 0);
        assert_eq!(portion(10_000, 10_000, true), 10_000);
    }
}
