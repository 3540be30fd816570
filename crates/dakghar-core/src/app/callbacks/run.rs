//! The deliveries to one endpoint, as a machine: it reads what is to be delivered, says which call is next, takes the answers,
//! and writes down how far it is. Whoever drives it waits for calls and times; nothing here does.
//!
//! Two processes may drive the same endpoint for a moment. Each save names the version that was read, so the slower one is
//! told and stops. What it delivered meanwhile may be delivered again, under the same ids.

use std::sync::Arc;
use std::time::Duration;

use super::batch::{self, HeldBack};
use super::call::OutgoingCall;
use super::item::Item;
use super::state::{EndpointRun, Standing};
use super::unsaved::Unsaved;
use crate::app::failure::Failure;
use crate::domain::callback::{Advance, AttemptLog, EXCEPTIONS_MAX};
use crate::domain::endpoint::{DeliveryOrder, Endpoint};
use crate::domain::{Place, Timestamp};
use crate::metrics::EndpointHealth;
use crate::ports::Saved;

/// Entries that are read ahead of the place.
const WINDOW_MAX: usize = 250;

/// The result of a step.
pub enum CallbacksStep {
    /// These calls may begin now; there may be none.
    Begin(Vec<OutgoingCall>),
    /// As [`CallbacksSaved::Lost`].
    Lost,
}

/// The result of a save.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallbacksSaved {
    /// It is durable.
    Done,
    /// Another process delivers to this endpoint, or did so last. What is known of it here is not true any more.
    Lost,
}

impl EndpointRun {
    /// The endpoint as it is delivered to.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// How its receiver is.
    pub const fn health(&self) -> EndpointHealth {
        let breaker = &self.progress.breaker;
        match (breaker.open, breaker.failures) {
            (Some(_), _) => EndpointHealth::BreakerOpen,
            (None, 0) => EndpointHealth::Well,
            (None, _) => EndpointHealth::Failing,
        }
    }

    /// Entries that it has not taken and that are tried again, or wait for one that is.
    pub fn untaken(&self) -> u64 {
        self.pending.len() as u64 + self.pending.waiting_together()
    }

    /// Goes on with an endpoint that was changed. What was read under another filter is read again.
    pub async fn change(&mut self, endpoint: Arc<Endpoint>) -> Result<(), Failure> {
        self.opened = Arc::new(self.deps.open(&endpoint).await?);
        let now = self.deps.clock.now();
        if endpoint.order != self.endpoint.order {
            self.pending
                .keep_order(endpoint.order == DeliveryOrder::Conversation, now);
        }
        // A change of it says more of its receiver than calls that failed before.
        self.progress.breaker.probe_now(now);
        self.progress.not_before = None;
        self.endpoint = endpoint;
        self.standing = Standing::Delivers;
        self.take_up_replay();
        Ok(())
    }

    /// Returns the place up to which the feed was read.
    pub fn read_to(&self) -> Place {
        self.window.read_to()
    }

    /// Takes note that the feed may have moved.
    pub fn wake(&mut self) {
        self.is_at_end = false;
    }

    /// Writes down what is due, reads what is next, and returns the calls that may begin. After an error nothing begins,
    /// and the next step tries the same again: a store that does not take results would have them all called once more.
    pub async fn step(&mut self) -> Result<CallbacksStep, Failure> {
        if self.must_save() && self.save().await? == CallbacksSaved::Lost {
            return Ok(CallbacksStep::Lost);
        }
        if self.standing == Standing::GivenUp {
            return Ok(CallbacksStep::Begin(Vec::new()));
        }
        self.fill().await?;
        Ok(CallbacksStep::Begin(std::iter::from_fn(|| self.next_call()).collect()))
    }

