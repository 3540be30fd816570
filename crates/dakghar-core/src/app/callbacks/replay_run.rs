//! A replay, as the process that carries it out knows it.

use super::item::Item;
use crate::domain::callback::{Replay, Window};
use crate::domain::{Place, ReplayId};

/// A replay that is under way.
pub(super) struct ReplayRun {
    pub(super) replay: Replay,
    pub(super) window: Window<Item>,
    /// Calls under way.
    pub(super) under_way: u32,
    /// True once its range was read.
    pub(super) is_read: bool,
    /// True once what it is about and is tried anyway was called up.
    pub(super) has_called_up: bool,
    /// Named events that were found.
    pub(super) found: usize,
}

impl ReplayRun {
    /// Begins behind a place, or goes on there.
    pub(super) const fn new(replay: Replay, at: Place) -> Self {
        Self {
            replay,
            window: Window::new(at),
            under_way: 0,
            is_read: false,
            has_called_up: false,
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
