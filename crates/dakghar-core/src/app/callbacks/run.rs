//! The deliveries to one endpoint, as a machine: it reads what is to be delivered, says which call is next, takes the answers,
//! and writes down how far it is. Whoever drives it waits for calls and times; nothing here does.
//!
//! Two processes may drive the same endpoint for a moment. Each save names the version that was read, so the slower one is
//! told and stops. What it delivered meanwhile may be delivered again, under the same ids.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::call::OutgoingCall;
use super::call_pace::CallPace;
use super::deps::Deps;
use super::item::{Item, Source, about};
use super::opened::Opened;
use super::pending::Pending;
use super::unsaved::Unsaved;
use crate::app::failure::Failure;
use crate::app::feed::is_posted_by_meta;
use crate::domain::callback::{Advance, AttemptLog, CallbackException, CallbackProgress, EXCEPTIONS_MAX, Window};
use crate::domain::endpoint::{DeliveryOrder, Endpoint, EndpointFormat};
use crate::domain::feed::PlacedEntry;
use crate::domain::page::PageLimit;
use crate::domain::{ConversationId, Place, Timestamp};
use crate::metrics::EndpointHealth;
use crate::ports::{ExceptionsAsked, Saved};

/// Entries that are read ahead of the place.
const WINDOW_MAX: usize = 250;
/// Entries that are read at once.
const READ_MAX: u32 = 100;
/// Exceptions that are read at once.
const DUE_MAX: usize = 50;

/// The deliveries to one endpoint.
pub struct EndpointRun {
    pub(super) deps: Arc<Deps>,
    pub(super) endpoint: Arc<Endpoint>,
    pub(super) opened: Arc<Opened>,
    pub(super) progress: CallbackProgress,
    pub(super) window: Window<Item>,
    pub(super) pending: Pending,
    /// Exceptions that are due and were read.
    pub(super) due: VecDeque<Item>,
    /// Conversations of which something is under way, where they are to be in order.
    pub(super) busy: HashSet<ConversationId>,
    pub(super) unsaved: Unsaved,
    pub(super) under_way: u32,
    pace: CallPace,
    /// True once the end of the feed was seen, until something comes.
    is_at_end: bool,
    /// True if the last call was of an exception: new entries and old ones take turns.
    exceptions_had_turn: bool,
}

/// What became of a save.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallbacksSaved {
    /// It is durable.
    Done,
    /// Another process delivers to this endpoint, or did so last. What is known of it here is not true any more.
    Lost,
}

impl EndpointRun {
    /// Reads how far the endpoint is.
    pub(super) async fn load(deps: Arc<Deps>, endpoint: Arc<Endpoint>) -> Result<Self, Failure> {
        let opened = Arc::new(deps.open(&endpoint).await?);
        let mut found = deps.store.progress(&[endpoint.id]).await;
        let now = deps.clock.now();
        let kept = found.pop().unwrap_or(Ok(None))?;
        let progress =
            kept.unwrap_or_else(|| CallbackProgress::new(endpoint.id, endpoint.tenant_id, endpoint.start, now));
        let mut pending = Pending::default();
        let mut after = Place::START;
        loop {
            let limit = PageLimit::items(1_000);
            let listed = deps
                .store
                .exceptions(&endpoint.id, ExceptionsAsked::Open, after, limit)
                .await?;
            for exception in &listed.items {
                pending.note(exception, now);
            }
            match listed.next {
                Some(next) => after = next,
                None => break,
            }
        }
        Ok(Self {
            window: Window::new(progress.after),
            deps,
            endpoint,
            opened,
            progress,
            pending,
            due: VecDeque::new(),
            busy: HashSet::new(),
            unsaved: Unsaved::default(),
            under_way: 0,
            pace: CallPace::default(),
            is_at_end: false,
            exceptions_had_turn: false,
        })
    }

