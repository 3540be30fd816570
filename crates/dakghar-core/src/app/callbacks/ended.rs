//! What follows from the answer of a receiver.

use std::time::Duration;

use super::call::{EndedCallback, Outcome, OutgoingCall};
use super::item::{Item, Source};
use super::state::EndpointRun;
use crate::domain::Timestamp;
use crate::domain::callback::{
    Attempt, CallbackException, ExceptionState, LastAttempt, RETRY_AFTER_MAX, Tried, next_attempt,
};
use crate::domain::endpoint::DisabledReason;

/// What a receiver answers that is gone for good.
const GONE: u16 = 410;
/// The wait before an exception is tried again whose call was not made.
const NOT_MADE_WAIT: Duration = Duration::from_secs(1);

impl EndpointRun {
    /// Takes the answer of a receiver.
    pub fn ended(&mut self, ended: EndedCallback) {
        let now = self.deps.clock.now();
        let EndedCallback {
            call,
            outcome,
            began_at,
        } = ended;
        self.under_way -= 1;
        for line in call.items.iter().filter_map(Item::line) {
            self.busy.remove(&line);
        }
        if let Some(run) = call.items.first().and_then(|first| self.replay_of(first.source)) {
            run.under_way -= 1;
        }
        self.take_outcome(call, outcome, began_at, now);
        self.note_replayed();
    }

    fn take_outcome(&mut self, call: OutgoingCall, outcome: Outcome, began_at: Timestamp, now: Timestamp) {
        let answer = match outcome {
            Outcome::Answered(answer) => answer,
            Outcome::NothingToSend => return self.leave_out(&call.items, now),
            Outcome::NotMade => return self.take_back(call.items, now),
        };
        let end = answer.end;
        let metrics = &self.deps.metrics;
        metrics.callback_attempts.of(end.into()).inc();
        metrics.callback_latency.observe(answer.took);
        let last = LastAttempt {
            at: began_at,
            took: answer.took,
            end,
            answer: answer.failure_body,
        };
        for item in &call.items {
            self.unsaved.attempts.push(attempt(item, &last));
        }
        if end.is_success() {
            self.succeeded(&call, now);
        } else {
            self.failed(
                &call,
                &last,
                answer.retry_after.map(|wait| wait.min(RETRY_AFTER_MAX)),
                now,
            );
        }
        self.unsaved.note(self.deps.clock.uptime(), call.items.len());
    }

    /// True if the call went to the address that the endpoint has now. What an address says tells nothing of the next one.
    fn is_at_present_address(&self, call: &OutgoingCall) -> bool {
        call.endpoint.url == self.endpoint.url
    }

    fn succeeded(&mut self, call: &OutgoingCall, now: Timestamp) {
        if self.is_at_present_address(call) {
            if self.progress.breaker.succeeded(now, tried(call)) {
                tracing::info!(
                    endpoint_id = %self.endpoint.id, tenant_id = %self.endpoint.tenant_id,
                    "an endpoint takes callbacks again"
                );
            }
            self.progress.not_before = None;
        }
        self.progress.delivered += call.items.len() as u64;
        self.progress.delivered_at = Some(now);
        for item in &call.items {
            if item.is_replay {
                self.deps.metrics.callbacks_replayed.inc();
            } else {
                let (metrics, lag) = (&self.deps.metrics, now.since(item.feed.entry.at));
                metrics.callback_lag.observe(lag);
                let tenant_id = &self.endpoint.tenant_id;
                metrics.tenants.count(tenant_id, 1, |of| of.callback_lag.observe(lag));
            }
            if self.replay_of(item.source).is_some()
                && let Some(progress) = &mut self.progress.replay
            {
                progress.delivered += 1;
            }
            self.done(item, now);
        }
    }

    /// What a failed call says of its endpoint.
    fn judge_endpoint(&mut self, call: &OutgoingCall, last: &LastAttempt, asked: Option<Duration>, now: Timestamp) {
        if self.progress.breaker.failed(now, tried(call), last.end) {
            self.deps.metrics.callback_breakers_opened.inc();
            tracing::warn!(
                endpoint_id = %self.endpoint.id, tenant_id = %self.endpoint.tenant_id,
                "an endpoint takes no callbacks; it is tried from time to time, and what is for it waits"
            );
        }
        self.progress.not_before = asked.filter(|_| last.end.is_of_receiver()).map(|wait| now + wait);
        if last.end.status() == Some(GONE) {
            self.unsaved.disable = Some(DisabledReason::Gone);
        } else if self.progress.breaker.has_given_up(now) {
            self.unsaved.disable = Some(DisabledReason::Failing);
        }
    }

