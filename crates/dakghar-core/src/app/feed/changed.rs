//! Tenants whose endpoints changed, on their way to whoever delivers to them.

use std::collections::HashSet;
use std::future::poll_fn;
use std::task::Poll;

use futures_util::task::AtomicWaker;
use parking_lot::Mutex;

use crate::domain::TenantId;
use crate::domain::feed::ENDS_MAX;

/// Endpoints that were made, changed or removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EndpointsChanged {
    /// Some of these tenants.
    OfTenants(Vec<TenantId>),
    /// Any: not all that changed was told, or other partitions are this process's.
    Any,
}

/// Changes that nobody has taken yet.
#[derive(Debug, Default)]
pub(super) struct ChangedEndpoints {
    waiting: Mutex<Waiting>,
    waker: AtomicWaker,
}

#[derive(Debug, Default)]
struct Waiting {
    tenants: HashSet<TenantId>,
    has_missed: bool,
}

impl ChangedEndpoints {
    pub(super) fn note(&self, tenants: &[TenantId]) {
        {
            let mut waiting = self.waiting.lock();
            // Where nobody delivers nobody takes them.
            if waiting.tenants.len() + tenants.len() > ENDS_MAX {
                waiting.tenants.clear();
                waiting.has_missed = true;
            } else {
                waiting.tenants.extend(tenants);
            }
        }
        self.waker.wake();
    }

    /// Notes that changes may have been lost.
    pub(super) fn miss(&self) {
        self.waiting.lock().has_missed = true;
        self.waker.wake();
    }

    /// Waits for changes, and takes them. One task may wait; dropping the future loses nothing.
    pub(super) async fn next(&self) -> EndpointsChanged {
        poll_fn(|cx| {
            self.waker.register(cx.waker());
            self.take().map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }

    fn take(&self) -> Option<EndpointsChanged> {
        let Waiting { tenants, has_missed } = std::mem::take(&mut *self.waiting.lock());
        if has_missed {
            return Some(EndpointsChanged::Any);
        }
        (!tenants.is_empty()).then(|| EndpointsChanged::OfTenants(tenants.into_iter().collect()))
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn changes_are_taken_once_and_more_than_there_is_room_for_are_any() {
        let tenant = |n: usize| TenantId::from_uuid(Uuid::from_u128(n as u128));
        let changed = ChangedEndpoints::default();
        assert_eq!(changed.next().now_or_never(), None);
        changed.note(&[tenant(1)]);
        changed.note(&[tenant(1)]);
        let expected = EndpointsChanged::OfTenants(vec![tenant(1)]);
        assert_eq!(changed.next().now_or_never(), Some(expected));
        assert_eq!(changed.next().now_or_never(), None);
        changed.note(&[tenant(1)]);
        changed.miss();
        assert_eq!(changed.next().now_or_never(), Some(EndpointsChanged::Any));
        changed.note(&(0..=ENDS_MAX).map(tenant).collect::<Vec<_>>());
        assert_eq!(changed.next().now_or_never(), Some(EndpointsChanged::Any));
        assert_eq!(changed.next().now_or_never(), None);
    }
}
