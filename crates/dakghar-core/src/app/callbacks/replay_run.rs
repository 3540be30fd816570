//! A replay, as the process that carries it out knows it.

use super::item::Item;
use crate::domain::callback::{Replay, ReplayOf, Window};
use crate::domain::{Place, ReplayId};

/// A replay that is under way.
pub(super) struct ReplayRun {
    pub(super) replay: Replay,
    pub(super) window: Window<Item>,
    /// Calls under way.
    pub(super) under_way: u32,
    /// True once its range was read.
    pub(super) is_read: bool,
    /// Behind this place what it is about and is tried anyway is still to be called up.
    pub(super) calls_up_behind: Option<Place>,
    /// Named events that were found.
    pub(super) found: usize,
}

impl ReplayRun {
    /// Begins behind a place, or goes on there.
    pub(super) fn new(replay: Replay, at: Place) -> Self {
        let calls_up = matches!(replay.of, ReplayOf::FailedSince(_));
        Self {
            replay,
            window: Window::new(at),
            under_way: 0,
            is_read: false,
            calls_up_behind: calls_up.then_some(Place::START),
            found: 0,
        }
    }

    pub(super) const fn id(&self) -> ReplayId {
        self.replay.id
    }

    /// True if another call may begin beside the live ones.
    pub(super) fn may_call(&self, concurrency: u32) -> bool {
        self.window.waiting() > 0 && self.under_way < concurrency.div_ceil(2)
    }
}
