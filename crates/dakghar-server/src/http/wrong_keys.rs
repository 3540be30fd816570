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
//! - A wait or a refusal depends on the address alone, never on the key.

use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use dakghar_core::domain::{ErrorCode, Problem, TenantId};
use dakghar_core::metrics::{Limit, Metrics};
use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use parking_lot::Mutex;

use super::client_addr::counted;

/// Addresses remembered at a time, each with less than 500 bytes.
const ADDRESSES_MAX: u64 = 10_000;
/// Right keys remembered at a time, each with less than 300 bytes.
const RIGHT_KEYS_MAX: u64 = 30_000;
/// The time for which an address may use up its tries.
const WINDOW: Duration = Duration::from_secs(60);
/// The most that an address can owe: requests that came at the same time may use up more tries than there are.
const DEBT_MAX: Duration = Duration::from_secs(120);
/// The longest wait for a try. Those who wait have no body in memory yet.
const WAIT_MAX: Duration = Duration::from_secs(5);
/// Keys of one address that may wait, or be under way, at a time.
const LINE_MAX: u32 = 16;
/// One address is told in the log once in this time.
const TOLD_AGAIN_AFTER: Duration = Duration::from_secs(600);
/// The time after which an address that presents no wrong keys is forgotten.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(1200);
/// Lines in the log a minute for all addresses together.
const LINES_MAX: u32 = 20;

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

#[derive(Default)]
struct Address {
    /// When all its tries are free again, by the time since the machine was started.
    free_at: Option<Duration>,
    /// Keys that are being checked and have a try reserved.
    reserved: u32,
    wrong_since_told: u64,
    told_at: Option<Duration>,
}

/// A try that an address has left.
enum Try {
    /// One of many.
    OfPlenty,
    /// It is kept, and may be made after this wait.
    Reserved(Duration),
}

impl Address {
    fn used(&self, now: Duration) -> Duration {
        let used = self
            .free_at
            .map_or(Duration::ZERO, |free_at| free_at.saturating_sub(now));
        used.min(DEBT_MAX)
    }

