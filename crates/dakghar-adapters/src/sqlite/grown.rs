//! A piece of work adds to feeds. Its additions are collected beside its transaction, on the one thread that writes, and told
//! after the commit; those that are taken back are not told.

use std::cell::RefCell;

use dakghar_core::domain::feed::FeedEnd;

thread_local! {
    /// The additions of the piece of work under way.
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
