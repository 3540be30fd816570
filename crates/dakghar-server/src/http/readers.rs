//! Who reads live, and how many may.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use dakghar_core::domain::{ErrorCode, Problem, TenantId};
use dakghar_core::metrics::{Limit, LiveWay, Metrics};
use parking_lot::Mutex;

/// The time after which a refused reader may try again.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// The readers of this process that wait or stream.
pub(super) struct Readers(Arc<State>);

struct State {
    max: usize,
    per_tenant_max: usize,
    metrics: Arc<Metrics>,
    counts: Mutex<Counts>,
}

#[derive(Default)]
struct Counts {
    all: usize,
    by_tenant: HashMap<TenantId, usize>,
}

/// The place of a reader; free again when this is dropped.
pub(super) struct ReaderPlace {
    state: Arc<State>,
    tenant_id: TenantId,
    way: LiveWay,
}

impl Readers {
    pub(super) fn new(max: usize, per_tenant_max: usize, metrics: Arc<Metrics>) -> Self {
        Self(Arc::new(State {
            max,
            per_tenant_max,
            metrics,
            counts: Mutex::default(),
        }))
    }

    /// Takes a place. Fails with `429 too_many_readers` if the tenant has none left, and with `503 overloaded` if the
    /// process has none.
    pub(super) fn enter(&self, tenant_id: TenantId, way: LiveWay) -> Result<ReaderPlace, Problem> {
        let state = &self.0;
        let mut counts = state.counts.lock();
        let own = counts.by_tenant.get(&tenant_id).copied().unwrap_or(0);
        let refused = if own >= state.per_tenant_max {
            let detail = format!("The tenant may have {} live readers of its feed.", state.per_tenant_max);
            Some((ErrorCode::TooManyReaders, detail))
        } else if counts.all >= state.max {
            Some((ErrorCode::Overloaded, "Too many readers wait for entries.".to_owned()))
        } else {
            None
        };
        if let Some((code, detail)) = refused {
            drop(counts);
            state.metrics.refused.of(Limit::FeedReaders).inc();
            return Err(Problem::new(code, detail).retry_after(RETRY_AFTER));
        }
        counts.all += 1;
        counts.by_tenant.insert(tenant_id, own + 1);
        drop(counts);
        state.metrics.feed_readers.of(way).inc();
        Ok(ReaderPlace {
            state: state.clone(),
            tenant_id,
            way,
        })
    }
}

impl Drop for ReaderPlace {
    fn drop(&mut self) {
        self.state.metrics.feed_readers.of(self.way).dec();
        let mut counts = self.state.counts.lock();
        counts.all -= 1;
        if let Some(own) = counts.by_tenant.get_mut(&self.tenant_id) {
            *own -= 1;
            if *own == 0 {
                counts.by_tenant.remove(&self.tenant_id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use dakghar_testkit::samples::tenant_id;

    use super::*;

    fn outcome(entered: &Result<ReaderPlace, Problem>) -> Result<(), ErrorCode> {
        match entered {
            Ok(_) => Ok(()),
            Err(problem) => {
                assert!(problem.retry_after.is_some(), "the client is told when to come again");
                Err(problem.code)
            }
        }
    }

    #[test]
    fn a_tenant_has_its_places_and_all_together_the_bound() {
        let metrics = Arc::<Metrics>::default();
        let readers = Readers::new(3, 2, metrics.clone());
        let tenants = [tenant_id(), tenant_id(), tenant_id(), tenant_id()];
        let enter = |n: usize, way| readers.enter(tenants[n], way);
        let (one, other) = (enter(1, LiveWay::Stream), enter(1, LiveWay::LongPoll));
        assert_eq!((outcome(&one), outcome(&other)), (Ok(()), Ok(())));
        assert_eq!(outcome(&enter(1, LiveWay::Stream)), Err(ErrorCode::TooManyReaders));
        let of_another = enter(2, LiveWay::Stream);
        assert_eq!(outcome(&of_another), Ok(()));
        assert_eq!(outcome(&enter(3, LiveWay::Stream)), Err(ErrorCode::Overloaded));
        assert_eq!(metrics.feed_readers.of(LiveWay::Stream).get(), 2);
        assert_eq!(metrics.feed_readers.of(LiveWay::LongPoll).get(), 1);
        assert_eq!(metrics.refused.of(Limit::FeedReaders).get(), 2);
        drop(other);
        assert_eq!(outcome(&enter(3, LiveWay::Stream)), Ok(()), "and free again at once");
        assert_eq!(outcome(&enter(1, LiveWay::LongPoll)), Ok(()));
        drop((one, of_another));
        assert_eq!(metrics.feed_readers.of(LiveWay::Stream).get(), 0);
        let counts = readers.0.counts.lock();
        assert!(counts.by_tenant.is_empty() && counts.all == 0);
    }
}
