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
pub(super) struct ByteBudget<K>(Arc<State<K>>);

struct State<K> {
    used_bytes: Gauge,
    refused: Counter,
    bytes_max: usize,
    share_max: usize,
    used: Mutex<Used<K>>,
}

struct Used<K> {
    bytes: usize,
    by_owner: HashMap<K, usize>,
}

impl<K: Clone + Eq + Hash> ByteBudget<K> {
    /// Makes a budget of which one owner may have half. It is measured as `name`.
    pub(super) fn new(bytes_max: usize, name: Budget, metrics: &Metrics) -> Self {
        metrics.budget_limit.of(name).set(gauged(bytes_max));
        Self(Arc::new(State {
            used_bytes: metrics.budget_used.of(name).clone(),
            refused: metrics.refused.of(name.limit()).clone(),
            bytes_max,
            share_max: bytes_max / 2,
            used: Mutex::new(Used {
                bytes: 0,
                by_owner: HashMap::new(),
            }),
        }))
    }

    /// Begins to use bytes in the name of this owner; none yet.
    pub(super) fn lease(&self, owner: K) -> Lease<K> {
        Lease {
            state: Arc::clone(&self.0),
            owner,
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
    bytes: usize,
}

impl<K: Clone + Eq + Hash> Lease<K> {
    /// Uses more bytes. Fails with `503 overloaded` when all of them together, or this owner's, would be too many.
    pub(super) fn grow(&mut self, bytes: usize) -> Result<(), Problem> {
        let State {
            bytes_max, share_max, ..
        } = *self.state;
        let mut used = self.state.used.lock();
        let own = used.by_owner.get(&self.owner).copied().unwrap_or(0);
        if used.bytes + bytes > bytes_max || own + bytes > share_max {
            self.state.refused.inc();
            return Err(exhausted());
        }
        used.bytes += bytes;
        used.by_owner.insert(self.owner.clone(), own + bytes);
        drop(used);
        self.state.used_bytes.inc_by(gauged(bytes));
        self.bytes += bytes;
        Ok(())
    }
}

impl<K: Clone + Eq + Hash> Drop for Lease<K> {
    fn drop(&mut self) {
        self.state.used_bytes.dec_by(gauged(self.bytes));
        let mut used = self.state.used.lock();
        used.bytes -= self.bytes;
        if let Some(own) = used.by_owner.get_mut(&self.owner) {
            *own -= self.bytes;
            if *own == 0 {
                used.by_owner.remove(&self.owner);
            }
        }
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
}
