//! The standing of a number at Meta: what was seen of it at the last check, and what stops it from sending.
//!
//! A check compares what Meta says now with what was seen before. A difference is told once, because it is saved together with
//! its event. Times are dates.

mod drift;
mod history;
mod news;
mod seen;
mod taken;
mod told;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use super::time::Timestamp;

pub use drift::{Change, Concern, Drift};
pub use history::{CHUNKS_KNOWN_MAX, HistoryImport, Wave};
pub use news::{AccountNews, NewsKind};
pub use seen::{Refused, Seen, SeenNumber, WebhooksGo, webhooks_of};
pub use told::NumberTold;

/// The time in which a number is checked once, if the settings name no other.
pub const CHECKED_EVERY: Duration = Duration::from_hours(6);
/// The time for which a process has the check of a number to itself. After one without an answer nobody tries again sooner.
pub const CHECK_LEASE: Duration = Duration::from_mins(10);
/// Events of an account that ask for a check are heeded at most once in this time.
pub const ASKED_EVERY: Duration = Duration::from_mins(1);
/// A stop that an event told of is believed for this long, whatever Meta says of the number meanwhile.
pub const STOP_BELIEVED: Duration = Duration::from_hours(1);
/// An account that lost its subscription is subscribed again at most once in this time.
pub const SUBSCRIBED_EVERY: Duration = Duration::from_hours(24);

/// The standing of a number at Meta, as far as it is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Seen at the last check; `None` before the first one.
    pub seen: Option<Seen>,
    /// The time of the last answer.
    pub checked_at: Option<Timestamp>,
    /// Nobody checks it by itself before this.
    pub rests_until: Option<Timestamp>,
    /// True if an event of Meta's wants a check before its time.
    pub is_asked: bool,
    /// The event of the account that stopped its sending.
    pub stop: Option<AccountStop>,
    /// Meta's date of the last event that stopped its sending, or told that this is over.
    pub news_at: Option<Timestamp>,
    /// The last time that Dakghar subscribed its account again.
    pub subscribed_at: Option<Timestamp>,
    /// The history of the WhatsApp Business app, as far as it came.
    pub history: Option<HistoryImport>,
}

/// An event by which Meta told that an account may not send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountStop {
    /// Meta's name of it.
    pub event: Arc<str>,
    /// When Meta told of it.
    pub since: Timestamp,
    /// True if Meta told since that it is over. The next check believes it, if nothing else speaks against it.
    pub is_over: bool,
}

/// The reason that a number is to be checked, the most urgent one first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// An event stopped its sending, and something asks whether that is over.
    Stopped,
    /// An event or a person asks.
    Asked,
    /// It was never checked.
    New,
    /// It is time.
    Due,
}

impl Urgency {
    /// All of them, the most urgent one first.
    pub const ALL: [Self; 4] = [Self::Stopped, Self::Asked, Self::New, Self::Due];
}

/// The pace of checks: a number once in `every`, at a moment of its own.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// The time between two checks.
    pub every: Duration,
    /// A number that was never checked is not due before the first moment after this.
    pub begins: Timestamp,
}

impl Pace {
    /// The last moment of those whose numbers share this mark. They are spread evenly over the time between two checks.
    fn moment_before(self, now: Timestamp, mark: u64) -> Timestamp {
        let every = i64::try_from(self.every.as_millis()).unwrap_or(i64::MAX).max(1);
        let phase = i64::try_from(mark % every.unsigned_abs()).unwrap_or(0);
        let into = (now.as_millis() - phase).rem_euclid(every);
        Timestamp::from_millis(now.as_millis() - into)
    }
}

impl Standing {
    /// True if nothing is known and nothing is asked.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The standing of a number that was given, or got another token: it is checked soon, if anything of it goes to Meta.
    pub fn of_new(simulated: bool) -> Self {
        Self {
            is_asked: !simulated,
            ..Self::default()
        }
    }

    /// The standing of a number that a signup connected.
    pub fn of_connected(is_on_app: bool) -> Self {
        let mut standing = Self::of_new(false);
        if is_on_app {
            standing.knows_of_app();
        }
        standing
    }

    /// Notes Meta's word that the number is used with the WhatsApp Business app. The next check says the rest.
    pub fn knows_of_app(&mut self) {
        self.seen.get_or_insert_default().number.is_on_app = Some(true);
    }

    /// True if the number is to be checked now. `mark` is a number that is always the same for its tenant.
    pub fn is_due(&self, now: Timestamp, pace: Pace, mark: u64) -> bool {
        // A rest that is longer than any can be was set by a clock that was ahead.
        let rests = self
            .rests_until
            .is_some_and(|until| now < until && until <= now + CHECK_LEASE);
        if rests {
            return false;
        }
        match self.checked_at {
            _ if self.is_asked => true,
            // A time that is ahead was set by a clock that was.
            Some(last) if last > now => true,
            last => last.unwrap_or(pace.begins) < pace.moment_before(now, mark),
        }
    }

    /// The reason to check the number now; `None` if there is none.
    pub fn urgency(&self, now: Timestamp, pace: Pace, mark: u64) -> Option<Urgency> {
        self.is_due(now, pace, mark).then(|| match self.checked_at {
            _ if self.is_asked && self.stop.is_some() => Urgency::Stopped,
            Some(_) if self.is_asked => Urgency::Asked,
            Some(_) => Urgency::Due,
            // Somebody asks for each that is new, and there may be many at once.
            None => Urgency::New,
        })
    }

    /// True if something asks for a check since the standing was as it is before one.
    pub fn is_asked_since(&self, before: &Self) -> bool {
        (self.is_asked && !before.is_asked) || self.stop != before.stop
    }

    /// Gives the check to one process for a while.
    pub fn rest_from(&mut self, now: Timestamp) {
        self.rests_until = Some(now + CHECK_LEASE);
    }

    /// Says why the number cannot send, as far as that is known: each reason has words of its own.
    pub fn stop_reason(&self) -> Option<String> {
        let seen = self.seen.as_ref().and_then(Seen::stop_reason);
        seen.or_else(|| Some(format!("event {}", self.stop.as_ref()?.event)))
    }

    /// True if the account may be subscribed again now.
    pub fn may_subscribe(&self, now: Timestamp) -> bool {
        self.subscribed_at
            .is_none_or(|at| at + SUBSCRIBED_EVERY <= now || at > now)
    }
}
