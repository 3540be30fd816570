//! What follows from Meta's answers to a signup.

use std::time::Duration;

use super::taken::{Halt, Taken};
use crate::domain::Timestamp;
use crate::domain::graph_error::GraphRefusal;
use crate::domain::signup::{Next, Reason, Signup, SignupStep, Trouble, judge};
use crate::ports::NumberCallFailure;

/// Meta's codes for a token that does not work any more.
const TOKEN_OVER: [i64; 3] = [0, 102, 190];

/// Says what follows from a call that did not succeed.
pub(super) fn after(signup: &mut Signup, failure: NumberCallFailure, now: Timestamp) -> Result<Taken, Halt> {
    match failure {
        NumberCallFailure::NoAnswer(why) => Err(no_answer(signup, &why, now)),
        NumberCallFailure::Refused(refusal) => refused(signup, &refusal, now),
    }
}

/// Meta said neither yes nor no.
pub(super) fn no_answer(signup: &Signup, why: &str, now: Timestamp) -> Halt {
    Halt::of(Trouble::new(Reason::NoAnswer, Some(why), now), Some(signup.wait()))
}

fn refused(signup: &mut Signup, refusal: &GraphRefusal, now: Timestamp) -> Result<Taken, Halt> {
    let mut verdict = judge(signup.step, refusal);
    let asked = refusal.retry_after.unwrap_or_default();
    let again = signup.wait().max(asked);
    let is_at_code = signup.step == SignupStep::Exchange;
    if is_at_code && verdict.next == Next::Again && signup.code_until <= now + asked {
        // The code is over before Meta takes another try.
        (verdict.next, verdict.advice) = (Next::NewCode, Reason::CodeExpired.advice());
    }
    let wait = match verdict.next {
        Next::Pass => return Ok(Taken::done(Some(verdict.advice))),
        Next::Again => Some(again),
        Next::Wait(wait) => Some(wait.max(Duration::from_secs(1))),
        Next::Deregister => {
            signup.deregisters_first = true;
            Some(again)
        }
        Next::NewPin => {
            if signup.pin_is_made {
                signup.sealed_pin = None;
            }
            None
        }
        Next::NewCode if is_at_code => {
            signup.forget_code();
            None
        }
        Next::NewCode if TOKEN_OVER.contains(&refusal.code) => {
            signup.forget_token();
            None
        }
        Next::NewCode | Next::Stop => None,
    };
    let trouble = Trouble {
        reason: Reason::Refused,
        advice: verdict.advice.into(),
        error: Some(refusal.to_send_error()),
        at: now,
    };
    Err(Halt::of(trouble, wait))
}
