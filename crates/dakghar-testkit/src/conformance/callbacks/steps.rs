//! Steps that the cases have in common.

use dakghar_core::domain::callback::{Advance, AttemptLog, CallbackException, CallbackProgress, ExceptionState};
use dakghar_core::domain::page::{PAGE_TIME_MAX, PageLimit, Paged as _};
use dakghar_core::domain::{AttemptLogId, EndpointId, Place, TenantId};
use dakghar_core::ports::{ExceptionsAsked, Saved};

use super::super::read_pages;
use super::super::stores::Stores;
use crate::samples::{callback_exception_full, callback_progress, endpoint, tenant_id};

/// The endpoint of a tenant.
#[derive(Clone, Copy)]
pub(super) struct Of {
    pub(super) tenant: TenantId,
    pub(super) endpoint: EndpointId,
}

impl Of {
    pub(super) fn new() -> Self {
        Self::tenant(tenant_id())
    }

    pub(super) fn tenant(tenant: TenantId) -> Self {
        Self {
            tenant,
            endpoint: endpoint(tenant).id,
        }
    }

    /// An advance under this version that changes nothing else.
    pub(super) fn advance(self, version: u64) -> Advance {
        Advance {
            progress: CallbackProgress {
                version,
                ..callback_progress(self.endpoint, self.tenant)
            },
            exceptions: Vec::new(),
            over: Vec::new(),
            attempts: None,
        }
    }

    pub(super) fn exception(self, place: u64) -> CallbackException {
        callback_exception_full(self.endpoint, self.tenant, Place::new(place))
    }

    /// Exceptions in these states, at the places from 1 on.
    pub(super) fn exceptions(self, states: impl IntoIterator<Item = ExceptionState>) -> Vec<CallbackException> {
        let in_state = |(state, place)| CallbackException {
            state,
            ..self.exception(place)
        };
        states.into_iter().zip(1..).map(in_state).collect()
    }
}

/// Writes it down, which must work.
pub(super) async fn advance(stores: &Stores, advance: Advance) {
    assert_eq!(stores.callbacks.advance(&[advance]).await, [Ok(Saved::Done)]);
}

pub(super) async fn progress(stores: &Stores, of: Of) -> Option<CallbackProgress> {
    let mut found = stores.callbacks.progress(&[of.endpoint]).await;
    assert_eq!(found.len(), 1, "one answer for one endpoint");
    found.remove(0).expect("the store answers")
}

/// All exceptions in a state, read page by page.
pub(super) async fn exceptions(
    stores: &Stores,
    of: Of,
    asked: ExceptionsAsked,
    limit: PageLimit,
) -> Vec<CallbackException> {
    let (mut seen, mut after) = (Vec::new(), Place::START);
    for _ in 0..10_000 {
        let page = stores.callbacks.exceptions(&of.endpoint, asked, after, limit).await;
        let page = page.expect("the store answers");
        assert!(page.items.len() <= limit.items as usize, "{}", page.items.len());
        let bytes: usize = page.items.iter().map(CallbackException::bytes).sum();
        let last = page.items.last().map_or(0, CallbackException::bytes);
        assert!(
            bytes - last < limit.bytes,
            "it ends with the item by which it has its bytes"
        );
        seen.extend(page.items);
        let Some(next) = page.next else { return seen };
        assert!(after < next, "{after:?} is followed by {next:?}");
        after = next;
    }
    panic!("the pages do not end");
}

pub(super) async fn open(stores: &Stores, of: Of) -> Vec<CallbackException> {
    exceptions(stores, of, ExceptionsAsked::Open, PageLimit::items(100)).await
}

pub(super) async fn count(stores: &Stores, of: Of) -> [u32; 2] {
    let mut counts = [0; 2];
    for (count, asked) in counts.iter_mut().zip([ExceptionsAsked::Open, ExceptionsAsked::Dead]) {
        let counted = stores.callbacks.count_exceptions(&of.endpoint, asked).await;
        *count = counted.expect("the store answers");
    }
    counts
}

pub(super) async fn attempts(stores: &Stores, of: Of, limit: PageLimit) -> Vec<AttemptLog> {
    let fetch = async |before| {
        let page = stores.callbacks.attempts(&of.endpoint, before, limit);
        page.await.expect("the store answers")
    };
    read_pages(limit.items, fetch).await
}

pub(super) fn places(exceptions: &[CallbackException]) -> Vec<u64> {
    exceptions.iter().map(|found| found.placed.place.number()).collect()
}

pub(super) fn log_ids(logs: &[AttemptLog]) -> Vec<AttemptLogId> {
    logs.iter().map(|log| log.id).collect()
}

pub(super) const fn small(items: u32, bytes: usize) -> PageLimit {
    PageLimit {
        items,
        bytes,
        time: PAGE_TIME_MAX,
    }
}
