//! A number takes over from a check: its holds, its pace, its account. And from webhooks: the progress of its history.

use super::history::{HistoryImport, Wave};
use super::seen::{STANDARD_PER_SECOND, Seen};
use super::{STOP_BELIEVED, Standing};
use crate::domain::access_token::KnownToken;
use crate::domain::hold::{Hold, HoldReason};
use crate::domain::tenant::PhoneNumber;
use crate::domain::time::{Present, Timestamp};

/// Characters of a number as people write it.
const DISPLAY_CHARS_MAX: usize = 32;

impl PhoneNumber {
    /// Takes what a check saw: the number is held where it could not send, and goes on where that is over. Returns true if
    /// what was held may go out.
    pub fn take_seen(&mut self, seen: Seen, at: Present) -> bool {
        let before = std::mem::take(&mut self.standing);
        let was = before.stop_reason();
        let seen = seen.after(before.seen.as_ref());
        self.learn(&seen, before.seen.as_ref());
        let is_fine = seen.refused.is_none() && seen.stop_reason().is_none();
        let stop = before.stop.filter(|stop| {
            let is_disproved = seen.is_available() && stop.since + STOP_BELIEVED <= at.wall;
            !is_fine || !(stop.is_over || is_disproved)
        });
        self.standing = Standing {
            seen: Some(seen),
            checked_at: Some(at.wall),
            rests_until: None,
            is_asked: false,
            stop,
            news_at: before.news_at,
            subscribed_at: before.subscribed_at,
            history: before.history,
        };
        self.follow_stop(was, at.now)
    }

    /// Begins a hold if there is another reason than there was, and ends it if there is none any more. A hold of another
    /// kind stays. Returns true if it ended one.
    pub(super) fn follow_stop(&mut self, was: Option<String>, now: Timestamp) -> bool {
        let reason = HoldReason::AccountRestricted;
        match (was, self.standing.stop_reason()) {
            (was, Some(is)) if was.as_ref() != Some(&is) => {
                self.hold.get_or_insert(Hold {
                    reason,
                    since: now,
                    probe_at: Some(now + reason.probe_interval()),
                });
                false
            }
            (Some(_), None) => self.hold.take_if(|hold| hold.reason == reason).is_some(),
            _ => false,
        }
    }

    /// Meta's word on a number counts for more than a setting of somebody's. For the pace that is true when Meta's level
    /// changes, and at the first look where it is not the usual one: a lower pace than Meta allows is a choice.
    fn learn(&mut self, seen: &Seen, before: Option<&Seen>) {
        let number = &seen.number;
        if let Some(account) = number.waba_id.as_ref().filter(|id| self.waba_id.as_ref() != Some(*id)) {
            self.waba_id = Some(account.clone());
            self.waba_is_learned = true;
        }
        if self.display_phone_number.is_none() {
            let display = number.display.as_deref();
            let display = display.filter(|text| text.chars().count() <= DISPLAY_CHARS_MAX);
            self.display_phone_number = display.map(str::to_owned);
        }
        let was = before.and_then(Seen::messages_per_second);
        match seen.messages_per_second() {
            Some(STANDARD_PER_SECOND) if was.is_none() => {
                self.messages_per_second = self.messages_per_second.min(STANDARD_PER_SECOND);
            }
            Some(is) if was != Some(is) => self.messages_per_second = is,
            _ => {}
        }
    }

    /// Holds a number of whose token Meta says that it does not work.
    pub fn token_does_not_work(&mut self, at: Present) {
        let reason = HoldReason::CredentialsInvalid;
        let facts = self.token.take().and_then(|known| known.facts);
        self.token = Some(KnownToken {
            warned_days: None,
            facts: facts.filter(|facts| facts.expires_at.is_none()),
            checked_at: at.wall,
        });
        self.hold.get_or_insert(Hold {
            reason,
            since: at.now,
            probe_at: Some(at.now + reason.probe_interval()),
        });
    }

    /// Takes pieces of its history. Returns false if that changes nothing.
    pub fn take_waves(&mut self, waves: &[Wave], now: Timestamp) -> bool {
        let mut history = self
            .standing
            .history
            .clone()
            .unwrap_or_else(|| HistoryImport::begun(now));
        for wave in waves {
            history.take(*wave, now);
        }
        let is_changed = self.standing.history.as_ref() != Some(&history);
        self.standing.history = Some(history);
        is_changed
    }
}
