//! Every change of a stored message is one of the protocol's, made by somebody who may, and true.

use std::time::Duration;

use dakghar_core::domain::graph_error::{RefusalClass, classify};
use dakghar_core::domain::listening::NEAR;
use dakghar_core::domain::message::{DeadReason, TimelineEntry, TimelineEvent, UnknownOutcome};
use dakghar_core::domain::pacing::SLOT_TOLERANCE;
use dakghar_core::domain::{MessageKey, Status, Timestamp};

use super::{Check, Claim, Promises, State, Story, broken, describe, must};
use crate::world::executor::Life;
use crate::world::meta::{Answer, Meta, refusal};
use crate::world::process::owner;
use crate::world::seen::Seen;

/// The time after the first request to slow down at which a further one ends a message.
const SLOW_DOWN_MAX: Duration = Duration::from_hours(24);
/// Entries from which on old ones make room, so that the new ones cannot be told by counting.
const TIMELINE_FULL: usize = 60;

fn check_claim(story: &mut Story, claim: Claim, clocks_are_wrong: bool, before: &Seen, after: &Seen) -> Check {
    let by = claim.by;
    let change = || format!("by {by:?}\n  before {}\n  after  {}", describe(before), describe(after));
    must(
        may_be_claimed(after, clocks_are_wrong),
        "a message is claimed when its slot has come and its time is not over",
        change,
    )?;
    must(
        !story.claims.contains_key(&after.attempt()),
        "an attempt is claimed once",
        change,
    )?;
    story.claims.insert(after.attempt(), claim);
    Ok(())
}

impl Promises {
    pub(super) fn check_change(&self, state: &mut State, by: Life, before: &Seen, after: &Seen) -> Check {
        let key = after.key();
        let change = || format!("by {by:?}\n  before {}\n  after  {}", describe(before), describe(after));
        must(after.version() == before.version() + 1, "a save counts as one", change)?;
        must(is_fixed(before, after), "what was accepted stays as it is", change)?;
        must(
            nothing_falls(before, after),
            "epoch, attempt, drive and evidence never fall",
            change,
        )?;
        must(
            is_legal(before.status(), after.status()),
            "every transition is one of the protocol's",
            change,
        )?;
        must(
            epoch_fits(before, after),
            "the epoch rises when a call is authorised or its outcome is taken over",
            change,
        )?;
        must(
            after.attempts_counted() <= after.attempts_max(),
            "no more attempts count than may",
            change,
        )?;
        self.check_timer(after)?;
        if let Some(called_at) = after.called_at().filter(|_| after.status_seen_at().is_some()) {
            state.flowing.insert((after.number().clone(), called_at));
        }
        let news = if before.timeline().len() < TIMELINE_FULL {
            after.timeline().get(before.timeline().len()..).unwrap_or_default()
        } else {
            &[]
        };
        if before.status() == Status::Queued && after.status() == Status::Sending {
            let claim = Claim {
                by,
                epoch: after.epoch(),
                is_called: false,
                at: self.now(),
            };
            let story = state.stories.entry(key).or_default();
            check_claim(story, claim, self.are_clocks_wrong(), before, after)?;
        }
        if before.status() == Status::InDoubt && after.status() == Status::Queued {
            self.check_resend(state, before, after)?;
        }
        let story = state.stories.entry(key).or_default();
        for entry in news {
            self.check_news(story, by, before, after, entry)?;
        }
        check_refund(before, after, news)?;
        check_status(story, before, after, news)
    }

    /// Whoever is not settled is looked at again.
    pub(super) fn check_timer(&self, seen: &Seen) -> Check {
        let promise = "every unsettled message has a timer, and no other one";
        let status = seen.status();
        let needs_timer = status.is_unsettled() && (status != Status::Queued || self.queued_needs_timer);
        must(!needs_timer || seen.wake_at().is_some(), promise, || describe(seen))?;
        must(status.is_unsettled() || seen.wake_at().is_none(), promise, || {
            describe(seen)
        })?;
        if status == Status::Sending {
            // Whoever saw it for the first time when it seemed to be over watches it for its length.
            let watched = self.now() + self.timings.lease;
            let until = seen
                .lease()
                .map(|(_, until)| (until + self.timings.lease_margin).max(watched));
            must(
                until.is_some() && (seen.wake_at() <= until || self.are_clocks_wrong()),
                "a lease is looked at when it is over",
                || describe(seen),
            )?;
        }
        Ok(())
    }