    /// Reads what is to be delivered, as far as there is room for it.
    pub async fn fill(&mut self) -> Result<(), Failure> {
        let now = self.deps.clock.now();
        if self.progress.breaker.room_for_first(now, 1) == 0 {
            return Ok(());
        }
        if self.opened.until.is_some_and(|until| until <= now) {
            self.opened = Arc::new(self.deps.open(&self.endpoint).await?);
        }
        self.look_for_erasures().await?;
        if self.reads_replay_on(now) {
            self.fill_replay(now).await?;
        }
        if self.progress.breaker.room(now, 1) > 0 {
            self.fill_due(now).await?;
        }
        if self.lines_up(now) {
            self.line_up(now).await?;
        }
        if self.reads_on(now) {
            self.fill_window().await?;
        }
        Ok(())
    }

    /// True if there may be entries to read, and room for them.
    fn reads_on(&self, now: Timestamp) -> bool {
        let has_room = self.window.len() < WINDOW_MAX && self.window.waiting() < WINDOW_MAX / 2;
        // Its place stands still rather than that more is kept of what a receiver does not take.
        let may_fail = self.pending.len() + self.window.len() < EXCEPTIONS_MAX as usize;
        let has_bytes = self.record_bytes.room(1) > 0;
        has_room && has_bytes && may_fail && !self.is_at_end && self.progress.breaker.room_for_first(now, 1) > 0
    }

    /// Returns the next call that may begin now.
    pub fn next_call(&mut self) -> Option<OutgoingCall> {
        let now = self.deps.clock.now();
        let (breaker, concurrency) = (&self.progress.breaker, self.endpoint.concurrency);
        let may_be_any = breaker.room(now, concurrency) > self.under_way;
        let may_be_first = breaker.room_for_first(now, concurrency) > self.under_way;
        if self.progress.not_before.is_some_and(|until| now < until) || !may_be_first {
            return None;
        }
        let uptime = self.deps.clock.uptime();
        if uptime < self.pace.opens_at(self.endpoint.per_second) {
            return None;
        }
        let items = if may_be_any {
            self.next_items(now)
        } else {
            self.next_new(now)
        };
        if items.is_empty() {
            return None;
        }
        self.pace.take(uptime, self.endpoint.per_second);
        self.under_way += 1;
        self.busy.extend(items.iter().filter_map(Item::line));
        let (endpoint, opened) = (self.endpoint.clone(), self.opened.clone());
        Some(OutgoingCall::new(endpoint, opened, items, self.fresh_at))
    }

    /// Takes what is next. What is replayed and all else take turns; what is replayed goes on where nothing else may.
    fn next_items(&mut self, now: Timestamp) -> Vec<Item> {
        if !std::mem::take(&mut self.replay_had_turn) {
            let items = self.next_replayed(now);
            if !items.is_empty() {
                self.replay_had_turn = true;
                return items;
            }
        }
        let items = self.next_live(now);
        if items.is_empty() {
            self.next_replayed(now)
        } else {
            items
        }
    }

    /// Takes what is next of the replay, if it may call.
    fn next_replayed(&mut self, now: Timestamp) -> Vec<Item> {
        let (concurrency, most) = (self.endpoint.concurrency, self.endpoint.batch_max as usize);
        let is_full = self.has_replayed_enough();
        let Some(run) = self.replay.as_mut().filter(|run| run.may_call(concurrency)) else {
            return Vec::new();
        };
        let held_back = if is_full { HeldBack::Left } else { HeldBack::Taken };
        let taken = batch::take(&mut run.window, &self.busy, &self.pending, most, held_back);
        if !taken.items.is_empty() {
            run.under_way += 1;
        }
        for item in &taken.held_back {
            self.put_behind(item, now);
        }
        taken.items
    }

    fn next_live(&mut self, now: Timestamp) -> Vec<Item> {
        // A probe with what was refused before tells nothing of a receiver that is well.
        let is_probe = self.progress.breaker.open.is_some();
        let is_turn_of_new = self.exceptions_had_turn || is_probe;
        if self.due.is_empty() || is_turn_of_new {
            let items = self.next_new(now);
            if !items.is_empty() || self.due.is_empty() {
                self.exceptions_had_turn = false;
                return items;
            }
        }
        self.exceptions_had_turn = true;
        // One at a time: what was refused once may spoil those beside it.
        self.due.pop_front().into_iter().collect()
    }

