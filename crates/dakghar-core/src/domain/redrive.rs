//! Redrives: dead letters that a filter chooses are sent again, batch by batch.
//!
//! A redrive walks through the dead letters once, from the newest id downwards. Before a batch is sent again it is in the
//! record as [`Redrive::pending`], and every message that is sent again names its redrive in its timeline. So whoever goes
//! on after a crash knows of each message whether it was done, and the numbers come right.

mod preview;

use std::sync::Arc;
use std::time::Duration;

use super::auto_redrive::{Automatic, Cause};
use super::hold::Actor;
use super::ids::{MessageId, MessageKey, PhoneNumberId, RedriveId, TenantId};
use super::lease::Lease;
use super::message::{DeadLetter, DeadReason, RedriveOptions, Status};
use super::time::{Present, Timestamp};

pub use preview::{CauseCount, NumberCount, PREVIEW_EXAMPLES, PREVIEW_GROUPS_MAX, RedrivePreview};

/// Messages a second unless the request says otherwise.
pub const REDRIVE_PER_SECOND_DEFAULT: u32 = 50;
/// The most messages a second that one redrive sends again.
pub const REDRIVE_PER_SECOND_MAX: u32 = 1_000;
/// Redrives of one owner (a tenant, or the operator) that may be running or paused at a time.
pub const OPEN_REDRIVES_MAX: u32 = 8;
/// Messages in one batch.
pub const REDRIVE_BATCH_MAX: usize = 100;
/// The time for which a process has a redrive to itself after each batch. Two at once would do no harm, only work.
pub const REDRIVE_LEASE: Duration = Duration::from_secs(15);
/// The time that a redrive which is over can still be looked at.
pub const REDRIVE_KEPT: Duration = Duration::from_hours(30 * 24);

/// Which dead letters are meant. Every part that is set must match.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RedriveFilter {
    /// Only of this number.
    pub phone_number_id: Option<PhoneNumberId>,
    /// Only with this code of Meta's.
    pub code: Option<i64>,
    /// Only given up for this reason.
    pub reason: Option<DeadReason>,
    /// Only `dead`, `failed` or `expired`.
    pub status: Option<Status>,
    /// Only those that ended at or after this.
    pub from: Option<Timestamp>,
    /// Only those that ended before this.
    pub to: Option<Timestamp>,
}

impl RedriveFilter {
    /// True if the dead letter is meant.
    pub fn matches(&self, letter: &DeadLetter) -> bool {
        fn is<T: PartialEq>(wanted: Option<&T>, actual: Option<&T>) -> bool {
            wanted.is_none() || wanted == actual
        }
        is(self.phone_number_id.as_ref(), Some(&letter.phone_number_id))
            && is(self.code.as_ref(), letter.code.as_ref())
            && is(self.reason.as_ref(), letter.reason.as_ref())
            && is(self.status.as_ref(), Some(&letter.status))
            && self.from.is_none_or(|from| letter.ended_at >= from)
            && self.to.is_none_or(|to| letter.ended_at < to)
    }
}

/// The state of a redrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RedriveStatus {
    /// Batches go on.
    Running,
    /// It waits until it is resumed.
    Paused,
    /// It has seen every dead letter.
    Done,
    /// It was ended on request.
    Cancelled,
}

impl RedriveStatus {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Running, Self::Paused, Self::Done, Self::Cancelled];

    /// The name used in answers and in the stores.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Done => "done",
            Self::Cancelled => "cancelled",
        }
    }

    /// Reads the name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }

    /// True unless it is over.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Running | Self::Paused)
    }
}

/// What a redrive did to some messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settled {
    /// Sent again by this redrive.
    pub redriven: u64,
    /// Left as they are: no dead letter any more, gone, expired, or with a risk that nobody accepted.
    pub skipped: u64,
    /// Not to be read.
    pub failed: u64,
}

