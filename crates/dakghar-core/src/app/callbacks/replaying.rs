//! Replays: what an endpoint was handed once, or did not take, is handed to it again.
//!
//! A replay walks through its range with a window and a place of its own, which is saved together with that of the endpoint:
//! everything up to it was delivered again, was not meant, or is an exception. So whoever goes on after a crash leaves
//! nothing out, and repeats at most what was not written down. Live entries do not wait for replayed ones: both take turns,
//! and replayed ones have at most half of the calls. In the order of conversations those that are replayed form a line of
//! their own.
//!
//! A replay goes on whatever else the endpoint has not taken. The exceptions that replays bring are counted by themselves. With
//! [`REPLAYED_MAX`] of them what fails once is dead at once, and what an earlier one of its conversation is in the way of stays
//! in the window until that is over.

use super::item::{Item, Source, about};
use super::replay_run::ReplayRun;
use super::state::EndpointRun;
use crate::app::failure::Failure;
use crate::app::feed::is_posted_by_meta;
use crate::domain::callback::{CallbackException, ExceptionState, REPLAYED_MAX, Replay, ReplayOf};
use crate::domain::endpoint::{DeliveryOrder, EndpointFormat};
use crate::domain::feed::{FeedEntry, PlacedEntry};
use crate::domain::page::PageLimit;
use crate::domain::{ConversationId, Place, Timestamp};
use crate::ports::ExceptionsAsked;

/// Entries that are read ahead of its place.
const WINDOW_MAX: usize = 100;
/// Entries that are read at once.
const READ_MAX: u32 = 100;
/// Entries that are looked through at once for a few that are named.
const SEARCHED_MAX: u32 = 1_000;
/// Exceptions that are looked through at once.
const EXCEPTIONS_READ_MAX: u32 = 250;
/// Its place is written down once so many entries that are not meant were passed over.
const PASSED_OVER_MAX: u64 = 20_000;

/// What was read of the range of a replay.
struct Found {
    entries: Vec<PlacedEntry>,
    /// Everything up to here was looked at.
    to: Place,
    is_last: bool,
}

impl EndpointRun {
    /// Takes up what the endpoint's record says of replays: goes on with one, or ends one that was cancelled.
    pub(super) fn take_up_replay(&mut self) {
        let Some(latest) = self.endpoint.replays.first().cloned() else {
            self.replay = None;
            return;
        };
        if latest.is_open(self.progress.replay.as_ref()) {
            if self.replay.as_ref().is_some_and(|run| run.id() == latest.id) {
                return;
            }
            let progress = latest.progress(self.progress.replay.as_ref());
            self.replay = Some(ReplayRun::new(latest, progress.at));
            self.progress.replay = Some(progress);
            return;
        }
        self.replay = None;
        let own = self.progress.replay.as_mut().filter(|known| known.id == latest.id);
        if let Some(progress) = own.filter(|progress| progress.ended_at.is_none()) {
            progress.ended_at = Some(self.deps.clock.now());
            self.unsaved.note(self.deps.clock.uptime(), 1);
        }
    }

    /// True if there may be entries of the replay to read, and room for them.
    pub(super) fn reads_replay_on(&self, now: Timestamp) -> bool {
        let Some(run) = &self.replay else { return false };
        if self.record_bytes.room(1) == 0 && !run.window.is_empty() {
            return false;
        }
        // Exceptions that are there already cost no room.
        let has_work = run.calls_up_behind.is_some() || has_room_for(run);
        !run.is_read && has_work && self.progress.breaker.room(now, 1) > 0
    }

    /// True if no exceptions may be added by replays.
    pub(super) const fn has_replayed_enough(&self) -> bool {
        self.pending.replayed() >= REPLAYED_MAX as usize
    }

    /// True if an entry of the replay may be called beside those under way.
    pub(super) fn may_replay(&self) -> bool {
        let concurrency = self.endpoint.concurrency;
        let Some(run) = self.replay.as_ref().filter(|run| run.may_call(concurrency)) else {
            return false;
        };
        let is_held_back = |item: &Item| item.line().is_some_and(|line| self.pending.holds_back(&line));
        !self.has_replayed_enough() || run.window.has_waiting(|item| !is_held_back(item))
    }