    /// T12: a message in doubt is sent again if its policy says so, and not before the grace is over.
    fn check_resend(&self, state: &mut State, before: &Seen, after: &Seen) -> Check {
        let is_over = before.grace_until().is_none_or(|until| until <= self.now()) || self.are_clocks_wrong();
        must(is_over, "nothing is sent again before its grace is over", || {
            describe(before)
        })?;
        let number = before.number();
        match before.policy() {
            UnknownOutcome::Fail => broken("under `fail` a message in doubt is not sent again", || describe(after)),
            UnknownOutcome::Resend => {
                excuse(state, before.key(), before.attempt());
                Ok(())
            }
            // The promise of `auto`: a message is sent again while no status of it was taken, if statuses of calls of
            // the same number shortly before and after it were, and Meta posted none that was refused. Meta's own
            // silence on a message that it took, for longer than the grace and while others are reported, therefore
            // ends in a second one. A status that was answered settles the message, so this cannot be reached.
            UnknownOutcome::Auto => {
                let called_at = before.called_at().expect("it was called");
                let mut times = state.flowing.iter().filter(|(of, _)| of == number).map(|(_, at)| *at);
                let is_before = |at: Timestamp| at < called_at && called_at <= at + NEAR;
                let is_after = |at: Timestamp| at > called_at && at <= called_at + NEAR;
                let flows = times.clone().any(is_before) && times.any(is_after);
                must(
                    flows,
                    "under `auto` only statuses of calls before and after allow to send again",
                    || describe(before),
                )?;
                // A report that comes after the grace is later than silence is waited for.
                let grace_until = before.grace_until().expect("it was waited for");
                let refused_at = state.refused.get(&Meta::wamid(before.key(), before.attempt()));
                must(
                    refused_at.is_none_or(|at| *at > grace_until),
                    "under `auto` nothing is sent again of which a status was refused",
                    || describe(before),
                )?;
                excuse(state, before.key(), before.attempt());
                Ok(())
            }
        }
    }

    /// What the timeline says is true.
    fn check_news(&self, story: &Story, by: Life, before: &Seen, after: &Seen, entry: &TimelineEntry) -> Check {
        let change = || {
            format!(
                "by {by:?}: {entry:?}\n  before {}\n  after  {}",
                describe(before),
                describe(after)
            )
        };
        let holds_lease = before.status() == Status::Sending
            && before.epoch() == after.epoch()
            && before.lease().is_some_and(|(holder, _)| *holder == owner(by));
        // What a dead process has kept is as good as if it had lived to store it.
        let is_replayed = before.status() == Status::Sending
            && before.epoch() == after.epoch()
            && story
                .kept
                .get(&before.epoch())
                .is_some_and(|by| !self.executor.is_alive(*by));
        let attempt = entry.attempt.unwrap_or_default();
        match entry.event {
            TimelineEvent::Attempt => {
                let may_record = holds_lease || is_replayed;
                must(may_record, "only who holds the epoch records an outcome", change)?;
                let decided = story.decided.get(&attempt).copied();
                let is_true = attempt == before.attempt()
                    && match entry.detail.as_deref() {
                        Some("sent") => decided == Some(Answer::Accepts),
                        Some("not_sent") => decided.is_none_or(|answer| answer == Answer::Unreachable),
                        Some("turned_away") => decided == Some(Answer::TurnedAway),
                        _ => decided == entry.error.as_ref().and_then(|error| error.code).map(Answer::Refuses),
                    };
                must(is_true, "the outcome of a call is the one that it had", || {
                    format!("{decided:?} {}", change())
                })
            }
            TimelineEvent::InDoubt if before.epoch() == after.epoch() => {
                must(holds_lease, "only who holds the epoch records an outcome", change)
            }
            TimelineEvent::InDoubt => {
                let Some((holder, _)) = before.lease() else {
                    return broken("a lease is taken over when it is over", change);
                };
                let claim = story.claims.get(&before.attempt());
                // Nobody calls any more when the margin begins.
                let over_after = self.timings.lease.saturating_sub(self.timings.lease_margin);
                // Its own lease began before the claim was stored.
                let is_over = claim.is_some_and(|claim| claim.by == by || claim.at + over_after <= self.now());
                let is_orphan =
                    claim.is_some_and(|claim| owner(claim.by) == *holder && !self.executor.is_alive(claim.by));
                must(is_over || is_orphan, "a lease is taken over when it is over", change)
            }
            TimelineEvent::Status => {
                let is_true = match entry.attempt {
                    Some(attempt) => story.has_taken(attempt),
                    None => after.is_reported(),
                };
                must(is_true, "evidence is about a call that Meta took", change)
            }
            _ => Ok(()),
        }
    }
}

