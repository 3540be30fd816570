//! The work on signups.
//!
//! Codes are exchanged apart from everything else, because they live for seconds: no other step may keep one waiting.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;

use super::Onboarding;
use super::taken::{Halt, Taken};
use crate::app::failure::Failure;
use crate::app::sending::Outages;
use crate::app::under_way::Turn;
use crate::domain::Timestamp;
use crate::domain::ids::{PhoneNumberId, SignupId};
use crate::domain::signup::{Reason, Signup, SignupState, SignupStep, StepEnd, Trouble};
use crate::metrics::SignupStepEnd;

/// The wait between two looks when there is nothing to do.
const IDLE_WAIT: Duration = Duration::from_millis(500);
/// Signups that are looked at in one round, those that are due longest.
const DUE_MAX: u32 = 256;
/// The same for codes, which nothing may keep waiting: everything that is due is looked at for them.
const CODES_DUE_MAX: u32 = 4_096;
/// Signups that a round carries on at the same time.
const AT_ONCE: usize = 64;

/// The right to work on a signup, and on its number once it is known which one.
struct Turns<'a> {
    _signup: Turn<'a, SignupId>,
    number: Option<Turn<'a, PhoneNumberId>>,
}

impl Onboarding {
    /// Exchanges the codes that wait for it. Several rounds may go on at a time, of this and of [`Self::work`]. Returns how long to wait until the next round.
    pub async fn exchange_codes(&self) -> Result<Duration, Failure> {
        self.round(|step| step == SignupStep::Exchange, CODES_DUE_MAX).await
    }

    /// Takes the other steps of every signup that is due. Returns how long to wait until the next round.
    pub async fn work(&self) -> Result<Duration, Failure> {
        self.round(|step| step != SignupStep::Exchange, DUE_MAX).await
    }

    /// The outages that sending waits for.
    pub const fn outages(&self) -> &Outages {
        &self.outages
    }

    async fn round(&self, is_meant: fn(SignupStep) -> bool, due_max: u32) -> Result<Duration, Failure> {
        let now = self.clock.now();
        let due = self.store.due_signups(now, due_max).await?;
        let own = due
            .into_iter()
            .filter(|signup| is_meant(signup.step) && !self.is_elsewhere(signup, now))
            .filter_map(|signup| Some((self.begin_turns(&signup)?, signup)));
        let steps = own.take(AT_ONCE);
        let steps = steps.map(|(turns, signup)| self.carry_on(signup, turns, is_meant));
        let steps = join_all(steps).await;
        let mut has_moved = false;
        for step in steps {
            has_moved |= step?;
        }
        Ok(if has_moved { Duration::ZERO } else { IDLE_WAIT })
    }