impl Settled {
    /// Adds what was done to others.
    pub const fn add(&mut self, other: Self) {
        self.redriven += other.redriven;
        self.skipped += other.skipped;
        self.failed += other.failed;
    }
}

/// The request for a redrive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRedrive {
    /// Which dead letters.
    pub filter: RedriveFilter,
    /// Also those that may have been delivered.
    pub confirm_duplicate_risk: bool,
    /// Also those whose time to be sent is over.
    pub ignore_expiry: bool,
    /// Messages a second, 1 to [`REDRIVE_PER_SECOND_MAX`].
    pub per_second: u32,
    /// Who asks. A tenant's waits while as many of its messages wait as may.
    pub by: Actor,
    /// The difference of one that began by itself; `None` if somebody asked for it.
    pub automatic: Option<Automatic>,
}

impl NewRedrive {
    /// Returns what is taken upon oneself for each of the messages.
    pub const fn options(&self) -> RedriveOptions {
        RedriveOptions {
            confirm_duplicate_risk: self.confirm_duplicate_risk,
            ignore_expiry: self.ignore_expiry,
        }
    }
}

/// Why a redrive leaves out a dead letter that it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeftOut {
    /// The time in which it may be sent is over.
    Expired,
    /// It may have been delivered, and nobody accepted that it arrives twice.
    MayHaveArrived,
}

/// A redrive, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redrive {
    /// Its id.
    pub id: RedriveId,
    /// The tenant whose dead letters it is about; `None` for those of all, by the operator.
    pub tenant_id: Option<TenantId>,
    /// What was asked for.
    pub asked: NewRedrive,
    /// Its state.
    pub status: RedriveStatus,
    /// Every dead letter from this id on was looked at.
    pub before: Option<MessageId>,
    /// The batch that is being sent again.
    pub pending: Vec<MessageKey>,
    /// The dead letters that matched when it was begun.
    pub total: u64,
    /// False if there were more than could be counted in time.
    pub total_is_exact: bool,
    /// What it did so far.
    pub settled: Settled,
    /// The process that works on it.
    pub lease: Option<Lease>,
    /// When it was begun. It leaves alone what died later, so it never meets its own messages again.
    pub created_at: Timestamp,
    /// The time of its last change.
    pub updated_at: Timestamp,
    /// Counts saves; a save must name the version it read.
    pub version: u64,
}

/// The redrive is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the redrive is over")]
pub struct RedriveOver;

impl Redrive {
    /// Makes a running redrive that has not looked at anything.
    pub fn new(id: RedriveId, tenant_id: Option<TenantId>, asked: NewRedrive, now: Timestamp) -> Self {
        Self {
            id,
            tenant_id,
            asked,
            status: RedriveStatus::Running,
            before: None,
            pending: Vec::new(),
            total: 0,
            total_is_exact: false,
            settled: Settled::default(),
            lease: None,
            created_at: now,
            updated_at: now,
            version: 0,
        }
    }

    /// True if the redrive is about this dead letter.
    pub fn is_about(&self, letter: &DeadLetter) -> bool {
        self.tenant_id.is_none_or(|tenant_id| tenant_id == letter.key.tenant_id)
            && letter.ended_at <= self.created_at
            && self.asked.filter.matches(letter)
            && self.is_of_its_cause(letter)
    }

    fn is_of_its_cause(&self, letter: &DeadLetter) -> bool {
        let cause = self.asked.automatic.map(|automatic| automatic.cause);
        cause.is_none_or(|cause| Cause::of(letter) == Some(cause))
    }

    /// True if a message that was sent again so often is sent again once more.
    pub const fn allows(&self, times: usize) -> bool {
        match self.asked.automatic {
            Some(automatic) => times < automatic.times as usize,
            None => true,
        }
    }