    /// Reads entries of the replay.
    pub(super) async fn fill_replay(&mut self, now: Timestamp) -> Result<(), Failure> {
        self.call_up_exceptions(now).await?;
        let is_ready = |run: &&ReplayRun| run.calls_up_behind.is_none() && has_room_for(run);
        let Some(run) = self.replay.as_ref().filter(is_ready) else {
            return Ok(());
        };
        let (replay, after) = (run.replay.clone(), run.window.read_to());
        let found = self.find_next(&replay, after).await?;
        let mut entries = found.entries;
        // Entries that were never taken, and are tried anyway.
        let mut called_up: Vec<Place> = entries.iter().map(|placed| placed.place).collect();
        called_up.retain(|place| self.pending.call_up(*place, now));
        self.keep_called_up(&called_up, now).await?;
        // What was not handed over yet is handed over in its turn, and once.
        entries.retain(|placed| !self.pending.has(placed.place) && self.window.is_done(placed.place));
        let asked = entries.len();
        let items = {
            let _expected = self.record_bytes.expect(asked);
            self.deps.feed.with_records(&self.endpoint.tenant_id, entries).await?
        };
        let Some(run) = &mut self.replay else { return Ok(()) };
        // Those whose records had no room are read next time.
        let is_whole = items.len() == asked;
        let to = items
            .last()
            .map_or(found.to, |last| if is_whole { found.to } else { last.place });
        for feed in items {
            let (number, conversation_id) = about(&feed);
            let is_meant = replay.matches(&feed.entry, number.as_ref());
            if !is_meant || !self.endpoint.wants(&feed.entry, number.as_ref()) {
                continue;
            }
            // It was never taken either: it is delivered in its turn, and once.
            let waits = |id: &ConversationId| self.pending.waits_in_line(id, feed.place);
            if conversation_id.as_ref().is_some_and(waits) {
                continue;
            }
            let item = Item {
                _held: self.record_bytes.hold(feed.bytes()),
                feed,
                source: Source::Replay(replay.id),
                conversation_id: conversation_id.filter(|_| self.endpoint.order == DeliveryOrder::Conversation),
                attempts: 0,
                since: None,
                is_replay: true,
            };
            run.found += 1;
            run.window.add(item.place(), item);
        }
        let has_all = matches!(&replay.of, ReplayOf::Events(events) if run.found >= events.len());
        run.is_read = is_whole && (found.is_last || has_all);
        run.window.pass_over(if run.is_read { replay.until } else { to });
        self.note_replayed();
        Ok(())
    }

    /// What comes next behind a place, as far as there is room for it.
    async fn find_next(&self, replay: &Replay, after: Place) -> Result<Found, Failure> {
        match &replay.of {
            _ if after >= replay.until => Ok(Found {
                entries: Vec::new(),
                to: replay.until,
                is_last: true,
            }),
            ReplayOf::FailedSince(_) => self.find_dead(replay, after).await,
            ReplayOf::Events(_) => self.find_entries(replay, after, SEARCHED_MAX).await,
            ReplayOf::Range(_) => {
                let room = self.record_bytes.room(READ_MAX as usize).max(1);
                let limit = u32::try_from(room).unwrap_or(READ_MAX);
                self.find_entries(replay, after, limit).await
            }
        }
    }

    /// Entries of the feed that may be meant.
    async fn find_entries(&self, replay: &Replay, after: Place, limit: u32) -> Result<Found, Failure> {
        let (tenant_id, limit) = (&self.endpoint.tenant_id, PageLimit::items(limit));
        let listed = self.deps.entries.entries(tenant_id, after, limit).await?;
        let to = listed.items.last().map_or(replay.until, |last| last.place);
        let mut entries = listed.items;
        entries.retain(|placed| {
            placed.place <= replay.until && replay.may_match(&placed.entry) && self.may_want(&placed.entry)
        });
        Ok(Found {
            entries,
            to: to.min(replay.until),
            is_last: to >= replay.until,
        })
    }

