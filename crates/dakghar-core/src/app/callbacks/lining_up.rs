//! Entries that waited together are looked up in the feed, so many at a time, once everything before them is over.
//!
//! Their line and the endpoint's place are one record, so that no crash finds one without the other. An entry that is looked up
//! becomes an exception, which is durable before its line is shorter. A crash between the two has the same entries looked up
//! once more, and those that were delivered meanwhile are delivered again, under the same ids.

use super::filling::READ_MAX;
use super::item::about;
use super::line_walk::LineWalk;
use super::state::EndpointRun;
use crate::app::failure::Failure;
use crate::domain::Timestamp;
use crate::domain::callback::{CallbackException, EXCEPTIONS_MAX, ExceptionState, WAITING_APART_MAX, WaitingLine};
use crate::domain::feed::PlacedEntry;
use crate::domain::page::PageLimit;

impl EndpointRun {
    /// True if there are entries of a line to look up, and room for them.
    pub(super) fn lines_up(&self, now: Timestamp) -> bool {
        let has_room = self.pending.len() < EXCEPTIONS_MAX as usize && self.progress.breaker.room(now, 1) > 0;
        has_room && self.pending.next_line().is_some()
    }

    /// Looks up entries of a line: one page of the feed at a time.
    pub(super) async fn line_up(&mut self, now: Timestamp) -> Result<(), Failure> {
        let Some(line) = self.pending.next_line() else {
            return Ok(());
        };
        let begun = self.lining_up.take();
        let mut walk = begun
            .filter(|walk| walk.conversation_id == line.conversation_id)
            .unwrap_or_else(|| LineWalk {
                conversation_id: line.conversation_id,
                at: line.after,
                found: Vec::new(),
            });
        self.walk_on(&line, &mut walk).await?;
        if walk.at < line.to && walk.found.len() < WAITING_APART_MAX {
            self.lining_up = Some(walk);
            return Ok(());
        }
        let found = walk.found.len();
        for placed in walk.found {
            let exception = CallbackException {
                endpoint_id: self.endpoint.kept_under,
                placed,
                conversation_id: Some(line.conversation_id),
                state: ExceptionState::Behind,
                attempts: 0,
                since: now,
                last: None,
                is_replay: false,
            };
            self.pending.note(&exception, now);
            self.unsaved.exceptions.insert(exception.placed.place, Some(exception));
        }
        self.pending.shorten(line.conversation_id, walk.at, found);
        self.unsaved.note(self.deps.clock.uptime(), found.max(1));
        Ok(())
    }

    async fn walk_on(&self, line: &WaitingLine, walk: &mut LineWalk) -> Result<(), Failure> {
        let tenant_id = self.endpoint.tenant_id;
        let limit = PageLimit::items(READ_MAX);
        let mut entries = self.deps.entries.entries(&tenant_id, walk.at, limit).await?.items;
        let to = entries.last().map_or(line.to, |last| last.place.min(line.to));
        let first = entries.first().map_or(line.to.plus(1), |first| first.place);
        if first != walk.at.plus(1) {
            self.deps
                .tell_gap(&self.endpoint, walk.at, first.min(line.to.plus(1)))
                .await?;
        }
        entries.retain(|placed| {
            placed.place <= line.to && self.may_want(&placed.entry) && !self.pending.has(placed.place)
        });
        let asked = entries.len();
        let items = self.deps.feed.with_records(&tenant_id, entries).await?;
        // Those whose records had no room are read next time.
        walk.at = match items.last() {
            Some(last) if items.len() < asked => last.place,
            _ => to,
        };
        for feed in items {
            let (number, conversation_id) = about(&feed);
            if conversation_id != Some(line.conversation_id) || !self.endpoint.wants(&feed.entry, number.as_ref()) {
                continue;
            }
            let place = feed.place;
            walk.found.push(PlacedEntry {
                place,
                entry: feed.entry,
            });
            if walk.found.len() == WAITING_APART_MAX {
                walk.at = place;
                return Ok(());
            }
        }
        Ok(())
    }
}
