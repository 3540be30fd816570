//! Departures: a tenant, or some of its numbers, leaves, and what was set up at Meta for it is taken back.
//!
//! A departure is a record that any process can go on with, and the opposite of a signup. It has all its steps from the start:
//! which are still to be taken, and what became of the others. Nothing secret is in it, and nobody is named, because it
//! outlives the tenant that it removes.

mod codes;
mod plan;
mod reason;
mod step;

use std::sync::Arc;
use std::time::Duration;

use super::audit::Who;
use super::ids::{DepartureId, PhoneNumberId, TenantId};
use super::lease::Lease;
use super::leaving::Leaving;
use super::page::Paged;
use super::retry::promises_a_try;
use super::send_error::SendError;
use super::time::Timestamp;

pub use codes::{Next, Verdict, judge};
pub use plan::{DepartingNumber, DepartureWishes, NewDeparture};
pub use reason::DepartureReason;
use reason::{LEFT_OUT, TRIED};
pub use step::{DepartureStep, StepRecord, StepState};

/// Numbers that leave in one departure.
pub const DEPARTING_NUMBERS_MAX: usize = 100;
/// The time for which a process has a departure to itself after each save: longer than what a step asks of Meta takes.
pub const DEPARTURE_LEASE: Duration = Duration::from_secs(40);
/// The time in which what is queued is sent, if nobody names another one.
pub const SEND_FOR: Duration = Duration::from_hours(24);
/// The longest such time.
pub const SEND_FOR_MAX: Duration = Duration::from_hours(30 * 24);
/// The time for which messages on their way are waited for, once nothing more is sent.
pub const ON_THE_WAY_FOR: Duration = Duration::from_mins(30);
/// The time that the record is kept after its end.
pub const DEPARTURE_KEPT: Duration = Duration::from_hours(365 * 24);
/// Tries of one step before it fails.
pub const TRIES_MAX: u32 = 8;
/// The longest wait for a step that the departure may do without.
const OPTIONAL_WAIT_MAX: Duration = Duration::from_hours(1);
/// The waits before a step is tried again of which Meta said neither yes nor no.
const WAITS: [u64; 6] = [1, 3, 10, 30, 120, 600];

/// The end of messages that were accepted before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueuedWish {
    /// They are sent until this time. What is left is cancelled.
    Send {
        /// The end.
        until: Timestamp,
    },
    /// They are cancelled.
    Cancel,
}

/// The states of a departure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DepartureState {
    /// It goes on by itself, perhaps after a wait.
    Running,
    /// It goes on when somebody asks for it, or fetches the export.
    Stopped,
    /// It was called off, and the tenant is told to be one that stays.
    Cancelling,
    /// It was called off.
    Cancelled,
    /// It is over.
    Done,
}

impl DepartureState {
    /// All states.
    pub const ALL: [Self; 5] = [
        Self::Running,
        Self::Stopped,
        Self::Cancelling,
        Self::Cancelled,
        Self::Done,
    ];

    /// The name used in answers and in the stores.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Stopped => "stopped",
            Self::Cancelling => "cancelling",
            Self::Cancelled => "cancelled",
            Self::Done => "done",
        }
    }

    /// Reads the name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// A departure, as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Departure {
    /// Its id.
    pub id: DepartureId,
    /// The tenant that leaves.
    pub tenant_id: TenantId,
    /// As whom somebody asked for it.
    pub asked_by: Who,
    /// The numbers that leave; `None` is the tenant as a whole.
    pub numbers: Option<Vec<PhoneNumberId>>,
    /// The end of messages that were accepted before.
    pub queued: QueuedWish,
    /// Its state: running, stopped or over.
    pub state: DepartureState,
    /// Its steps, in their order.
    pub steps: Vec<StepRecord>,
    /// Since when something may have been changed that cannot be had back.
    pub changed_at: Option<Timestamp>,
    /// Messages that it cancelled.
    pub cancelled: u64,
    /// When the tenant's export was fetched.
    pub exported_at: Option<Timestamp>,
    /// Not before this, if it waits.
    pub next_at: Option<Timestamp>,
    /// The process that works on it.
    pub lease: Option<Lease>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// The time of its last change.
    pub updated_at: Timestamp,
    /// When it was over.
    pub ended_at: Option<Timestamp>,
    /// Counts saves; a save must name the version it read.
    pub version: u64,
}

/// Why a step did not succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepTrouble {
    /// Why.
    pub reason: DepartureReason,
    /// The advice to a person.
    pub advice: Arc<str>,
    /// Meta's words, or those of whoever said so.
    pub error: Option<SendError>,
}