    fn failed(&mut self, call: &OutgoingCall, last: &LastAttempt, asked: Option<Duration>, now: Timestamp) {
        let is_at_present_address = self.is_at_present_address(call);
        let asked = asked.filter(|_| is_at_present_address);
        if is_at_present_address {
            self.judge_endpoint(call, last, asked, now);
        }
        self.progress.failed += 1;
        self.progress.failed_at = Some(now);
        for item in &call.items {
            match self.replay_of(item.source).is_some() {
                true => self
                    .progress
                    .replay
                    .iter_mut()
                    .for_each(|progress| progress.failed += 1),
                // It was cancelled meanwhile: what it leaves is as it was.
                false if matches!(item.source, Source::Replay(_)) => continue,
                false => {}
            }
            let (since, attempts) = (item.since.unwrap_or(now), item.attempts + 1);
            let is_kept_open = !matches!(item.source, Source::Replay(_)) || !self.has_replayed_enough();
            let next_at = next_attempt(since, now, attempts, self.deps.ids.jitter(), asked).filter(|_| is_kept_open);
            // A try that had begun before it was asked for does not count for who asks, nor one elsewhere for a new address.
            let is_called_up = self.pending.is_called_up(item.place());
            let next_at = if is_called_up || !is_at_present_address && is_kept_open {
                Some(now)
            } else {
                next_at
            };
            let state = next_at.map_or(ExceptionState::Dead, ExceptionState::Retrying);
            if state == ExceptionState::Dead {
                self.deps.metrics.callbacks_dead.inc();
            }
            let kept = Kept {
                state,
                attempts,
                since,
                last: Some(last.clone()),
            };
            self.keep(item, kept, now);
        }
    }

    /// An entry that an earlier one of its conversation is in the way of.
    pub(super) fn put_behind(&mut self, item: &Item, now: Timestamp) {
        let is_live = item.source == Source::Feed;
        if is_live && item.line().is_some_and(|line| self.pending.join(&line, item.place())) {
            self.window.done(item.place());
            self.unsaved.note(self.deps.clock.uptime(), 1);
            return;
        }
        let kept = Kept {
            state: ExceptionState::Behind,
            attempts: 0,
            since: now,
            last: None,
        };
        self.keep(item, kept, now);
        self.unsaved.note(self.deps.clock.uptime(), 1);
    }

    /// Entries of a call that was not made.
    fn take_back(&mut self, items: Vec<Item>, now: Timestamp) {
        for item in items {
            match item.source {
                Source::Feed => self.window.give_back(item.place(), item),
                Source::Exceptions => self.pending.put_back(item.place(), now + NOT_MADE_WAIT),
                Source::Replay(_) => {
                    if let Some(run) = self.replay_of(item.source) {
                        run.window.give_back(item.place(), item);
                    }
                }
            }
        }
    }

    /// Entries for which the endpoint's format has nothing.
    fn leave_out(&mut self, items: &[Item], now: Timestamp) {
        for item in items {
            self.done(item, now);
        }
        self.unsaved.note(self.deps.clock.uptime(), items.len());
    }

    fn done(&mut self, item: &Item, now: Timestamp) {
        match item.source {
            Source::Feed => self.window.done(item.place()),
            Source::Exceptions => {
                self.pending.remove(item.place(), now);
                self.unsaved.exceptions.insert(item.place(), None);
            }
            Source::Replay(_) => {
                // It may be a dead one, which it is no more; or one that has waited in a line and is tried now.
                if !self.pending.has(item.place()) {
                    self.unsaved.exceptions.insert(item.place(), None);
                }
                self.done_again(item);
            }
        }
    }

    fn done_again(&mut self, item: &Item) {
        if let Some(run) = self.replay_of(item.source) {
            run.window.done(item.place());
        }
    }

    fn keep(&mut self, item: &Item, kept: Kept, now: Timestamp) {
        if matches!(item.source, Source::Replay(_)) && self.pending.has(item.place()) {
            return self.done_again(item);
        }
        let exception = CallbackException {
            endpoint_id: self.endpoint.kept_under,
            placed: item.placed(),
            conversation_id: item.conversation_id,
            state: kept.state,
            attempts: kept.attempts,
            since: kept.since,
            last: kept.last,
            is_replay: item.is_replay,
        };
        self.pending.note(&exception, now);
        self.unsaved.exceptions.insert(item.place(), Some(exception));
        match item.source {
            Source::Feed => self.window.done(item.place()),
            Source::Exceptions => {}
            Source::Replay(_) => self.done_again(item),
        }
    }
}

fn tried(call: &OutgoingCall) -> Tried {
    let is_first = call.items.iter().all(|item| item.attempts == 0);
    if is_first { Tried::First } else { Tried::Again }
}

/// What is kept of an entry that was not taken.
struct Kept {
    state: ExceptionState,
    attempts: u32,
    since: Timestamp,
    last: Option<LastAttempt>,
}

fn attempt(item: &Item, last: &LastAttempt) -> Attempt {
    Attempt {
        place: item.place(),
        entry_id: item.feed.entry.id(),
        kind: item.feed.entry.kind.clone(),
        number: item.attempts + 1,
        at: last.at,
        took: last.took,
        end: last.end,
        answer: last.answer.clone().filter(|_| !last.end.is_success()),
        is_replay: item.is_replay,
    }
}
