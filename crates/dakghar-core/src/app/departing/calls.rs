//! The consequences of Meta's answers to a departure.

use std::time::Duration;

use super::taken::{Halt, Taken};
use crate::domain::departure::{Departure, DepartureReason, DepartureStep, Next, StepTrouble, judge};
use crate::domain::graph_error::GraphRefusal;
use crate::ports::NumberCallFailure;

/// Says what follows from a call of this step that did not succeed.
pub(super) fn after(departure: &Departure, step: DepartureStep, failure: &NumberCallFailure) -> Result<Taken, Halt> {
    match failure {
        NumberCallFailure::NoAnswer(why) => Err(no_answer(departure, why)),
        NumberCallFailure::Refused(refusal) => refused(departure, step, refusal),
    }
}

/// Meta said neither yes nor no.
pub(super) fn no_answer(departure: &Departure, why: &str) -> Halt {
    let trouble = StepTrouble::new(DepartureReason::NoAnswer, Some(why));
    Halt::of(trouble, Some(departure.wait()))
}

fn refused(departure: &Departure, step: DepartureStep, refusal: &GraphRefusal) -> Result<Taken, Halt> {
    let verdict = judge(step, refusal);
    let wait = match verdict.next {
        Next::Pass => return Ok(Taken::done(Some(verdict.advice))),
        Next::Again => Some(departure.wait()),
        Next::Wait(wait) => Some(wait.max(Duration::from_secs(1))),
        Next::Fail => None,
    };
    let trouble = StepTrouble {
        reason: DepartureReason::Refused,
        advice: verdict.advice.into(),
        error: Some(refusal.to_send_error()),
    };
    Err(Halt::of(trouble, wait))
}