impl StepTrouble {
    /// A trouble without an answer of Meta's; `words` are what else is known of it.
    pub fn new(reason: DepartureReason, words: Option<&str>) -> Self {
        Self {
            reason,
            advice: reason.advice().into(),
            error: words.map(|words| SendError {
                message: super::send_error::clip(words),
                ..SendError::default()
            }),
        }
    }

    /// The same after the last try. An advice that promises another one is true no more; any other stays.
    fn after_the_last_try(mut self, is_left_out: bool) -> Self {
        if promises_a_try(&self.advice) {
            self.advice = if is_left_out { LEFT_OUT } else { TRIED }.into();
        }
        self
    }
}

impl Departure {
    /// True if somebody must work on it, now or later.
    pub fn needs_work(&self) -> bool {
        matches!(self.state, DepartureState::Running | DepartureState::Cancelling)
    }

    /// True if it is not over. A tenant has one such departure at most.
    pub fn is_open(&self) -> bool {
        !matches!(self.state, DepartureState::Done | DepartureState::Cancelled)
    }

    /// The time from which somebody must work on it, if somebody must.
    pub fn due_at(&self) -> Option<Timestamp> {
        self.needs_work().then(|| self.next_at.unwrap_or(self.updated_at))
    }

    /// True if another process has it.
    pub fn is_held_by_other(&self, owner: &str, now: Timestamp) -> bool {
        let lease = self.lease.as_ref();
        lease.is_some_and(|lease| lease.is_of_other(owner, now, DEPARTURE_LEASE))
    }

    /// Gives it to this process for a while, if there is anything left to do.
    pub fn keep_for(&mut self, owner: &Arc<str>, now: Timestamp) {
        let is_at_work = self.needs_work() && self.next_at.is_none();
        self.lease = is_at_work.then(|| Lease::begin(owner, now, DEPARTURE_LEASE));
    }

    /// The part of the tenant that leaves.
    pub fn leaving(&self) -> Leaving {
        match &self.numbers {
            None => Leaving::Whole,
            Some(numbers) => Leaving::Numbers(numbers.clone()),
        }
    }

    /// The step that it is at.
    pub fn current(&self) -> Option<&StepRecord> {
        self.steps.iter().find(|record| record.state == StepState::Pending)
    }

    fn current_mut(&mut self) -> Option<&mut StepRecord> {
        self.steps.iter_mut().find(|record| record.state == StepState::Pending)
    }

    /// True if it was asked for in the same way.
    pub fn is_like(&self, other: &Self) -> bool {
        let asked = |departure: &Self| {
            let steps = departure.steps.iter();
            let steps = steps.map(|record| (record.step, record.about.clone(), record.is_required));
            let sends = matches!(departure.queued, QueuedWish::Send { .. });
            (departure.numbers.clone(), sends, steps.collect::<Vec<_>>())
        };
        asked(self) == asked(other)
    }

    /// True if it was called off.
    pub fn is_called_off(&self) -> bool {
        matches!(self.state, DepartureState::Cancelling | DepartureState::Cancelled)
    }

    /// The time at which nothing more is sent.
    pub fn sends_until(&self) -> Timestamp {
        match self.queued {
            QueuedWish::Send { until } => until,
            QueuedWish::Cancel => self.created_at,
        }
    }

    /// Ends the step that it is at, and goes to the next one. After the last it is done.
    pub fn pass(&mut self, state: StepState, note: Option<Arc<str>>, now: Timestamp) {
        if let Some(record) = self.current_mut() {
            record.tries += u32::from(state != StepState::Skipped);
            (record.state, record.at) = (state, Some(now));
            (record.reason, record.note, record.error) = (None, note, None);
        }
        self.go_on(now);
    }

    fn go_on(&mut self, now: Timestamp) {
        (self.next_at, self.updated_at) = (None, now);
        if self.current().is_none() {
            self.state = DepartureState::Done;
            self.ended_at = Some(now);
            self.lease = None;
        }
    }

    /// Notes that the step has more to do, and why it is not through. It goes on after `wait`.
    pub fn again(&mut self, reason: DepartureReason, wait: Duration, now: Timestamp) {
        if let Some(record) = self.current_mut() {
            record.tries = 0;
            record.at = Some(now);
            (record.reason, record.note, record.error) = (Some(reason), Some(reason.advice().into()), None);
        }
        self.next_at = (!wait.is_zero()).then(|| now + wait);
        self.updated_at = now;
    }

