//! The outcome of a step that was taken.

use std::sync::Arc;
use std::time::Duration;

use crate::app::failure::Failure;
use crate::domain::departure::{DepartureReason, StepState, StepTrouble};

/// A step that did not fail.
pub(super) enum Taken {
    /// It is through.
    End(StepState, Option<Arc<str>>),
    /// It has more to do, after this wait.
    More(DepartureReason, Duration),
}

impl Taken {
    pub(super) fn done(note: Option<&str>) -> Self {
        Self::End(StepState::Done, note.map(Arc::from))
    }

    pub(super) fn skipped(why: &str) -> Self {
        Self::End(StepState::Skipped, Some(why.into()))
    }
}

/// Why a step did not succeed.
pub(super) enum Halt {
    /// The surroundings failed, or what is stored is damaged.
    Failure(Failure),
    /// Somebody else saved the departure meanwhile.
    Stale,
    /// Something that a person is told, and the wait before the next try, if there is one.
    Trouble(Box<StepTrouble>, Option<Duration>),
}

impl<F: Into<Failure>> From<F> for Halt {
    fn from(failure: F) -> Self {
        Self::Failure(failure.into())
    }
}

impl Halt {
    pub(super) fn of(trouble: StepTrouble, wait: Option<Duration>) -> Self {
        Self::Trouble(Box::new(trouble), wait)
    }

    /// It stops until somebody does something.
    pub(super) fn stop(reason: DepartureReason) -> Self {
        Self::of(StepTrouble::new(reason, None), None)
    }
}
