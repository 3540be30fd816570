//! Entries that waited together are looked up in the feed, so many at a time, once everything before them is over.
//!
//! Their line and the endpoint's place are one record, so that no crash finds one without the other. An entry that is looked up
//! becomes an exception, which is durable before its line is shorter. A crash between the two has the same entries looked up
//! once more, and those that were delivered meanwhile are delivered again, under the same ids.
//!
//! One page of the feed serves every line that begins on it or behind: after a long outage there are many, and a walk for each
//! would read the same pages as often.

use super::filling::READ_MAX;
use super::item::about;
use super::state::EndpointRun;
use crate::app::failure::Failure;
use crate::app::feed::FeedItem;
use crate::domain::callback::{CallbackException, EXCEPTIONS_MAX, ExceptionState};
use crate::domain::feed::PlacedEntry;
use crate::domain::page::PageLimit;
use crate::domain::{ConversationId, Place, Timestamp};

/// What a page of the feed has for lines.
struct Looked {
    /// Everything up to here was looked at.
    to: Place,
    found: Vec<(ConversationId, PlacedEntry)>,
}

impl EndpointRun {
    /// True if there are entries of a line to look up, and room for them.
    pub(super) fn lines_up(&self, now: Timestamp) -> bool {
        let has_room = self.pending.len() < EXCEPTIONS_MAX as usize && self.progress.breaker.room(now, 1) > 0;
        has_room && self.pending.lines_span().is_some()
    }

    /// Looks up entries of lines: one page of the feed at a time.
    pub(super) async fn line_up(&mut self, now: Timestamp) -> Result<(), Failure> {
        let Some((from, end)) = self.pending.lines_span() else {
            return Ok(());
        };
        let looked = self.look_through(from, end).await?;
        let mut taken = 0;
        for (conversation_id, placed) in looked.found {
            if !self.pending.take_out(conversation_id, placed.place, from) {
                continue;
            }
            let exception = CallbackException {
                endpoint_id: self.endpoint.kept_under,
                placed,
                conversation_id: Some(conversation_id),
                state: ExceptionState::Behind,
                attempts: 0,
                since: now,
                last: None,
                is_replay: false,
            };
            self.pending.note(&exception, now);
            self.unsaved.exceptions.insert(exception.placed.place, Some(exception));
            taken += 1;
        }
        self.pending.looked_through(from, looked.to);
        self.unsaved.note(self.deps.clock.uptime(), taken.max(1));
        Ok(())
    }

    async fn look_through(&self, from: Place, end: Place) -> Result<Looked, Failure> {
        let tenant_id = self.endpoint.tenant_id;
        let limit = PageLimit::items(READ_MAX);
        let mut entries = self.deps.entries.entries(&tenant_id, from, limit).await?.items;
        let mut to = entries.last().map_or(end, |last| last.place.min(end));
        let first = entries.first().map_or(end.plus(1), |first| first.place);
        if first != from.plus(1) {
            self.deps.tell_gap(&self.endpoint, from, first.min(end.plus(1))).await?;
        }
        entries.retain(|placed| placed.place <= end && self.may_want(&placed.entry) && !self.pending.has(placed.place));
        let asked = entries.len();
        let items = self.deps.feed.with_records(&tenant_id, entries).await?;
        if items.len() < asked {
            // Those whose records had no room are read next time.
            to = items.last().map_or(from, |last| last.place);
        }
        let mut found = Vec::new();
        for feed in items {
            let (number, conversation_id) = about(&feed);
            let wanted = conversation_id.filter(|_| self.endpoint.wants(&feed.entry, number.as_ref()));
            found.extend(wanted.map(|conversation_id| {
                let FeedItem { place, entry, .. } = feed;
                (conversation_id, PlacedEntry { place, entry })
            }));
        }
        Ok(Looked { to, found })
    }
}