/// Attempts up to this one may be followed by another that Meta takes.
fn excuse(state: &mut State, key: MessageKey, attempt: u32) {
    let story = state.stories.entry(key).or_default();
    story.excused = story.excused.max(attempt);
}

fn may_be_claimed(after: &Seen, clocks_are_wrong: bool) -> bool {
    let Some(called_at) = after.called_at() else {
        return false;
    };
    let slot_has_come = after
        .slot_at()
        .is_none_or(|slot_at| slot_at <= called_at + SLOT_TOLERANCE);
    // The expiry is a date, which the time of the call may be ahead of.
    slot_has_come && (clocks_are_wrong || after.expires_at().is_none_or(|expires_at| called_at < expires_at))
}

fn is_fixed(before: &Seen, after: &Seen) -> bool {
    before.key() == after.key()
        && before.number() == after.number()
        && before.body() == after.body()
        && before.policy() == after.policy()
        && before.attempts_max() == after.attempts_max()
}

fn nothing_falls(before: &Seen, after: &Seen) -> bool {
    before.epoch() <= after.epoch()
        && before.attempt() <= after.attempt()
        && before.attempts_refunded() <= after.attempts_refunded()
        && before.drive() <= after.drive()
        && before.maybe_sent() <= after.maybe_sent()
        && after.wamids().starts_with(before.wamids())
        && (before.status_seen_at().is_none() || before.status_seen_at() == after.status_seen_at())
}

/// The transitions T1 to T18, and changes that leave the status as it is.
fn is_legal(before: Status, after: Status) -> bool {
    use Status::{Cancelled, Dead, Delivered, Expired, Failed, Held, InDoubt, Queued, Read, Sending, Sent};
    let is_evidence = matches!(after, Sent | Failed | Delivered | Read);
    if is_evidence {
        return before.rank() <= after.rank();
    }
    before == after
        || match before {
            Queued => matches!(after, Sending | Held | Cancelled | Expired | Dead),
            Held => matches!(after, Queued | Cancelled | Expired | Dead),
            Sending => matches!(after, Queued | Held | InDoubt | Expired | Dead),
            InDoubt => matches!(after, Queued | Dead),
            Dead | Failed | Expired => after == Queued,
            _ => false,
        }
}

fn epoch_fits(before: &Seen, after: &Seen) -> bool {
    use Status::{Dead, Expired, Failed, InDoubt, Queued, Sending};
    let rise = after.epoch() - before.epoch();
    let attempts = after.attempt() - before.attempt();
    match (before.status(), after.status()) {
        (Queued, Sending) => rise == 1 && attempts == 1,
        (InDoubt, Queued | Dead) | (Dead | Failed | Expired, Queued) => rise == 1 && attempts == 0,
        // By the worker, or by whoever takes over.
        (Sending, InDoubt) => rise <= 1 && attempts == 0,
        _ => rise == 0 && attempts == 0,
    }
}

