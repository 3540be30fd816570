//! The halves of the product.

/// The halves that this process runs.
#[derive(Clone, Copy, Debug)]
pub struct Parts {
    /// The HTTP API and Meta's webhook.
    pub api: bool,
    /// The send worker and the timers.
    pub worker: bool,
}

impl Parts {
    /// Both halves, in one process.
    pub const WHOLE: Self = Self {
        api: true,
        worker: true,
    };
    /// The HTTP API alone.
    pub const API: Self = Self {
        api: true,
        worker: false,
    };
    /// The send worker alone.
    pub const WORKER: Self = Self {
        api: false,
        worker: true,
    };

    pub(super) const fn is_whole(self) -> bool {
        self.api && self.worker
    }
}
