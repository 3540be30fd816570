//! Wrong keys: counted, told in the log once per address and while, and slowed down per address.
//!
//! An address may present so many wrong keys a minute. Beyond that a key waits for the next free try, if that is near and
//! few others wait, or is refused unseen: it is neither looked up nor compared. A key that was right before is let through
//! to its check, so that those who share the address with an attacker go on working. A right key uses no try up, so who
//! is new there needs one try, and what has only forgotten its key does not stop it.
//!
//! Whether a key was right before is no way to find one out:
//!
//! - It is known by a hash under a key of this process. Two keys have the same only if they are the same, whatever they
//!   begin with, so the time of the look says nothing about a key that is nearly right. All that can be learned is that
//!   the whole key is right, which its check says as well.
//! - So what counts is how often one can guess. A tenant's key has 256 random bits. The operator's may have been chosen by
//!   a person, so it is let through only where it was right at the same address: elsewhere each guess needs a free try.
//!   At that address it is not known either while too many keys are refused there each second.
//! - A wait or a refusal depends on the address alone, never on the key.

mod address;
#[cfg(test)]
mod tests;

use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use dakghar_core::domain::{ErrorCode, Problem, TenantId};
use dakghar_core::metrics::{Limit, Metrics};
use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use parking_lot::Mutex;

use self::address::{Address, Try, WINDOW};
use super::client_addr::counted;

/// Addresses remembered at a time, each with less than 500 bytes.
const ADDRESSES_MAX: u64 = 10_000;
/// Right keys remembered at a time, each with less than 300 bytes.
const RIGHT_KEYS_MAX: u64 = 30_000;
/// The time after which an address that presents no wrong keys is forgotten.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(1200);
/// Lines in the log a minute for all addresses together.
const LINES_MAX: u32 = 20;
/// The longest wait for a try. Those who wait have no body in memory yet.
const WAIT_MAX: Duration = Duration::from_secs(5);

/// What each address has presented.
pub(super) struct WrongKeys {
    /// The time by which one wrong key uses up the tries of its address.
    interval: Duration,
    addresses: Cache<IpAddr, Arc<Mutex<Address>>>,
    /// Marks of keys that were right. They decide about no right: a key that is let through is checked like any other.
    right: Cache<u64, ()>,
    marks: RandomState,
    lines: Mutex<(Duration, u32)>,
    metrics: Arc<Metrics>,
}

impl WrongKeys {
    pub(super) fn new(per_minute_max: u32, metrics: Arc<Metrics>) -> Self {
        Self {
            interval: WINDOW / per_minute_max.max(1),
            addresses: Cache::builder()
                .max_capacity(ADDRESSES_MAX)
                .eviction_policy(EvictionPolicy::lru())
                .time_to_idle(FORGOTTEN_AFTER)
                .build(),
            right: Cache::builder()
                .max_capacity(RIGHT_KEYS_MAX)
                .eviction_policy(EvictionPolicy::lru())
                .build(),
            marks: RandomState::new(),
            lines: Mutex::new((Duration::ZERO, 0)),
            metrics,
        }
    }

