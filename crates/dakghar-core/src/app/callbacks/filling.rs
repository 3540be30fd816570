//! What is read for an endpoint: entries behind its place, and exceptions that are due.

use std::collections::HashSet;
use std::time::Duration;

use super::item::{Item, Source, about};
use super::state::EndpointRun;
use crate::app::failure::Failure;
use crate::app::feed::FeedItem;
use crate::domain::callback::CallbackException;
use crate::domain::endpoint::DeliveryOrder;
use crate::domain::feed::PlacedEntry;
use crate::domain::page::PageLimit;
use crate::domain::{Place, Timestamp};

/// Entries that are read at once.
pub(super) const READ_MAX: u32 = 100;
/// Exceptions that are read at once.
const DUE_MAX: usize = 50;

impl EndpointRun {
    pub(super) async fn fill_due(&mut self, now: Timestamp) -> Result<(), Failure> {
        if !self.due.is_empty() {
            return Ok(());
        }
        // What was refused before is tried however little room there is: one at a time.
        let most = self.record_bytes.room(DUE_MAX).max(1);
        let places = self.pending.take_due(now, most);
        if places.is_empty() {
            return Ok(());
        }
        let read = {
            let _expected = self.record_bytes.expect(places.len());
            self.read_due(&places).await
        };
        match read {
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
        let (mut exceptions, mut stored) = (Vec::new(), Vec::new());
        for place in places {
            match self.unsaved.exceptions.get(place) {
                Some(Some(exception)) => exceptions.push(exception.clone()),
                _ => stored.push(*place),
            }
        }
        if !stored.is_empty() {
            exceptions.extend(
                self.deps
                    .store
                    .find_exceptions(&self.endpoint.kept_under, &stored)
                    .await?,
            );
        }
        let placed = exceptions.iter().map(|exception| exception.placed.clone()).collect();
        let items = self.deps.feed.with_records(&self.endpoint.tenant_id, placed).await?;
        let item = |(feed, exception): (FeedItem, &CallbackException)| Item {
            _held: self.record_bytes.hold(feed.bytes()),
            feed,
            source: Source::Exceptions,
            conversation_id: exception.conversation_id,
            attempts: exception.attempts,
            since: (exception.attempts > 0).then_some(exception.since),
            is_replay: exception.is_replay,
        };
        Ok(items.into_iter().zip(&exceptions).map(item).collect())
    }

    pub(super) async fn fill_window(&mut self) -> Result<(), Failure> {
        let tenant_id = self.endpoint.tenant_id;
        let after = self.window.read_to();
        let room = self.record_bytes.room(READ_MAX as usize);
        let limit = PageLimit::items(u32::try_from(room).unwrap_or(READ_MAX));
        let listed = match self.deps.just_placed.behind(&tenant_id, after, limit) {
            Some(known) => known,
            None => self.deps.entries.entries(&tenant_id, after, limit).await?,
        };
        let Some(first) = listed.items.first() else {
            self.is_at_end = true;
            return Ok(());
        };
        let has_gap = first.place != after.plus(1);
        if has_gap {
            self.pass_gap(after, first.place).await?;
        }
        // The entry that tells of a gap stands behind those that were read.
        let is_last = listed.next.is_none() && !has_gap;
        let last = listed.items.last().map_or(after, |placed| placed.place);
        let mut wanted: Vec<PlacedEntry> = listed.items;
        wanted.retain(|placed| self.may_want(&placed.entry) && !self.pending.has(placed.place));
        let asked = wanted.len();
        let items = {
            let _expected = self.record_bytes.expect(asked);
            self.deps.feed.with_records(&tenant_id, wanted).await?
        };
        self.record_bytes.learn(items.iter().map(FeedItem::bytes));
        let (read, read_to) = (items.len(), items.last().map(|item| item.place));
        for feed in items {
            let (number, conversation_id) = about(&feed);
            if !self.endpoint.wants(&feed.entry, number.as_ref()) {
                self.window.pass_over(feed.place);
                continue;
            }
            let conversation_id = conversation_id.filter(|_| self.endpoint.order == DeliveryOrder::Conversation);
            let item = Item {
                _held: self.record_bytes.hold(feed.bytes()),
                feed,
                source: Source::Feed,
                conversation_id,
                attempts: 0,
                since: None,
                is_replay: false,
            };
            self.window.add(item.place(), item);
        }
        // News tell of what comes from now on.
        self.is_at_end = is_last && read == asked;
        // Those whose records had no room are read next time.
        self.window
            .pass_over(if read == asked { last } else { read_to.unwrap_or(after) });
        self.note_passed_over();
        Ok(())
    }

    /// Entries went out of the feed before they were delivered. Their tenant is told before the place moves past them.
    async fn pass_gap(&mut self, after: Place, first: Place) -> Result<(), Failure> {
        self.progress.expired += self.deps.tell_gap(&self.endpoint, after, first).await?;
        self.window.pass_over(first.before());
        self.note_passed_over();
        Ok(())
    }

    /// What is not wanted is worth a save only now and then.
    fn note_passed_over(&mut self) {
        if self.window.is_empty() && self.window.done_to() > self.progress.after {
            self.unsaved.note(self.deps.clock.uptime(), 1);
        }
    }
}
