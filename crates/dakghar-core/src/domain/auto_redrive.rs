//! Redrives that begin by themselves when the cause of dead letters has ended, as far as their tenant wants that.
//!
//! The end of a cause is noted in the tenant's record, by the save that ends it, with the id of the redrive that follows
//! from it. So it is neither lost nor followed twice, whoever dies in between.

use super::graph_error::{RefusalClass, class_of};
use super::hold::HoldReason;
use super::ids::{PhoneNumberId, RedriveId};
use super::message::{DeadLetter, DeadReason};
use super::time::Timestamp;

/// The most messages a minute.
pub const AUTO_PER_MINUTE_MAX: u32 = 60_000;
/// The greatest age of a dead letter, in hours: redrives that are over are forgotten later.
pub const AUTO_HOURS_MAX: u32 = 29 * 24;
/// The most times that a message is sent again.
pub const AUTO_TIMES_MAX: u32 = 10;
/// Ends of one cause at one number that are remembered: the one that is followed, and the latest.
const ENDS_OF_ONE_MAX: usize = 2;

/// Why messages of a number became dead letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Meta refused the access token. It ends when that is replaced, or works again.
    Token,
    /// Meta restricted the account. It ends with the hold.
    Account,
    /// Meta's own failures, and its requests to slow down, used up all attempts. It ends when Meta takes a message of the
    /// number again.
    Meta,
    /// The tenant did not have the number any more. It ends when it has it again.
    Number,
}

impl Cause {
    /// Every cause.
    pub const ALL: [Self; 4] = [Self::Token, Self::Account, Self::Meta, Self::Number];

    /// The name used in answers and in the stores.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Token => "token_refused",
            Self::Account => "account_restricted",
            Self::Meta => "attempts_exhausted",
            Self::Number => "number_removed",
        }
    }

    /// Reads the name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cause| cause.as_str() == text)
    }

    /// Returns the cause that ends with a hold for this reason. A pause makes no dead letters.
    pub const fn of_hold(reason: HoldReason) -> Option<Self> {
        match reason {
            HoldReason::CredentialsInvalid => Some(Self::Token),
            HoldReason::AccountRestricted => Some(Self::Account),
            HoldReason::Paused | HoldReason::PausedByOperator => None,
        }
    }

    /// Returns the cause of a dead letter, if it is one that ends.
    pub fn of(letter: &DeadLetter) -> Option<Self> {
        match (letter.code.and_then(class_of), letter.reason) {
            (_, Some(DeadReason::NumberRemoved)) => Some(Self::Number),
            (
                _,
                Some(DeadReason::OutcomeUnknown | DeadReason::Poison | DeadReason::OptedOut | DeadReason::WindowClosed),
            ) => None,
            (Some(RefusalClass::Token), _) => Some(Self::Token),
            (Some(RefusalClass::Account), _) => Some(Self::Account),
            (_, Some(DeadReason::AttemptsExhausted)) => Some(Self::Meta),
            (_, None) => None,
        }
    }
}

/// The wish of a tenant that messages are sent again by themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AutoRedrive {
    /// The causes after whose end it is.
    pub causes: Vec<Cause>,
    /// Messages a minute, 1 to [`AUTO_PER_MINUTE_MAX`].
    pub per_minute: u32,
    /// Only dead letters that ended at most so many hours before the cause, 1 to [`AUTO_HOURS_MAX`].
    pub hours: u32,
    /// No message more often than this, with what people sent again, 1 to [`AUTO_TIMES_MAX`].
    pub times: u32,
}

/// The automatic part of a redrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Automatic {
    /// The cause that ended.
    pub cause: Cause,
    /// Messages a minute.
    pub per_minute: u32,
    /// No message more often than this.
    pub times: u32,
}

/// A cause that ended, and the redrive that follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CauseEnd {
    /// The id of the redrive.
    pub id: RedriveId,
    /// The cause.
    pub cause: Cause,
    /// The number at which it ended.
    pub phone_number_id: PhoneNumberId,
    /// When it ended. What became a dead letter later has another cause.
    pub at: Timestamp,
}

/// The part of a tenant's record about redrives that begin by themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AutoRedriving {
    /// The wish of the tenant; `None` is off.
    pub policy: Option<AutoRedrive>,
    /// The numbers of which a message used up its attempts, and none was taken since.
    pub failing: Vec<PhoneNumberId>,
    /// The causes that ended, in that order, until their redrives are over.
    pub ended: Vec<CauseEnd>,
}

impl AutoRedriving {
    /// True if redrives are to follow from this cause.
    pub fn wants(&self, cause: Cause) -> bool {
        self.policy
            .as_ref()
            .is_some_and(|policy| policy.causes.contains(&cause))
    }

    /// True while a message of the number has used up its attempts, and none was taken since.
    pub fn is_failing(&self, number: &PhoneNumberId) -> bool {
        self.failing.contains(number)
    }

    /// Notes that a message of the number uses up its attempts. Returns false if that is known or not wanted.
    pub fn fails(&mut self, number: &PhoneNumberId) -> bool {
        let is_new = self.wants(Cause::Meta) && !self.is_failing(number);
        if is_new {
            self.failing.push(number.clone());
        }
        is_new
    }

    /// Notes that Meta took a message of the number.
    pub fn works(&mut self, number: &PhoneNumberId, id: RedriveId, at: Timestamp) {
        if self.is_failing(number) {
            self.failing.retain(|failing| failing != number);
            self.ends(Cause::Meta, number, id, at);
        }
    }

    /// Notes that a cause ended, if a redrive is to follow. The end that is followed already stays; of those behind it the
    /// latest counts, because it reaches as far as they do.
    pub fn ends(&mut self, cause: Cause, number: &PhoneNumberId, id: RedriveId, at: Timestamp) {
        if !self.wants(cause) {
            return;
        }
        let is_same = |end: &CauseEnd| end.cause == cause && end.phone_number_id == *number;
        if self.ended.iter().filter(|end| is_same(end)).count() >= ENDS_OF_ONE_MAX
            && let Some(latest) = self.ended.iter().rposition(is_same)
        {
            self.ended.remove(latest);
        }
        self.ended.push(CauseEnd {
            id,
            cause,
            phone_number_id: number.clone(),
            at,
        });
    }

    /// Forgets what is about numbers that the tenant gave up.
    pub fn keep_numbers(&mut self, has: impl Fn(&PhoneNumberId) -> bool) {
        self.failing.retain(&has);
        self.ended.retain(|end| has(&end.phone_number_id));
    }

    /// Sets what the tenant wants. What is not wanted any more is forgotten.
    pub fn set(&mut self, policy: Option<AutoRedrive>) {
        self.policy = policy;
        if !self.wants(Cause::Meta) {
            self.failing.clear();
        }
        let policy = self.policy.take();
        let wants = |cause| policy.as_ref().is_some_and(|policy| policy.causes.contains(&cause));
        self.ended.retain(|end| wants(end.cause));
        self.policy = policy;
    }
}

#[cfg(test)]
mod tests;