/// An attempt is given back when Meta only asked to slow down, or refused the token or the account, or when no byte of it
/// left; and all are when somebody sends the message again.
fn check_refund(before: &Seen, after: &Seen, news: &[TimelineEntry]) -> Check {
    if before.timeline().len() >= TIMELINE_FULL {
        return Ok(());
    }
    let is_redriven = news.iter().any(|entry| entry.event == TimelineEvent::Redriven);
    let is_refunded = |entry: &TimelineEntry| {
        let code = entry.error.as_ref().and_then(|error| error.code);
        let no_byte_left = entry.detail.as_deref() == Some("not_sent");
        let is_asked_to_wait = code.is_some_and(|code| {
            use RefusalClass::{Account, PaceAccount, PaceApp, PaceNumber, PacePair, Token};
            matches!(
                classify(&refusal(code)).class,
                PaceNumber | PacePair | PaceAccount | PaceApp | Token | Account
            )
        });
        entry.event == TimelineEvent::Attempt && (no_byte_left || is_asked_to_wait)
    };
    let expected = if is_redriven {
        before.attempt()
    } else {
        before.attempts_refunded() + u32::from(news.iter().any(is_refunded))
    };
    must(
        after.attempts_refunded() == expected,
        "what Meta only asked to slow down for, or never got, is refunded",
        || format!("expected {expected}: {}", describe(after)),
    )
}

/// Meta asked to slow down at least a day ago, and since then nobody sent the message again on purpose.
fn was_slowed_down_for_long(before: &Seen, after: &Seen) -> bool {
    let newest = before.timeline().iter().rev();
    let since_redrive = newest.take_while(|entry| entry.event != TimelineEvent::Redriven);
    let mut waits = since_redrive.filter(|entry| entry.detail.as_deref() == Some("slow_down"));
    let ended_at = after.timeline().last().map(|entry| entry.at);
    waits.any(|entry| ended_at.is_some_and(|at| entry.at + SLOW_DOWN_MAX <= at))
}

/// The status is one that the truth allows.
#[expect(clippy::too_many_lines, reason = "one arm for each status")]
fn check_status(story: &mut Story, before: &Seen, after: &Seen, news: &[TimelineEntry]) -> Check {
    if before.status() == after.status() {
        return Ok(());
    }
    let change = || format!("\n  before {}\n  after  {}", describe(before), describe(after));
    let is_taken = story.taken().next().is_some();
    let has_arrived = story.taken().any(|attempt| !story.failed.contains(&attempt));
    match after.status() {
        Status::Sent | Status::Delivered | Status::Read => {
            let is_true = is_taken || after.is_reported();
            must(is_true, "what was sent was taken by Meta", change)
        }
        Status::Failed => {
            let is_refused = matches!(story.decided.get(&before.attempt()), Some(Answer::Refuses(code))
                if classify(&refusal(*code)).class == RefusalClass::Fail);
            let is_reported = story.failed.contains(&before.attempt());
            must(
                is_refused || is_reported,
                "a message fails when its latest call did",
                change,
            )
        }
        Status::InDoubt => must(
            after.maybe_sent() && after.grace_until().is_some(),
            "a message in doubt may have been sent, and waits for evidence",
            change,
        ),
        Status::Cancelled => must(
            !has_arrived && !after.maybe_sent(),
            "only what cannot be sent is cancelled",
            change,
        ),
        Status::Expired => must(
            !has_arrived && !after.maybe_sent() && before.expires_at().is_some(),
            "a message expires when its time is over and it was not sent",
            change,
        ),
        Status::Dead => {
            let is_true = match after.dead_reason() {
                Some(DeadReason::OutcomeUnknown) => after.maybe_sent(),
                Some(DeadReason::AttemptsExhausted) => {
                    !after.maybe_sent()
                        && (after.attempts_counted() >= after.attempts_max() || was_slowed_down_for_long(before, after))
                }
                Some(DeadReason::Poison) => !after.maybe_sent() && after.strikes() >= 5,
                Some(DeadReason::NumberRemoved | DeadReason::OptedOut | DeadReason::WindowClosed) => {
                    !after.maybe_sent()
                }
                None => false,
            };
            must(is_true, "a message is given up for a reason that is true", change)?;
            must(
                !has_arrived || after.maybe_sent(),
                "what Meta took may have been sent",
                change,
            )
        }
        Status::Queued if before.status().is_dead_letter() => {
            let is_asked = news.iter().any(|entry| entry.event == TimelineEvent::Redriven);
            must(
                is_asked,
                "a dead letter is sent again when somebody asks for it",
                change,
            )?;
            if story.risk_accepted {
                story.excused = story.excused.max(before.attempt());
            }
            Ok(())
        }
        _ => Ok(()),
    }
}
