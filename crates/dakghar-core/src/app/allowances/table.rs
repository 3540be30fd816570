//! A bounded table of those who have an allowance. Its times are by the machine's uptime.

use std::collections::HashMap;
use std::time::Duration;

use super::spender::Spender;
use crate::domain::allowance::Usage;

/// Accounts and apps that are known at a time, 2 MB at most. Beyond them the oldest are forgotten.
pub(super) const KNOWN_MAX: usize = 10_000;
/// The part of them that is forgotten at once, so that one that is new does not cost a look at all each time.
const FORGOTTEN_AT_ONCE: usize = KNOWN_MAX / 8;
/// Meta counts by the hour, so what it said longer ago says nothing any more.
const USAGE_KEPT: Duration = Duration::from_hours(1);
/// The rest after the first refusal, doubled with each further one in a row.
const REST_FIRST: Duration = Duration::from_secs(2);
/// The longest rest that refusals cause by themselves.
const REST_LONGEST: Duration = Duration::from_secs(60);
/// A refusal that comes so long after the rest before it is a first one again.
const RELAPSE: Duration = Duration::from_secs(60);

/// What is known of one.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    /// What Meta said last, and when.
    usage: Option<(Usage, Duration)>,
    until: Duration,
    /// Rests in a row that refusals began.
    refusals: u32,
    /// True if Meta has taken a message since the last rest.
    has_sent: bool,
    /// Counts what is noted, so that each has a place of its own.
    noted: u64,
}

impl Known {
    /// Its place among all, those that may be forgotten first: whoever rests spends nothing, so that nothing is noted of it.
    fn place(&self, now: Duration) -> (bool, u64) {
        (self.until > now, self.noted)
    }

    /// Sets the end of the rest. Returns true if one begins with it.
    fn rest_until(&mut self, until: Duration, now: Duration) -> bool {
        let begins = self.until <= now && until > now;
        if begins {
            self.has_sent = false;
        }
        self.until = until;
        begins
    }
}

#[derive(Debug, Default)]
pub(super) struct Table {
    known: HashMap<Spender, Known>,
    notes: u64,
}

impl Table {
    pub(super) fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// The rest that is left.
    pub(super) fn rest_of(&self, spender: &Spender, now: Duration) -> Option<Duration> {
        let rest = self.known.get(spender)?.until.checked_sub(now)?;
        (!rest.is_zero()).then_some(rest)
    }

    /// What Meta said last, with the time that is left of the one it named, and how long ago that was.
    pub(super) fn usage_of(&self, spender: &Spender, now: Duration) -> Option<(Usage, Duration)> {
        let (usage, told_at) = self.known.get(spender)?.usage?;
        let age = now.saturating_sub(told_at);
        let regained_after = usage.regained_after.and_then(|after| after.checked_sub(age));
        let usage = Usage {
            regained_after: regained_after.filter(|after| !after.is_zero()),
            ..usage
        };
        (age < USAGE_KEPT).then_some((usage, age))
    }

    /// Notes what Meta said. Returns true if a rest begins.
    pub(super) fn tell(&mut self, spender: Spender, usage: Usage, now: Duration) -> bool {
        let known = self.note(spender, now);
        known.usage = Some((usage, now));
        let Some(rest) = usage.rest() else { return false };
        let until = now + rest;
        // Where Meta names the time, it is the one that counts, be it shorter than what was guessed before.
        let until = if usage.regained_after.is_some() {
            until
        } else {
            until.max(known.until)
        };
        known.rest_until(until, now)
    }

    /// Notes a refusal, with the wait that it asks for. Returns true if a rest begins.
    pub(super) fn refuse(&mut self, spender: Spender, asked: Duration, now: Duration) -> bool {
        let known = self.note(spender, now);
        let mut rest = asked;
        // What was under way when a rest began says nothing new.
        if known.until <= now {
            if now.saturating_sub(known.until) >= RELAPSE {
                known.refusals = 0;
            }
            let longer = REST_FIRST.saturating_mul(1 << known.refusals.min(10));
            rest = rest.max(longer.min(REST_LONGEST));
            known.refusals = known.refusals.saturating_add(1);
        }
        let until = known.until.max(now + rest);
        known.rest_until(until, now)
    }

    /// Notes that Meta took a message.
    pub(super) fn took(&mut self, spender: &Spender, now: Duration) {
        if let Some(known) = self.known.get_mut(spender)
            && known.until <= now
        {
            known.has_sent = true;
        }
    }

    /// True if Meta has taken a message since a rest that was over a moment ago. A refusal of something else then says
    /// nothing of messages, and whoever goes on asking for it must not hold them up again and again.
    pub(super) fn takes_messages(&self, spender: &Spender, now: Duration) -> bool {
        let known = self.known.get(spender);
        known.is_some_and(|known| {
            known.refusals > 0 && known.has_sent && known.until <= now && now.saturating_sub(known.until) < RELAPSE
        })
    }

    /// The place of one of which something is noted.
    fn note(&mut self, spender: Spender, now: Duration) -> &mut Known {
        if self.known.len() >= KNOWN_MAX && !self.known.contains_key(&spender) {
            self.forget_oldest(now);
        }
        self.notes += 1;
        let known = self.known.entry(spender).or_default();
        known.noted = self.notes;
        known
    }

    fn forget_oldest(&mut self, now: Duration) {
        let mut places: Vec<_> = self.known.values().map(|known| known.place(now)).collect();
        let (_, last, _) = places.select_nth_unstable(FORGOTTEN_AT_ONCE);
        let last = *last;
        self.known.retain(|_, known| known.place(now) > last);
    }
}
