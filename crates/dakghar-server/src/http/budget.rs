//! Bytes of requests and answers that this process holds: a bound for all of them, and a share for each owner.
//!
//! Nobody waits for room. Who finds none is told to come again, so that a queue of waiters cannot become the next load.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use dakghar_core::domain::{ErrorCode, Problem, TenantId};
use dakghar_core::metrics::{Budget, Counter, Gauge, Metrics};
use parking_lot::Mutex;

/// The time after which a client may try again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Who uses bytes on the API: a tenant, or the operator (`None`).
pub(super) type BytesOwner = Option<TenantId>;

/// A number of bytes that many may use, each owner at most its share.
///
/// A part of it may be kept for small bodies, of which an owner then has a share apart from that of its large ones:
/// whoever fills the budget with large bodies leaves room for the small ones of everybody.
pub(super) struct ByteBudget<K>(Arc<State<K>>);

struct State<K> {
    used_bytes: Gauge,
    refused: Counter,
    bytes_max: usize,
    /// A lease of so many bytes is still small.
    small_max: usize,
    /// The bytes that large ones cannot have.
    kept_for_small: usize,
    used: Mutex<Used<K>>,
}

struct Used<K> {
    bytes: usize,
    large_bytes: usize,
    by_owner: HashMap<(K, Size), usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Size {
    Small,
    Large,
}

/// The bytes that one owner may use.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shares {
    /// In small leases.
    pub(super) small: usize,
    /// In large leases.
    pub(super) large: usize,
}

impl<K: Clone + Eq + Hash> ByteBudget<K> {
    /// Makes a budget. It is measured as `name`.
    pub(super) fn new(bytes_max: usize, name: Budget, metrics: &Metrics) -> Self {
        Self::keeping(bytes_max, 0, 0, name, metrics)
    }

    /// Makes a budget that keeps a quarter for leases of at most `small_max` bytes.
    pub(super) fn with_reserve(bytes_max: usize, small_max: usize, name: Budget, metrics: &Metrics) -> Self {
        Self::keeping(bytes_max, bytes_max / 4, small_max, name, metrics)
    }

    fn keeping(bytes_max: usize, kept_for_small: usize, small_max: usize, name: Budget, metrics: &Metrics) -> Self {
        metrics.budget_limit.of(name).set(gauged(bytes_max));
        Self(Arc::new(State {
            used_bytes: metrics.budget_used.of(name).clone(),
            refused: metrics.refused.of(name.limit()).clone(),
            bytes_max,
            small_max,
            kept_for_small,
            used: Mutex::new(Used {
                bytes: 0,
                large_bytes: 0,
                by_owner: HashMap::new(),
            }),
        }))
    }

    /// Begins to use bytes in the name of this owner, which may have half of them; none yet.
    pub(super) fn lease(&self, owner: K) -> Lease<K> {
        let half = self.0.bytes_max / 2;
        self.lease_of(
            owner,
            Shares {
                small: half,
                large: half,
            },
        )
    }

    /// The same for an owner with other shares.
    pub(super) fn lease_of(&self, owner: K, shares: Shares) -> Lease<K> {
        Lease {
            state: Arc::clone(&self.0),
            owner,
            shares,
            size: Size::Small,
            bytes: 0,
        }
    }

    /// Returns the bytes in use.
    #[cfg(test)]
    pub(super) fn used(&self) -> usize {
        self.0.used.lock().bytes
    }
}

