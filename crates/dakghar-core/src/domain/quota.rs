//! The requests of tenants in the present second and their calls under way, as one process counts them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::ids::TenantId;

/// The time for which it counts what a process said about its calls. By then it has said it again, or has died.
pub const CALLS_TOLD_MAX: Duration = Duration::from_secs(10);

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
    /// How many more there may be in this second.
    pub remaining: u32,
    /// The milliseconds to the next second, 1 to 1,000.
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

/// Counts what tenants do. Of requests nothing is kept of the second before, so it holds no more tenants than ask in a
/// second, and of calls nothing of tenants that have none.
#[derive(Debug, Default)]
pub struct Quota {
    second: u64,
    used: HashMap<TenantId, u32>,
    calls: HashMap<TenantId, HashMap<Arc<str>, Told>>,
}

/// What a process said about its calls, and when.
#[derive(Clone, Copy, Debug)]
struct Told {
    calls: u32,
    at: Duration,
}

impl Quota {
    /// Counts requests, as far as they may go on. Answers in the order asked. `now` is any time that does not step.
    pub fn take(&mut self, asks: &[QuotaAsk], now: Duration) -> Vec<Grant> {
        asks.iter().map(|ask| self.take_one(ask, now)).collect()
    }

    fn take_one(&mut self, ask: &QuotaAsk, now: Duration) -> Grant {
        if self.second != now.as_secs() {
            self.second = now.as_secs();
            self.used.clear();
        }
        let used = self.used.entry(ask.tenant_id).or_default();
        let granted = ask.requests.min(ask.per_second.saturating_sub(*used));
        *used += granted;
        Grant {
            granted,
            remaining: ask.per_second.saturating_sub(*used),
            resets_in_ms: resets_in_ms(now),
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

/// Returns the milliseconds to the next second, 1 to 1,000.
pub const fn resets_in_ms(now: Duration) -> u32 {
    1000 - now.subsec_millis()
}
