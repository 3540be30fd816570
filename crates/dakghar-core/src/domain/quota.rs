//! The requests of tenants in the last second and their calls under way, as one process counts them.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::ids::TenantId;

/// The time for which it counts what a process said about its calls. By then it has said it again, or has died.
pub const CALLS_TOLD_MAX: Duration = Duration::from_secs(10);

/// A request counts for this time.
pub const SECOND: Duration = Duration::from_secs(1);
/// Requests that come within this time of the first of them are kept as one, at the time of the last of them. So a tenant
/// that asks all the time has a few more than twenty notes, and no second has more than its requests, wherever it begins.
pub const TOGETHER: Duration = Duration::from_millis(50);

/// Requests that ask to be let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuotaAsk {
    /// Whose they are.
    pub tenant_id: TenantId,
    /// The most requests of the tenant in a second, at least 1.
    pub per_second: u32,
    /// How many they are.
    pub requests: u32,
}

/// What is let in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Grant {
    /// How many of those that asked may go on.
    pub granted: u32,
    /// How many more there may be now.
    pub remaining: u32,
    /// The milliseconds until there may be more than now, 1 to 1,000.
    pub resets_in_ms: u32,
}

/// Calls to Meta that a process has under way for a tenant, and wants to begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallAsk {
    /// The tenant.
    pub tenant_id: TenantId,
    /// The most calls that it may have under way, at least 1.
    pub max: u32,
    /// How many calls the process has under way for it.
    pub under_way: u32,
    /// How many more it wants to begin.
    pub wanted: u32,
}

/// Counts what tenants do. Of requests nothing is kept that is older than two seconds, so it holds no more tenants than
/// ask in that time, and of calls nothing of tenants that have none.
#[derive(Debug, Default)]
pub struct Quota {
    swept_at: Duration,
    requests: HashMap<TenantId, VecDeque<Counted>>,
    calls: HashMap<TenantId, HashMap<Arc<str>, Told>>,
}

/// Requests that were let in at about the same time.
#[derive(Clone, Copy, Debug)]
struct Counted {
    first: Duration,
    last: Duration,
    requests: u32,
}

/// What a process said about its calls, and when.
#[derive(Clone, Copy, Debug)]
struct Told {
    calls: u32,
    at: Duration,
}

impl Quota {
    /// Counts requests, as far as they may go on. Answers in the order asked. `now` is any time that does not step back.
    pub fn take(&mut self, asks: &[QuotaAsk], now: Duration) -> Vec<Grant> {
        asks.iter().map(|ask| self.take_one(ask, now)).collect()
    }

    fn take_one(&mut self, ask: &QuotaAsk, now: Duration) -> Grant {
        let is_over = |counted: &Counted| counted.last + SECOND <= now;
        if self.swept_at + SECOND <= now {
            self.swept_at = now;
            self.requests.retain(|_, notes| !notes.back().is_none_or(is_over));
        }
        let notes = self.requests.entry(ask.tenant_id).or_default();
        while notes.pop_front_if(|oldest| is_over(oldest)).is_some() {}
        let used: u32 = notes.iter().map(|counted| counted.requests).sum();
        let left = ask.per_second.saturating_sub(used);
        let granted = ask.requests.min(left);
        if granted > 0 {
            match notes.back_mut().filter(|newest| now < newest.first + TOGETHER) {
                Some(newest) => {
                    newest.last = now;
                    newest.requests += granted;
                }
                None => notes.push_back(Counted {
                    first: now,
                    last: now,
                    requests: granted,
                }),
            }
        }
        let oldest = notes.front().map_or(now, |oldest| oldest.last);
        Grant {
            granted,
            remaining: left - granted,
            resets_in_ms: millis_up((oldest + SECOND).saturating_sub(now)),
        }
    }

    /// Notes the calls of a process, and takes places for more. Answers how many are granted, in the order asked.
    pub fn take_calls(&mut self, process: &Arc<str>, asks: &[CallAsk], now: Duration) -> Vec<u32> {
        asks.iter().map(|ask| self.take_calls_of(process, ask, now)).collect()
    }

    fn take_calls_of(&mut self, process: &Arc<str>, ask: &CallAsk, now: Duration) -> u32 {
        let told = self.calls.entry(ask.tenant_id).or_default();
        told.retain(|_, told| now <= told.at + CALLS_TOLD_MAX);
        told.remove(process);
        let others: u32 = told.values().map(|told| told.calls).sum();
        let granted = ask.wanted.min(ask.max.saturating_sub(others + ask.under_way));
        let calls = ask.under_way + granted;
        if calls > 0 {
            told.insert(process.clone(), Told { calls, at: now });
        }
        if told.is_empty() {
            self.calls.remove(&ask.tenant_id);
        }
        granted
    }
}

/// In whole milliseconds, rounded up.
fn millis_up(time: Duration) -> u32 {
    u32::try_from(time.as_micros().div_ceil(1000)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(quota: &mut Quota, tenant: char, requests: u32, at_ms: u64) -> (u32, u32, u32) {
        let ask = QuotaAsk {
            tenant_id: TenantId::parse(&format!("ten_0000000000000000000000000{tenant}")).expect("an id"),
            per_second: 10,
            requests,
        };
        let grant = quota.take(&[ask], Duration::from_millis(5_000_000 + at_ms))[0];
        (grant.granted, grant.remaining, grant.resets_in_ms)
    }

    #[test]
    fn what_was_let_in_before_the_border_of_a_second_counts_behind_it() {
        let mut quota = Quota::default();
        assert_eq!(take(&mut quota, '1', 12, 990), (10, 0, 1000));
        assert_eq!(take(&mut quota, '1', 10, 1_000), (0, 0, 990));
        assert_eq!(take(&mut quota, '1', 1, 1_989), (0, 0, 1));
        assert_eq!(take(&mut quota, '1', 12, 1_990), (10, 0, 1000));
    }

    #[test]
    fn no_second_has_more_than_the_limit_wherever_it_begins_and_nearly_all_of_it_can_be_had() {
        let mut quota = Quota::default();
        // Bursts and trickles, one look each millisecond.
        let mut let_in: Vec<u64> = Vec::new();
        for at_ms in 0..20_000 {
            let wanted = if at_ms % 700 < 300 { 1 } else { 3 };
            let (granted, ..) = take(&mut quota, '1', wanted, at_ms);
            let_in.extend((0..granted).map(|_| at_ms));
            assert!(quota.requests.values().all(|notes| notes.len() <= 21));
        }
        let closest = let_in.windows(11).map(|eleven| eleven[10] - eleven[0]).min();
        assert!(closest >= Some(1_000), "eleven within {closest:?} ms");
        assert!(let_in.len() >= 190, "{}", let_in.len());
    }

    #[test]
    fn tenants_that_ask_no_more_are_forgotten() {
        let mut quota = Quota::default();
        for tenant in ['1', '2', '3'] {
            take(&mut quota, tenant, 1, 0);
        }
        take(&mut quota, '1', 1, 2_000);
        assert_eq!(quota.requests.len(), 1);
    }
}