fn gauged(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

/// The answer to a request for which there is no room.
pub(super) fn exhausted() -> Problem {
    let detail = "Too many bytes of requests and answers are under way; please try again.";
    Problem::new(ErrorCode::Overloaded, detail).retry_after(RETRY_AFTER)
}

/// Bytes in use; given back when this is dropped.
pub(super) struct Lease<K: Clone + Eq + Hash> {
    state: Arc<State<K>>,
    owner: K,
    shares: Shares,
    size: Size,
    bytes: usize,
}

impl<K: Clone + Eq + Hash> Lease<K> {
    /// Uses more bytes. Fails with `503 overloaded` when all of them together, or this owner's, would be too many.
    pub(super) fn grow(&mut self, bytes: usize) -> Result<(), Problem> {
        let state = &*self.state;
        let total = self.bytes + bytes;
        let (size, share) = if total > state.small_max {
            (Size::Large, self.shares.large)
        } else {
            (Size::Small, self.shares.small)
        };
        // What becomes large takes its bytes along.
        let added = if size == self.size { bytes } else { total };
        let added_to_large = if size == Size::Large { added } else { 0 };
        let mut used = state.used.lock();
        let own = used.of(&self.owner, size);
        let is_beyond = used.bytes + bytes > state.bytes_max
            || added_to_large > 0 && used.large_bytes + added_to_large > state.bytes_max - state.kept_for_small
            || own + added > share;
        if is_beyond {
            state.refused.inc();
            return Err(exhausted());
        }
        if size != self.size {
            used.give_back(&self.owner, self.size, self.bytes);
        }
        used.by_owner.insert((self.owner.clone(), size), own + added);
        used.large_bytes += added_to_large;
        used.bytes += bytes;
        drop(used);
        state.used_bytes.inc_by(gauged(bytes));
        (self.bytes, self.size) = (total, size);
        Ok(())
    }
}

impl<K: Clone + Eq + Hash> Used<K> {
    fn of(&self, owner: &K, size: Size) -> usize {
        self.by_owner.get(&(owner.clone(), size)).copied().unwrap_or(0)
    }

    fn give_back(&mut self, owner: &K, size: Size, bytes: usize) {
        let left = self.of(owner, size).saturating_sub(bytes);
        let key = (owner.clone(), size);
        if left > 0 {
            self.by_owner.insert(key, left);
        } else {
            self.by_owner.remove(&key);
        }
    }
}

impl<K: Clone + Eq + Hash> Drop for Lease<K> {
    fn drop(&mut self) {
        self.state.used_bytes.dec_by(gauged(self.bytes));
        let mut used = self.state.used.lock();
        used.bytes -= self.bytes;
        if self.size == Size::Large {
            used.large_bytes -= self.bytes;
        }
        used.give_back(&self.owner, self.size, self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome<K: Clone + Eq + Hash>(lease: &mut Lease<K>, bytes: usize) -> Result<(), ErrorCode> {
        lease.grow(bytes).map_err(|problem| {
            assert!(problem.retry_after.is_some(), "the client is told when to come again");
            problem.code
        })
    }

    #[test]
    fn an_owner_has_its_share_and_all_together_the_bound() {
        let metrics = Metrics::default();
        let budget = ByteBudget::new(100, Budget::Pages, &metrics);
        let (mut a, mut again, mut b, mut c) = (
            budget.lease("a"),
            budget.lease("a"),
            budget.lease("b"),
            budget.lease("c"),
        );
        assert_eq!(outcome(&mut a, 30), Ok(()));
        assert_eq!(outcome(&mut again, 21), Err(ErrorCode::Overloaded), "beyond the share");
        assert_eq!(outcome(&mut again, 20), Ok(()));
        assert_eq!(outcome(&mut b, 50), Ok(()), "another has its own share");
        assert_eq!(outcome(&mut c, 1), Err(ErrorCode::Overloaded), "beyond the bound");
        assert_eq!(metrics.budget_used.of(Budget::Pages).get(), 100);
        assert_eq!(metrics.refused.of(Budget::Pages.limit()).get(), 2);
        drop(again);
        assert_eq!(outcome(&mut c, 20), Ok(()), "what was given back can be used");
        drop((a, b, c));
        assert_eq!(budget.used(), 0);
        assert_eq!(metrics.budget_used.of(Budget::Pages).get(), 0);
        assert!(
            budget.0.used.lock().by_owner.is_empty(),
            "nothing is kept of owners that are gone"
        );
    }

    #[test]
    fn large_ones_leave_room_for_the_small_ones_of_everybody() {
        let budget = ByteBudget::with_reserve(100, 5, Budget::Webhooks, &Metrics::default());
        let shares = Shares { small: 10, large: 50 };
        let lease = |owner| budget.lease_of(owner, shares);
        let (mut a, mut b, mut c) = (lease("a"), lease("b"), lease("c"));
        assert_eq!(outcome(&mut a, 3), Ok(()), "small at first");
        assert_eq!(outcome(&mut a, 47), Ok(()));
        assert_eq!(outcome(&mut b, 26), Err(ErrorCode::Overloaded), "a quarter is kept");
        assert_eq!(outcome(&mut b, 25), Ok(()));
        assert_eq!(outcome(&mut c, 6), Err(ErrorCode::Overloaded), "large, if by little");
        assert_eq!(outcome(&mut c, 5), Ok(()));
        let (mut again, mut more) = (lease("a"), lease("a"));
        assert_eq!(
            outcome(&mut again, 5),
            Ok(()),
            "also for whoever has its share of large ones"
        );
        assert_eq!(
            outcome(&mut again, 1),
            Err(ErrorCode::Overloaded),
            "it cannot become large"
        );
        assert_eq!(outcome(&mut more, 5), Ok(()));
        assert_eq!(
            outcome(&mut lease("a"), 1),
            Err(ErrorCode::Overloaded),
            "its share of small ones"
        );
        drop((a, b, c, again, more));
        let used = budget.0.used.lock();
        assert_eq!((used.bytes, used.large_bytes, used.by_owner.len()), (0, 0, 0));
    }
}