    /// Reserves a try where they are running short, also one that is free after a wait of at most `wait_max`; or says
    /// how long to wait for one. While there are plenty, who comes first after a start is not held up by many that come
    /// at the same time.
    fn reserve(&mut self, interval: Duration, now: Duration, wait_max: Duration) -> Result<Try, Duration> {
        let used = self.used(now);
        if used < WINDOW / 2 {
            return Ok(Try::OfPlenty);
        }
        let with_this = used + interval * (self.reserved + 1);
        let wait = with_this.saturating_sub(WINDOW);
        let is_in_line = !wait.is_zero();
        if wait > wait_max || (is_in_line && self.reserved >= LINE_MAX) {
            return Err(wait);
        }
        self.reserved += 1;
        Ok(Try::Reserved(wait))
    }
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
        if check.was_right_before() {
            return Ok(check);
        }
        let reserved = address.lock().reserve(self.interval, now, wait_max);
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
        let mut address = address.lock();
        let used = (address.used(now) + self.interval).min(DEBT_MAX);
        address.free_at = Some(now + used);
        address.wrong_since_told += 1;
        let is_told = |at: Duration| now.saturating_sub(at) < TOLD_AGAIN_AFTER;
        if address.told_at.is_some_and(is_told) || !self.may_tell(now) {
            return;
        }
        address.told_at = Some(now);
        let wrong_keys = std::mem::take(&mut address.wrong_since_told);
        drop(address);
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
        let right = &self.wrong_keys.right;
        right.contains_key(&self.mark) || right.contains_key(&self.operator_mark)
    }

    /// Takes note of what it is.
    pub(super) fn settle(self, verdict: Verdict) {
        match verdict {
            Verdict::Tenants => self.remember(self.mark),
            Verdict::Operators => self.remember(self.operator_mark),
            Verdict::Wrong => self.wrong_keys.wrong(self.addr, self.now),
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
            address.lock().reserved -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADDR: &str = "203.0.113.7";
    const OTHER: &str = "203.0.113.8";

    fn at(ms: u64) -> Duration {
        Duration::from_secs(1_000_000) + Duration::from_millis(ms)
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn wrong(keys: &WrongKeys, addr: &str, now: Duration) -> Result<(), Duration> {
        let begun = keys.begin_now(Some(ip(addr)), "wrong", None, now);
        begun.map(|check| check.settle(Verdict::Wrong)).map_err(|problem| {
            assert_eq!(problem.code, ErrorCode::RateLimited);
            problem.retry_after.expect("a time")
        })
    }

    fn exhausted() -> WrongKeys {
        let keys = WrongKeys::new(10, Arc::default());
        for _ in 0..10 {
            assert_eq!(wrong(&keys, ADDR, at(0)), Ok(()));
        }
        keys
    }

    #[test]
    fn an_address_has_so_many_tries_a_minute_and_gets_them_back_one_by_one() {
        let keys = exhausted();
        assert_eq!(wrong(&keys, ADDR, at(0)), Err(Duration::from_secs(6)));
        assert_eq!(wrong(&keys, ADDR, at(5_999)), Err(Duration::from_millis(1)));
        assert_eq!(wrong(&keys, ADDR, at(6_000)), Ok(()));
        assert!(wrong(&keys, ADDR, at(6_000)).is_err());
        assert_eq!(wrong(&keys, "203.0.113.8", at(0)), Ok(()), "another address");
        assert_eq!(
            (
                keys.metrics.wrong_keys.get(),
                keys.metrics.refused.of(Limit::WrongKeys).get()
            ),
            (12, 3)
        );
    }

    #[test]
    fn a_key_that_was_right_is_let_through_and_a_new_one_gets_the_next_try() {
        let keys = WrongKeys::new(10, Arc::default());
        let (own, other) = (
            TenantId::parse("ten_00000000000000000000000001").expect("an id"),
            TenantId::parse("ten_00000000000000000000000002").expect("an id"),
        );
        keys.begin_now(Some(ip(ADDR)), "key", Some(&own), at(0))
            .expect("begun")
            .settle(Verdict::Tenants);
        keys.begin_now(Some(ip(ADDR)), "admin", None, at(0))
            .expect("begun")
            .settle(Verdict::Operators);
        for addr in [ADDR, OTHER] {
            let tries = (0..10).filter(|_| wrong(&keys, addr, at(0)).is_ok()).count();
            assert_eq!((tries, wrong(&keys, addr, at(0)).is_ok()), (10, false));
        }
        let is_let_through_at = |addr, key, tenant, ms| keys.begin_now(Some(ip(addr)), key, tenant, at(ms)).is_ok();
        let is_let_through = |key, tenant, ms| is_let_through_at(ADDR, key, tenant, ms);
        assert!(
            is_let_through_at(OTHER, "key", Some(&own), 0),
            "it is too long to be guessed"
        );
        assert!(
            !is_let_through_at(OTHER, "admin", None, 0),
            "guesses of the operator's need free tries at every other address"
        );
        assert!(is_let_through("key", Some(&own), 0));
        assert!(!is_let_through("key", Some(&other), 0), "it is not that tenant's");
        assert!(!is_let_through("key", None, 0));
        assert!(
            is_let_through("admin", Some(&other), 0),
            "the operator's is right everywhere"
        );
        for _ in 0..20 {
            assert!(
                is_let_through("new", Some(&own), 6_000),
                "a key without a verdict uses no try up"
            );
        }
    }

    #[test]
    fn keys_that_are_checked_at_the_same_time_share_the_tries_that_are_left() {
        let keys = WrongKeys::new(10, Arc::default());
        for _ in 0..8 {
            assert_eq!(wrong(&keys, ADDR, at(0)), Ok(()));
        }
        let begin = || keys.begin_now(Some(ip(ADDR)), "guess", None, at(0)).ok();
        let (first, second) = (begin(), begin());
        assert!(first.is_some() && second.is_some());
        assert!(begin().is_none());
        drop(first);
        assert!(begin().is_some(), "what ended without a verdict gives its try back");
    }

    #[test]
    fn keys_wait_one_behind_the_other_for_the_next_tries_if_these_are_near() {
        // A try each half second.
        let keys = WrongKeys::new(120, Arc::default());
        let tries = (0..120).filter(|_| wrong(&keys, ADDR, at(0)).is_ok()).count();
        assert_eq!(tries, 120);
        let begin = || keys.begin(Some(ip(ADDR)), "guess", None, at(0), WAIT_MAX);
        let mut line: Vec<KeyCheck<'_>> = (0..10).map(|_| begin().expect("in line")).collect();
        let waits: Vec<_> = line.iter().map(|check| check.wait.as_millis()).collect();
        assert_eq!(waits, [500, 1000, 1500, 2000, 2500, 3000, 3500, 4000, 4500, 5000]);
        let refused = begin().map(|_| ()).expect_err("beyond the longest wait");
        assert_eq!(refused.retry_after, Some(Duration::from_millis(5_500)));
        // One is right, one hangs up: neither uses its try up. The others are wrong.
        line.remove(0).settle(Verdict::Tenants);
        drop(line.remove(0));
        for check in line {
            check.settle(Verdict::Wrong);
        }
        assert_eq!(begin().expect("in line").wait, Duration::from_millis(4_500));

        let keys = WrongKeys::new(10_000, Arc::default());
        while keys
            .begin_now(Some(ip(ADDR)), "guess", None, at(0))
            .map(|check| check.settle(Verdict::Wrong))
            .is_ok()
        {
            assert!(keys.metrics.wrong_keys.get() <= 10_000);
        }
        let line: Vec<_> = (0..100)
            .filter_map(|_| keys.begin(Some(ip(ADDR)), "guess", None, at(0), WAIT_MAX).ok())
            .collect();
        assert_eq!(line.len(), LINE_MAX as usize);
    }

    #[test]
    fn an_ipv6_network_is_one_address_and_memory_is_bounded() {
        let keys = WrongKeys::new(1, Arc::default());
        assert_eq!(wrong(&keys, "2001:db8:1:2::1", at(0)), Ok(()));
        assert!(wrong(&keys, "2001:db8:1:2:ffff::2", at(0)).is_err());
        assert_eq!(wrong(&keys, "2001:db8:1:3::1", at(0)), Ok(()));
        for count in 0..u32::try_from(3 * ADDRESSES_MAX).expect("small") {
            keys.begin_now(Some(IpAddr::from(count.to_be_bytes())), "wrong", None, at(0))
                .expect("begun")
                .settle(Verdict::Wrong);
        }
        for count in 0..3 * RIGHT_KEYS_MAX {
            keys.begin_now(None, &count.to_string(), None, at(0))
                .expect("begun")
                .settle(Verdict::Operators);
        }
        keys.addresses.run_pending_tasks();
        keys.right.run_pending_tasks();
        assert!(
            keys.addresses.entry_count() <= ADDRESSES_MAX,
            "{}",
            keys.addresses.entry_count()
        );
        assert!(
            keys.right.entry_count() <= RIGHT_KEYS_MAX,
            "{}",
            keys.right.entry_count()
        );
    }
}
