//! What becomes of a step that was taken.

use std::sync::Arc;
use std::time::Duration;

use crate::app::failure::Failure;
use crate::domain::signup::{StepEnd, Trouble};

/// A step that succeeded, or had nothing to do.
pub(super) struct Taken {
    pub(super) end: StepEnd,
    pub(super) note: Option<&'static str>,
    /// Meta's id of what was asked for.
    pub(super) request_id: Option<Arc<str>>,
}

impl Taken {
    pub(super) const fn done(note: Option<&'static str>) -> Self {
        Self {
            end: StepEnd::Done,
            note,
            request_id: None,
        }
    }

    /// Meta was asked for something that it sends later.
    pub(super) const fn asked(request_id: Option<Arc<str>>, note: Option<&'static str>) -> Self {
        Self {
            end: StepEnd::Done,
            note,
            request_id,
        }
    }

    pub(super) const fn skipped(why: &'static str) -> Self {
        Self {
            end: StepEnd::Skipped,
            note: Some(why),
            request_id: None,
        }
    }
}

/// Why a step did not succeed.
pub(super) enum Halt {
    /// The surroundings failed, or what is stored is damaged.
    Failure(Failure),
    /// Somebody else saved the signup meanwhile.
    Stale,
    /// Something that a person is told, and the wait before the next try, if there is one.
    Trouble(Box<Trouble>, Option<Duration>),
}

impl<F: Into<Failure>> From<F> for Halt {
    fn from(failure: F) -> Self {
        Self::Failure(failure.into())
    }
}

impl Halt {
    pub(super) fn of(trouble: Trouble, wait: Option<Duration>) -> Self {
        Self::Trouble(Box::new(trouble), wait)
    }
}
