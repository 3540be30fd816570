//! What a piece of work adds to feeds, collected beside its transaction on the one thread that writes. It is told after the
//! commit; what is taken back is not told.

use std::cell::RefCell;

use dakghar_core::domain::feed::FeedEnd;

thread_local! {
    /// What the piece of work under way has added.
    static GROWN: RefCell<Vec<FeedEnd>> = const { RefCell::new(Vec::new()) };
}

/// Notes that a piece of work has added to a feed.
pub(super) fn note(end: FeedEnd) {
    GROWN.with_borrow_mut(|grown| match grown.last_mut() {
        // Most work adds to one feed.
        Some(latest) if latest.tenant_id == end.tenant_id => latest.last = end.last,
        _ => grown.push(end),
    });
}

/// Takes what the piece of work has added.
pub(super) fn take() -> Vec<FeedEnd> {
    GROWN.take()
}