    /// The endpoint as it is delivered to.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Calls under way.
    pub const fn under_way(&self) -> u32 {
        self.under_way
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

    /// Entries that it has not taken and that are tried again.
    pub fn exceptions(&self) -> usize {
        self.pending.len()
    }

    /// Goes on with an endpoint that was changed. What was read under another filter is read again.
    pub async fn change(&mut self, endpoint: Arc<Endpoint>) -> Result<(), Failure> {
        self.opened = Arc::new(self.deps.open(&endpoint).await?);
        self.endpoint = endpoint;
        Ok(())
    }

    /// Takes note that the feed may have moved.
    pub fn wake(&mut self) {
        self.is_at_end = false;
    }

    /// Reads what is to be delivered, as far as there is room for it.
    pub async fn fill(&mut self) -> Result<(), Failure> {
        let now = self.deps.clock.now();
        if self.progress.breaker.room(now, 1) == 0 {
            return Ok(());
        }
        if self.opened.until.is_some_and(|until| until <= now) {
            self.opened = Arc::new(self.deps.open(&self.endpoint).await?);
        }
        self.fill_due(now).await?;
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
        has_room && may_fail && !self.is_at_end && self.progress.breaker.room(now, 1) > 0
    }

    async fn fill_due(&mut self, now: Timestamp) -> Result<(), Failure> {
        if !self.due.is_empty() {
            return Ok(());
        }
        let places = self.pending.take_due(now, DUE_MAX);
        if places.is_empty() {
            return Ok(());
        }
        match self.read_due(&places).await {
            Ok(items) => {
                let read: HashSet<Place> = items.iter().map(Item::place).collect();
                for place in places.into_iter().filter(|place| !read.contains(place)) {
                    // Not read yet; or it cannot be read, which nobody can mend by trying more often.
                    self.pending.put_back(place, now + Duration::from_mins(1));
                }
                self.due.extend(items);
                Ok(())
            }
            Err(failure) => {
                for place in places {
                    self.pending.put_back(place, now);
                }
                Err(failure)
            }
        }
    }

    async fn read_due(&self, places: &[Place]) -> Result<Vec<Item>, Failure> {
        let exceptions = self.deps.store.find_exceptions(&self.endpoint.id, places).await?;
        let placed = exceptions.iter().map(|exception| exception.placed.clone()).collect();
        let items = self.deps.feed.with_records(&self.endpoint.tenant_id, placed).await?;
        let item = |(feed, exception): (_, &CallbackException)| Item {
            feed,
            source: Source::Exceptions,
            conversation_id: exception.conversation_id,
            attempts: exception.attempts,
            since: (exception.attempts > 0).then_some(exception.since),
            is_replay: exception.is_replay,
        };
        Ok(items.into_iter().zip(&exceptions).map(item).collect())
    }

    async fn fill_window(&mut self) -> Result<(), Failure> {
        let tenant_id = self.endpoint.tenant_id;
        let after = self.window.read_to();
        let listed = self
            .deps
            .entries
            .entries(&tenant_id, after, PageLimit::items(READ_MAX))
            .await?;
        let Some(first) = listed.items.first() else {
            return self.meet_end(after).await;
        };
        if first.place != after.plus(1) {
            self.pass_gap(after, first.place);
        }
        let last = listed.items.last().map_or(after, |placed| placed.place);
        let mut wanted: Vec<PlacedEntry> = listed.items;
        wanted.retain(|placed| {
            let is_posted = self.endpoint.format != EndpointFormat::Meta || is_posted_by_meta(&placed.entry);
            is_posted && self.endpoint.filter.matches_kind(&placed.entry.kind) && !self.pending.has(placed.place)
        });
        let asked = wanted.len();
        let items = self.deps.feed.with_records(&tenant_id, wanted).await?;
        let (read, read_to) = (items.len(), items.last().map(|item| item.place));
        for feed in items {
            let (number, conversation_id) = about(&feed);
            if !self.endpoint.wants(&feed.entry, number.as_ref()) {
                self.window.pass_over(feed.place);
                continue;
            }
            let conversation_id = conversation_id.filter(|_| self.endpoint.order == DeliveryOrder::Conversation);
            let item = Item {
                feed,
                source: Source::Feed,
                conversation_id,
                attempts: 0,
                since: None,
                is_replay: false,
            };
            self.window.add(item.place(), item);
        }
        // Those whose records had no room are read next time.
        self.window
            .pass_over(if read == asked { last } else { read_to.unwrap_or(after) });
        self.note_passed_over();
        Ok(())
    }

    async fn meet_end(&mut self, after: Place) -> Result<(), Failure> {
        self.is_at_end = true;
        let bounds = self.deps.entries.bounds(&self.endpoint.tenant_id).await?;
        if after.plus(1) < bounds.first {
            self.pass_gap(after, bounds.first);
            self.is_at_end = false;
        }
        Ok(())
    }

    /// Entries went out of the feed before they were delivered.
    fn pass_gap(&mut self, after: Place, first: Place) {
        let expired = first.number().saturating_sub(after.number() + 1);
        self.progress.expired += expired;
        self.window.pass_over(first.before());
        self.deps.metrics.callbacks_expired.inc_by(expired);
        tracing::warn!(
            endpoint_id = %self.endpoint.id, tenant_id = %self.endpoint.tenant_id, expired,
            "entries of the feed were erased by their age before an endpoint got them"
        );
        self.note_passed_over();
    }

    /// What is not wanted is worth a save only now and then.
    fn note_passed_over(&mut self) {
        if self.window.is_empty() && self.window.done_to() > self.progress.after {
            self.unsaved.note(self.deps.clock.uptime(), 1);
        }
    }

    /// Returns the next call that may begin now.
    pub fn next_call(&mut self) -> Option<OutgoingCall> {
        let now = self.deps.clock.now();
        if self.progress.not_before.is_some_and(|until| now < until)
            || self.progress.breaker.room(now, self.endpoint.concurrency) <= self.under_way
        {
            return None;
        }
        let uptime = self.deps.clock.uptime();
        if uptime < self.pace.opens_at(self.endpoint.per_second) {
            return None;
        }
        let items = self.next_items(now);
        if items.is_empty() {
            return None;
        }
        self.pace.take(uptime, self.endpoint.per_second);
        self.under_way += 1;
        self.busy.extend(items.iter().filter_map(|item| item.conversation_id));
        Some(OutgoingCall::new(self.endpoint.clone(), self.opened.clone(), items))
    }

    fn next_items(&mut self, now: Timestamp) -> Vec<Item> {
        let takes_exception = !self.due.is_empty() && (!self.exceptions_had_turn || self.window.waiting() == 0);
        self.exceptions_had_turn = takes_exception;
        if takes_exception {
            // One at a time: what was refused once may spoil those beside it.
            return self.due.pop_front().into_iter().collect();
        }
        let mut items: Vec<Item> = Vec::new();
        while items.len() < self.endpoint.batch_max as usize {
            let busy = &self.busy;
            let is_in_batch = |id| items.iter().any(|item: &Item| item.conversation_id == Some(id));
            let may_go = |item: &Item| {
                item.conversation_id
                    .is_none_or(|id| !busy.contains(&id) || is_in_batch(id))
            };
            let Some((_, item)) = self.window.take(may_go) else {
                break;
            };
            let is_held_back = item.conversation_id.is_some_and(|id| self.pending.holds_back(&id));
            if is_held_back {
                self.put_behind(&item, now);
            } else {
                items.push(item);
            }
        }
        items
    }

    /// How long to wait at most until something is to be done although nothing came; `None` if nothing is known.
    pub fn wait_max(&self) -> Option<Duration> {
        let (now, uptime) = (self.deps.clock.now(), self.deps.clock.uptime());
        if self.reads_on(now) {
            return Some(Duration::ZERO);
        }
        let until = |at: Timestamp| if at > now { at.since(now) } else { Duration::ZERO };
        let breaker = &self.progress.breaker;
        let opens_at = breaker
            .probe_at(now)
            .max(self.progress.not_before.filter(|until| *until > now));
        let is_waiting = self.window.waiting() > 0 || !self.due.is_empty();
        let has_room = breaker.room(now, self.endpoint.concurrency) > self.under_way;
        let next = match opens_at {
            Some(at) => Some(until(at)),
            None if is_waiting && has_room => Some(self.pace.opens_at(self.endpoint.per_second).saturating_sub(uptime)),
            None => self.pending.next_at().map(until),
        };
        let save = self.unsaved.due_at(self.is_idle()).map(|at| at.saturating_sub(uptime));
        next.into_iter().chain(save).min()
    }

    fn is_idle(&self) -> bool {
        self.under_way == 0
    }

    /// True if results are to be written down now.
    pub fn must_save(&self) -> bool {
        let due_at = self.unsaved.due_at(self.is_idle());
        due_at.is_some_and(|at| at <= self.deps.clock.uptime())
    }

    /// Writes down what was done. After an error it is tried again with what comes meanwhile.
    pub async fn save(&mut self) -> Result<CallbacksSaved, Failure> {
        let now = self.deps.clock.now();
        self.progress.after = self.window.done_to();
        self.progress.updated_at = now;
        if let Some(reason) = self.unsaved.disable {
            self.deps.disable(&self.endpoint, reason).await?;
            self.unsaved.disable = None;
        }
        let kept = std::mem::take(&mut self.unsaved);
        let (endpoint_id, tenant_id) = (self.endpoint.id, self.endpoint.tenant_id);
        let log = |attempts: &Vec<_>| AttemptLog {
            id: self.deps.ids.attempt_log_id(),
            tenant_id,
            endpoint_id,
            at: now,
            attempts: attempts.clone(),
        };
        let advance = Advance {
            progress: self.progress.clone(),
            exceptions: kept.exceptions.values().flatten().cloned().collect(),
            over: kept
                .exceptions
                .iter()
                .filter(|(_, kept)| kept.is_none())
                .map(|(place, _)| *place)
                .collect(),
            attempts: (!kept.attempts.is_empty()).then(|| log(&kept.attempts)),
        };
        match self.deps.advances.submit(advance).await {
            Ok(Ok(Saved::Done)) => {
                self.progress.version += 1;
                Ok(CallbacksSaved::Done)
            }
            Ok(Ok(Saved::Stale)) => Ok(CallbacksSaved::Lost),
            Ok(Err(error)) => {
                self.unsaved = kept;
                Err(error.into())
            }
            Err(rejected) => {
                self.unsaved = kept;
                Err(rejected.into())
            }
        }
    }
}