    /// Returns why the dead letter is left out, if it is.
    pub fn leaves_out(&self, letter: &DeadLetter, present: Present) -> Option<LeftOut> {
        let options = self.asked.options();
        if letter.has_expired(present) && !options.ignore_expiry {
            return Some(LeftOut::Expired);
        }
        (letter.may_have_arrived() && !options.confirm_duplicate_risk).then_some(LeftOut::MayHaveArrived)
    }

    /// True if a process must work on it. A cancelled one still counts what its last batch did.
    pub const fn needs_work(&self) -> bool {
        match self.status {
            RedriveStatus::Running => true,
            RedriveStatus::Cancelled => !self.pending.is_empty(),
            RedriveStatus::Paused | RedriveStatus::Done => false,
        }
    }

    /// True if another process has it.
    pub fn is_held_by_other(&self, owner: &str, now: Timestamp) -> bool {
        let lease = self.lease.as_ref();
        lease.is_some_and(|lease| lease.is_of_other(owner, now, REDRIVE_LEASE))
    }

    /// Returns the number of messages in its batches: about those of a quarter of a second.
    pub fn batch(&self) -> usize {
        let per_quarter = match self.asked.automatic {
            Some(automatic) => automatic.per_minute.div_ceil(240),
            None => self.asked.per_second.div_ceil(4),
        };
        (per_quarter as usize).clamp(1, REDRIVE_BATCH_MAX)
    }

    /// Returns the time that so many messages take at its pace.
    pub fn pace(&self, messages: usize) -> Duration {
        let messages = u32::try_from(messages).unwrap_or(u32::MAX);
        match self.asked.automatic {
            Some(automatic) => Duration::from_mins(1) * messages / automatic.per_minute.max(1),
            None => Duration::from_secs(1) * messages / self.asked.per_second.max(1),
        }
    }

    /// Stops it until it is resumed. Returns false if it was paused already.
    pub fn pause(&mut self, now: Timestamp) -> Result<bool, RedriveOver> {
        self.turn(RedriveStatus::Paused, now)
    }

    /// Lets it go on. Returns false if it was running already.
    pub fn resume(&mut self, now: Timestamp) -> Result<bool, RedriveOver> {
        self.turn(RedriveStatus::Running, now)
    }

    /// Ends it. What it has sent again stays so. Returns false if it was cancelled already.
    pub fn cancel(&mut self, now: Timestamp) -> Result<bool, RedriveOver> {
        if self.status == RedriveStatus::Cancelled {
            return Ok(false);
        }
        self.turn(RedriveStatus::Cancelled, now)
    }

    fn turn(&mut self, status: RedriveStatus, now: Timestamp) -> Result<bool, RedriveOver> {
        if !self.status.is_open() {
            return Err(RedriveOver);
        }
        let is_change = self.status != status;
        self.status = status;
        self.updated_at = now;
        Ok(is_change)
    }

    /// Gives it to this process until its next batch, if there is anything left to do.
    pub fn keep_for(&mut self, owner: &Arc<str>, now: Timestamp) {
        self.lease = self.needs_work().then(|| Lease::begin(owner, now, REDRIVE_LEASE));
    }

    /// Lets any process take it.
    pub fn release(&mut self) {
        self.lease = None;
    }

    /// Notes that no dead letter is left to be looked at: it is done, unless a batch is still to be sent. Those of its
    /// letters that it did not meet, because somebody else sent them again or removed them before it came to them, are
    /// skipped.
    pub fn has_seen_all(&mut self) {
        if !self.pending.is_empty() {
            return;
        }
        self.status = RedriveStatus::Done;
        if self.total_is_exact {
            let Settled {
                redriven,
                skipped,
                failed,
            } = self.settled;
            self.settled.skipped += self.total.saturating_sub(redriven + skipped + failed);
        }
    }

    /// Counts what became of the pending batch, of which these are left.
    pub fn settle(&mut self, settled: Settled, left: Vec<MessageKey>, now: Timestamp) {
        self.pending = left;
        self.settled.add(settled);
        self.updated_at = now;
    }
}

#[cfg(test)]
mod tests;
