//! The parts of the product.

use dakghar_server::worker::Work;

/// The parts that this process runs.
#[derive(Clone, Copy, Debug)]
pub struct Parts {
    /// The HTTP API and Meta's webhook.
    pub api: bool,
    /// What the worker does here, if it runs.
    pub worker: Option<Work>,
}

impl Parts {
    /// All of them, in one process.
    pub const WHOLE: Self = Self {
        api: true,
        worker: Some(Work::ALL),
    };
    /// The HTTP API alone.
    pub const API: Self = Self {
        api: true,
        worker: None,
    };

    /// The worker alone, or one half of it.
    pub const fn worker(only: Option<Half>) -> Self {
        let work = match only {
            None => Work::ALL,
            Some(Half::Send) => Work::SEND,
            Some(Half::Callbacks) => Work::CALLBACKS,
        };
        Self {
            api: false,
            worker: Some(work),
        }
    }

    pub(super) const fn is_whole(self) -> bool {
        self.api && self.worker.is_some()
    }

    /// True if messages are taken out of the queue here.
    pub(super) const fn sends(self) -> bool {
        matches!(self.worker, Some(Work { sends: true, .. }))
    }

    /// True if endpoints are delivered to here.
    pub(super) const fn delivers(self) -> bool {
        matches!(self.worker, Some(Work { delivers: true, .. }))
    }
}

/// A half of the worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Half {
    /// Sends messages, settles what is in doubt, redrives, and erases what is old
    Send,
    /// Gives the entries of feeds their places, and delivers them to endpoints
    Callbacks,
}