    /// Takes what is next of the feed.
    fn next_new(&mut self, now: Timestamp) -> Vec<Item> {
        let most = self.endpoint.batch_max as usize;
        let taken = batch::take(&mut self.window, &self.busy, &self.pending, most, HeldBack::Taken);
        for item in &taken.held_back {
            self.put_behind(item, now);
        }
        taken.items
    }

    /// How long to wait at most for the next step although no call ends and no news come; `None` if nothing is known.
    pub fn wait_max(&self) -> Option<Duration> {
        let (now, uptime) = (self.deps.clock.now(), self.deps.clock.uptime());
        if self.standing == Standing::GivenUp {
            return self.save_wait();
        }
        if self.reads_on(now) || self.reads_replay_on(now) || self.lines_up(now) {
            return Some(Duration::ZERO);
        }
        let until = |at: Timestamp| if at > now { at.since(now) } else { Duration::ZERO };
        let breaker = &self.progress.breaker;
        let asked = self.progress.not_before.filter(|until| *until > now);
        let room = breaker.room_for_first(now, self.endpoint.concurrency);
        let has_new = room > 0 && self.window.waiting() > 0;
        let next = match breaker.probe_at(now).filter(|_| !has_new).max(asked) {
            Some(at) => Some(until(at)),
            None if self.is_waiting() => {
                let has_room = room > self.under_way;
                let opens_in = self.pace.opens_at(self.endpoint.per_second).saturating_sub(uptime);
                // What waits although it might go now waits for the end of a call, where there is one.
                (has_room && (!opens_in.is_zero() || self.is_idle())).then_some(opens_in)
            }
            None => self.pending.next_at().map(until),
        };
        next.into_iter().chain(self.save_wait()).min()
    }

    /// True if something was read that may be called.
    fn is_waiting(&self) -> bool {
        self.window.waiting() > 0 || !self.due.is_empty() || self.may_replay()
    }

    fn is_idle(&self) -> bool {
        self.under_way == 0
    }

    /// True if results are to be written down now.
    pub fn must_save(&self) -> bool {
        self.save_wait() == Some(Duration::ZERO)
    }

    /// The longest that what was done waits until it is written down; `None` if there is nothing.
    pub fn save_wait(&self) -> Option<Duration> {
        let due_at = self.unsaved.due_at(self.is_idle());
        due_at.map(|at| at.saturating_sub(self.deps.clock.uptime()))
    }

    /// Writes down what was done. After an error it is tried again with what comes meanwhile.
    pub async fn save(&mut self) -> Result<CallbacksSaved, Failure> {
        let now = self.deps.clock.now();
        self.progress.after = self.window.done_to();
        self.progress.waiting = self.pending.waiting_lines(self.progress.after);
        self.place_replay();
        self.progress.updated_at = now;
        if let Some(reason) = self.unsaved.disable {
            if self.deps.disable(&self.endpoint, reason).await? {
                self.standing = Standing::GivenUp;
            }
            self.unsaved.disable = None;
        }
        match self.deps.advances.submit(self.advance(now)).await?? {
            Saved::Done => {
                self.unsaved = Unsaved::default();
                self.progress.version += 1;
                Ok(CallbacksSaved::Done)
            }
            Saved::Stale => Ok(CallbacksSaved::Lost),
        }
    }

    fn advance(&self, now: Timestamp) -> Advance {
        let (mut exceptions, mut over) = (Vec::new(), Vec::new());
        for (place, kept) in &self.unsaved.exceptions {
            match kept {
                Some(exception) => exceptions.push(exception.clone()),
                None => over.push(*place),
            }
        }
        let attempts = &self.unsaved.attempts;
        Advance {
            progress: self.progress.clone(),
            exceptions,
            over,
            attempts: (!attempts.is_empty()).then(|| AttemptLog {
                id: self.deps.ids.attempt_log_id(),
                tenant_id: self.endpoint.tenant_id,
                endpoint_id: self.endpoint.kept_under,
                at: now,
                attempts: attempts.clone(),
            }),
        }
    }
}