    /// Begins the check of a key that this address presents for a tenant, or for what is the operator's. Waits until the
    /// address has a try left; fails with `429 rate_limited` if that is too long.
    pub(super) async fn begin_patiently(
        &self,
        addr: Option<IpAddr>,
        key: &str,
        tenant: Option<&TenantId>,
        now: Duration,
    ) -> Checked<'_> {
        let mut check = self.begin(addr, key, tenant, now, WAIT_MAX)?;
        let wait = std::mem::take(&mut check.wait);
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
            check.now += wait;
        }
        Ok(check)
    }

    /// The same without a wait.
    pub(super) fn begin_now(
        &self,
        addr: Option<IpAddr>,
        key: &str,
        tenant: Option<&TenantId>,
        now: Duration,
    ) -> Checked<'_> {
        self.begin(addr, key, tenant, now, Duration::ZERO)
    }

    fn begin(
        &self,
        addr: Option<IpAddr>,
        key: &str,
        tenant: Option<&TenantId>,
        now: Duration,
        wait_max: Duration,
    ) -> Checked<'_> {
        // Requests over no connection exist in tests only.
        let addr = addr.map(counted);
        let mut check = KeyCheck {
            wrong_keys: self,
            addr,
            mark: self.marks.hash_one((key, tenant)),
            operator_mark: self.marks.hash_one((key, addr)),
            now,
            wait: Duration::ZERO,
            reserved_at: None,
        };
        let Some(address) = check.addr.and_then(|addr| self.addresses.get(&addr)) else {
            return Ok(check);
        };
        if check.was_tenants() {
            return Ok(check);
        }
        let reserved = {
            let mut address = address.lock();
            if address.may_know_operator(now) && check.was_operators() {
                return Ok(check);
            }
            address.reserve(self.interval, now, wait_max)
        };
        match reserved {
            Ok(Try::Reserved(wait)) => {
                check.wait = wait;
                check.reserved_at = Some(address);
            }
            Ok(Try::OfPlenty) => {}
            Err(after) => {
                self.metrics.refused.of(Limit::WrongKeys).inc();
                let detail = "Too many wrong keys came from this address; keys are not looked at for a while.";
                return Err(Problem::new(ErrorCode::RateLimited, detail).retry_after(after));
            }
        }
        Ok(check)
    }

    fn wrong(&self, addr: Option<IpAddr>, now: Duration) {
        self.metrics.wrong_keys.inc();
        let Some(addr) = addr else { return };
        let address = self.addresses.get_with(addr, Arc::default);
        let told = address.lock().wrong(self.interval, now, || self.may_tell(now));
        let Some(wrong_keys) = told else { return };
        tracing::warn!(%addr, wrong_keys, "a wrong API key was presented; further ones of this address are only counted");
    }

    /// A network with many addresses must not fill the log either.
    fn may_tell(&self, now: Duration) -> bool {
        let mut lines = self.lines.lock();
        let (since, count) = *lines;
        if count == 0 || now.saturating_sub(since) >= WINDOW {
            *lines = (now, 1);
            return true;
        }
        lines.1 = count.saturating_add(1);
        count < LINES_MAX
    }
}

/// A check that was begun, or the problem with it.
pub(super) type Checked<'a> = Result<KeyCheck<'a>, Problem>;

/// What a key was found to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// That of the tenant.
    Tenants,
    /// The operator's, which is right for every purpose.
    Operators,
    /// Neither.
    Wrong,
}

/// A key that is being checked. When this is dropped without a verdict, nothing has happened.
pub(super) struct KeyCheck<'a> {
    wrong_keys: &'a WrongKeys,
    addr: Option<IpAddr>,
    mark: u64,
    operator_mark: u64,
    now: Duration,
    /// How long it must wait until it may be looked at.
    wait: Duration,
    reserved_at: Option<Arc<Mutex<Address>>>,
}

impl KeyCheck<'_> {
    /// True if the key was right for the same purpose since this process started, the operator's at the same address, as
    /// far as it is remembered.
    pub(super) fn was_right_before(&self) -> bool {
        self.was_tenants() || self.was_operators()
    }

    fn was_tenants(&self) -> bool {
        self.wrong_keys.right.contains_key(&self.mark)
    }

    fn was_operators(&self) -> bool {
        self.wrong_keys.right.contains_key(&self.operator_mark)
    }

    /// Takes note of what it is.
    pub(super) fn settle(self, verdict: Verdict) {
        match verdict {
            Verdict::Tenants => self.remember(self.mark),
            Verdict::Operators => self.remember(self.operator_mark),
            Verdict::Wrong => {
                self.forget();
                self.wrong_keys.wrong(self.addr, self.now);
            }
        }
    }

    /// A key that was right once and is not any more was revoked. From now on it needs a free try, as any other.
    fn forget(&self) {
        for mark in [self.mark, self.operator_mark] {
            if self.wrong_keys.right.contains_key(&mark) {
                self.wrong_keys.right.invalidate(&mark);
            }
        }
    }

    fn remember(&self, mark: u64) {
        // The look also keeps it among those that were used last.
        if self.wrong_keys.right.get(&mark).is_none() {
            self.wrong_keys.right.insert(mark, ());
        }
    }
}

impl Drop for KeyCheck<'_> {
    fn drop(&mut self) {
        if let Some(address) = &self.reserved_at {
            address.lock().leave();
        }
    }
}