    /// Notes that the step did not succeed. It is tried again after `wait`; without one, after [`TRIES_MAX`] tries, or after a wait
    /// that is too long for a step that is not required, the departure stops, or goes on without a step of Meta's.
    pub fn fail(&mut self, trouble: StepTrouble, wait: Option<Duration>, now: Timestamp) {
        let Some(record) = self.current_mut() else { return };
        let is_optional = record.step.is_of_meta() && !record.is_required;
        let was_asked_again = wait.is_some();
        let wait = wait.filter(|wait| record.tries + 1 < TRIES_MAX && (!is_optional || *wait <= OPTIONAL_WAIT_MAX));
        let trouble = if was_asked_again && wait.is_none() {
            trouble.after_the_last_try(is_optional)
        } else {
            trouble
        };
        record.tries += 1;
        record.at = Some(now);
        record.reason = Some(trouble.reason);
        record.note = Some(trouble.advice);
        record.error = trouble.error;
        let is_given_up = wait.is_none() && is_optional;
        if is_given_up {
            record.state = StepState::Failed;
        }
        self.lease = None;
        if is_given_up {
            return self.go_on(now);
        }
        self.next_at = wait.map(|wait| now + wait);
        self.updated_at = now;
        if wait.is_none() {
            self.state = DepartureState::Stopped;
        }
    }

    /// The wait before the present step is tried again after an answer that said neither yes nor no.
    pub fn wait(&self) -> Duration {
        let tries = self.current().map_or(0, |record| record.tries as usize);
        Duration::from_secs(WAITS[tries.min(WAITS.len() - 1)])
    }

    /// Goes on where it is, or behind the present step if that is to be left out. Returns false if that changes nothing.
    ///
    /// Neither the end of accepting nor the removal can be left out: without the one the others would not hold, and the other is the
    /// departure itself.
    pub fn retry(&mut self, skip: bool, now: Timestamp) -> bool {
        let is_waiting = self.state == DepartureState::Running && self.next_at.is_some();
        if self.state != DepartureState::Stopped && !is_waiting {
            return false;
        }
        let may_skip = |record: &StepRecord| !matches!(record.step, DepartureStep::Accept | DepartureStep::Remove);
        let skips = skip && self.current().is_some_and(may_skip);
        self.state = DepartureState::Running;
        (self.next_at, self.lease, self.updated_at) = (None, None, now);
        if skips {
            let known = self.current().and_then(|record| record.reason);
            let why = known.map_or_else(String::new, |reason| format!(" ({})", reason.as_str()));
            self.pass(
                StepState::Skipped,
                Some(format!("left out by request{why}").into()),
                now,
            );
        } else if let Some(record) = self.current_mut() {
            record.tries = 0;
        }
        true
    }

    /// True if calling it off leaves everything as it was before, but for messages that were cancelled.
    pub fn may_be_cancelled(&self) -> bool {
        let is_under_way = matches!(self.state, DepartureState::Running | DepartureState::Stopped);
        is_under_way && self.changed_at.is_none()
    }

    /// Calls it off. Returns false if it is too late.
    pub fn cancel(&mut self, now: Timestamp) -> bool {
        if !self.may_be_cancelled() {
            return false;
        }
        self.state = DepartureState::Cancelling;
        (self.next_at, self.lease, self.updated_at) = (None, None, now);
        true
    }

    /// The tenant stays: what was called off is over.
    pub fn end_cancelled(&mut self, now: Timestamp) {
        self.state = DepartureState::Cancelled;
        (self.next_at, self.lease) = (None, None);
        (self.updated_at, self.ended_at) = (now, Some(now));
    }

    /// True if it waits for somebody to fetch the tenant's export.
    pub fn awaits_export(&self) -> bool {
        let is_under_way = matches!(self.state, DepartureState::Running | DepartureState::Stopped);
        let is_there = |record: &StepRecord| record.step == DepartureStep::Export;
        is_under_way && self.exported_at.is_none() && self.current().is_some_and(is_there)
    }

    /// Somebody has fetched the export. Returns false if it does not wait for that.
    pub fn exported(&mut self, now: Timestamp) -> bool {
        if !self.awaits_export() {
            return false;
        }
        self.exported_at = Some(now);
        self.state = DepartureState::Running;
        (self.next_at, self.lease, self.updated_at) = (None, None, now);
        true
    }
}

impl Paged for Departure {
    type Position = DepartureId;

    fn position(&self) -> DepartureId {
        self.id
    }

    fn bytes(&self) -> usize {
        const BYTES: usize = 512;
        const STEP_BYTES: usize = 512;
        BYTES + self.steps.len() * STEP_BYTES
    }
}

#[cfg(test)]
mod tests;