    /// Begins to work on a signup. `None` if this process is at work on it already, or on another one of its number.
    fn begin_turns(&self, signup: &Signup) -> Option<Turns<'_>> {
        let mut turns = Turns {
            _signup: self.under_way.begin(signup.id)?,
            number: None,
        };
        self.takes_number(&mut turns, signup).then_some(turns)
    }

    /// Takes the number of a signup, once it is known which one. Returns false if another signup of this process has it.
    fn takes_number<'a>(&'a self, turns: &mut Turns<'a>, signup: &Signup) -> bool {
        let Some(number) = signup.number_id() else { return true };
        if turns.number.as_ref().is_none_or(|turn| !turn.is_about(number)) {
            drop(turns.number.take());
            turns.number = self.numbers.begin(number.clone());
        }
        turns.number.is_some()
    }

    /// True if another process is at work on it. Where only one sends, others have died.
    fn is_elsewhere(&self, signup: &Signup, now: Timestamp) -> bool {
        !self.is_sole_sender && signup.is_held_by_other(&self.process, now)
    }

    /// Takes the steps of a signup that are meant, one after the other, as long as nothing is to be waited for. Returns true
    /// if one is saved.
    async fn carry_on<'a>(
        &'a self,
        mut signup: Signup,
        mut turns: Turns<'a>,
        is_meant: fn(SignupStep) -> bool,
    ) -> Result<bool, Failure> {
        let unsaved = self.unsaved.lock().forget(signup.id);
        let unsaved = unsaved.filter(|unsaved| unsaved.version == signup.version);
        let mut has_moved = unsaved.is_some();
        if let Some(unsaved) = unsaved {
            signup = unsaved;
        } else {
            signup.next_at = None;
            signup.keep_for(&self.process, self.clock.now());
        }
        // It may have changed since it was read.
        let mut is_saved = self.save_surely(&mut signup).await?;
        while is_saved && signup.lease.is_some() && is_meant(signup.step) && self.takes_number(&mut turns, &signup) {
            is_saved = self.step(&mut signup).await?;
            has_moved |= is_saved;
        }
        Ok(has_moved)
    }

    /// Takes the next step of a signup. Returns true if that is saved.
    async fn step(&self, signup: &mut Signup) -> Result<bool, Failure> {
        let step = signup.step;
        let taken = self.take(signup).await;
        let now = self.clock.now();
        let end = match taken {
            Ok(Taken { end, note, request_id }) => {
                signup.pass(end, note.map(Arc::from), None, now);
                if let Some(id) = request_id {
                    signup.note_request(step, id);
                }
                match end {
                    StepEnd::Skipped => SignupStepEnd::Skipped,
                    _ => SignupStepEnd::Done,
                }
            }
            Err(Halt::Stale) => return Ok(false),
            Err(Halt::Failure(failure)) if failure.is_retryable() => return Err(failure),
            Err(Halt::Failure(failure)) => {
                let trouble = Trouble::new(Reason::Internal, Some(&failure.to_string()), now);
                self.fail(signup, trouble, None, now)
            }
            Err(Halt::Trouble(trouble, wait)) => self.fail(signup, *trouble, wait, now),
        };
        signup.keep_for(&self.process, now);
        let is_saved = self.save_surely(signup).await?;
        if is_saved {
            self.metrics.signup_steps.of(end).inc();
            self.tell(signup, step, end);
        }
        Ok(is_saved)
    }

    /// Saves it. If the store does not answer, what should have been saved is remembered for the next round, because Meta
    /// exchanges a code only once.
    async fn save_surely(&self, signup: &mut Signup) -> Result<bool, Failure> {
        let saved = self.save(signup).await;
        if saved.as_ref().is_err_and(Failure::is_retryable) {
            let forgotten = self.unsaved.lock().put(signup.id, signup.clone());
            if let Some(signup_id) = forgotten {
                tracing::warn!(%signup_id, "what became of a signup is forgotten, because too many wait for the store");
            }
        }
        saved
    }

    fn fail(&self, signup: &mut Signup, trouble: Trouble, wait: Option<Duration>, now: Timestamp) -> SignupStepEnd {
        let step = signup.step;
        let is_chosen = step.may_be_optional() && self.settings.optional.contains(&step);
        let is_optional = is_chosen || step.is_of_app();
        signup.fail(trouble, wait, is_optional, now);
        match signup.state {
            SignupState::Stopped => SignupStepEnd::Stopped,
            _ if signup.step == step => SignupStepEnd::Waits,
            _ => SignupStepEnd::Failed,
        }
    }

    fn tell(&self, signup: &Signup, step: SignupStep, end: SignupStepEnd) {
        let (signup_id, tenant_id, step) = (signup.id, signup.tenant_id, step.as_str());
        let trouble = signup.trouble.as_ref();
        let reason = trouble.map(|trouble| trouble.reason.as_str());
        let code = trouble.and_then(|trouble| trouble.error.as_ref()?.code);
        if signup.state == SignupState::Done {
            self.metrics.signups_done.inc();
            tracing::info!(%signup_id, %tenant_id, "a signup is done");
        } else if end == SignupStepEnd::Stopped {
            tracing::warn!(%signup_id, %tenant_id, step, reason, code, "a signup has stopped");
        } else {
            tracing::debug!(%signup_id, %tenant_id, step, reason, code, "a step of a signup was taken");
        }
    }
}