    /// Dead callbacks that are meant.
    async fn find_dead(&self, replay: &Replay, after: Place) -> Result<Found, Failure> {
        let (id, asked) = (&self.endpoint.kept_under, ExceptionsAsked::Dead);
        let limit = PageLimit::items(READ_MAX);
        let listed = self.deps.store.exceptions(id, asked, after, limit).await?;
        let to = listed.next.unwrap_or(replay.until);
        let meant = listed.items.into_iter().filter(|exception| replay.is_about(exception));
        let entries = meant.map(|exception| exception.placed);
        Ok(Found {
            entries: entries.filter(|placed| placed.place <= replay.until).collect(),
            to: to.min(replay.until),
            is_last: to >= replay.until,
        })
    }

    /// Exceptions that the replay is about and that are tried anyway are tried now: one page of them at a time. Their times are
    /// written down with the place of the replay, so that no crash leaves a replay that is over and exceptions that wait.
    async fn call_up_exceptions(&mut self, now: Timestamp) -> Result<(), Failure> {
        let Some((run, behind)) = self.replay.as_mut().and_then(|run| {
            let behind = run.calls_up_behind?;
            Some((run, behind))
        }) else {
            return Ok(());
        };
        let limit = PageLimit::items(EXCEPTIONS_READ_MAX);
        let listed = self
            .deps
            .store
            .exceptions(&self.endpoint.kept_under, ExceptionsAsked::Open, behind, limit)
            .await?;
        run.calls_up_behind = listed.next;
        let meant = listed
            .items
            .into_iter()
            .filter(|exception| run.replay.is_about(exception));
        for exception in meant.collect::<Vec<_>>() {
            if self.pending.call_up(exception.placed.place, now) {
                self.keep_time(exception, now);
            }
        }
        Ok(())
    }

    /// Writes down that these exceptions are due now.
    async fn keep_called_up(&mut self, places: &[Place], now: Timestamp) -> Result<(), Failure> {
        if places.is_empty() {
            return Ok(());
        }
        let found = self
            .deps
            .store
            .find_exceptions(&self.endpoint.kept_under, places)
            .await?;
        for exception in found {
            self.keep_time(exception, now);
        }
        Ok(())
    }

    /// Writes down that an exception is due now; `stored` is what the store has of it.
    fn keep_time(&mut self, stored: CallbackException, now: Timestamp) {
        let kept = self.unsaved.exceptions.entry(stored.placed.place);
        if let Some(exception) = kept.or_insert(Some(stored)) {
            exception.state = ExceptionState::Retrying(now);
            self.unsaved.note(self.deps.clock.uptime(), 1);
        }
    }

    /// False if it is certain, without its record, that the endpoint does not want an entry.
    pub(super) fn may_want(&self, entry: &FeedEntry) -> bool {
        let is_posted = self.endpoint.format != EndpointFormat::Meta || is_posted_by_meta(entry);
        is_posted && self.endpoint.filter.matches_kind(&entry.kind)
    }

    /// The replay that an item is of, unless it is over.
    pub(super) fn replay_of(&mut self, source: Source) -> Option<&mut ReplayRun> {
        let Source::Replay(id) = source else { return None };
        self.replay.as_mut().filter(|run| run.id() == id)
    }

    /// Takes note of how far the replay is, and whether it is over.
    pub(super) fn note_replayed(&mut self) {
        let (Some(run), Some(progress)) = (&self.replay, &mut self.progress.replay) else {
            return;
        };
        let done_to = run.window.done_to();
        let is_over = run.is_read && run.window.is_empty();
        if is_over || done_to.number().saturating_sub(progress.at.number()) >= PASSED_OVER_MAX {
            self.unsaved.note(self.deps.clock.uptime(), 1);
        }
        if is_over {
            progress.at = run.replay.until.max(progress.at);
            progress.ended_at = Some(self.deps.clock.now());
            tracing::info!(
                endpoint_id = %self.endpoint.id, tenant_id = %self.endpoint.tenant_id, replay_id = %run.replay.id,
                delivered = progress.delivered, failed = progress.failed, "a replay is done"
            );
            self.replay = None;
        }
    }

    /// Brings the place of the replay up to what is done. Called before a save.
    pub(super) fn place_replay(&mut self) {
        if let (Some(run), Some(progress)) = (&self.replay, &mut self.progress.replay) {
            progress.at = run.window.done_to();
        }
    }
}

fn has_room_for(run: &ReplayRun) -> bool {
    run.window.len() < WINDOW_MAX && run.window.waiting() < WINDOW_MAX / 2
}
