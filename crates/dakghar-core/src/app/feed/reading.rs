//! Reads a feed: a page of entries, each with the record that it names.

use std::collections::HashMap;
use std::sync::Arc;

use crate::app::amended::amended;
use crate::app::failure::Failure;
use crate::app::messages::{Messages, merge_reports};
use crate::domain::feed::{FeedEntry, Place, PlacedEntry, Subject};
use crate::domain::message::StatusRecord;
use crate::domain::page::PageLimit;
use crate::domain::{AmendedMessage, ErrorCode, EventId, MessageKey, Problem, TenantId, WebhookEvent};
use crate::ports::{Ports, StoreError};

/// The record that an entry names, as it is now.
#[derive(Clone, Debug)]
pub enum EntryData {
    /// A message: one that came, or one of ours that changed.
    Message(Box<AmendedMessage>),
    /// A report of Meta's, and the message that it is about, unless that is gone.
    Report(Box<StatusRecord>, Option<Box<AmendedMessage>>),
    /// A webhook event.
    Event(Box<WebhookEvent>),
    /// It was erased.
    Gone,
}

/// An entry with its record.
#[derive(Clone, Debug)]
pub struct FeedItem {
    /// Its place.
    pub place: Place,
    /// What it tells of.
    pub entry: FeedEntry,
    /// The record.
    pub data: EntryData,
}

/// A page of a feed, the earliest entry first.
#[derive(Clone, Debug)]
pub struct FeedPage {
    /// The entries.
    pub items: Vec<FeedItem>,
    /// What the next page begins behind.
    pub next: Place,
}

/// Reads feeds.
pub(in crate::app) struct FeedReading {
    ports: Ports,
    messages: Messages,
}

impl FeedReading {
    pub(in crate::app) const fn new(ports: Ports, messages: Messages) -> Self {
        Self { ports, messages }
    }

    /// Returns the entries behind `after`; without it, from the earliest on that is there.
    pub(in crate::app) async fn page(
        &self,
        tenant_id: &TenantId,
        after: Option<Place>,
        limit: u32,
    ) -> Result<FeedPage, Failure> {
        let from = match after {
            Some(after) => after,
            None => self.ports.feed.bounds(tenant_id).await?.first.before(),
        };
        let listed = self
            .ports
            .feed
            .entries(tenant_id, from, PageLimit::items(limit))
            .await?;
        if after.is_some() && listed.items.first().is_none_or(|first| first.place != from.plus(1)) {
            // Nothing is there, or what is there does not follow.
            let bounds = self.ports.feed.bounds(tenant_id).await?;
            if from.plus(1) < bounds.first {
                let detail = format!(
                    "The entries behind {from} were erased; the earliest are behind {}.",
                    bounds.first.before()
                );
                return Err(Problem::new(ErrorCode::FeedPlaceGone, detail).into());
            }
            if from > bounds.last {
                let detail = format!("The last place of this feed is {}.", bounds.last);
                return Err(Problem::new(ErrorCode::FeedPlaceUnknown, detail).into());
            }
        }
        let items = self.with_records(tenant_id, listed.items).await?;
        let next = items.last().map_or(from, |last| last.place);
        Ok(FeedPage { items, next })
    }

    /// Puts entries together with their records. Ends before the first whose record one call has no bytes for.
    pub(in crate::app) async fn with_records(
        &self,
        tenant_id: &TenantId,
        placed: Vec<PlacedEntry>,
    ) -> Result<Vec<FeedItem>, Failure> {
        let mut records = self.records(tenant_id, &placed).await?;
        let mut items = Vec::with_capacity(placed.len());
        for PlacedEntry { place, entry } in placed {
            match records.data(&entry) {
                Ok(data) => items.push(FeedItem { place, entry, data }),
                // At least the first record was read.
                Err(StoreError::NotReadYet) if !items.is_empty() => break,
                Err(StoreError::Unreadable(_) | StoreError::NotReadYet) => items.push(FeedItem {
                    place,
                    entry,
                    data: EntryData::Gone,
                }),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(items)
    }

    async fn records(&self, tenant_id: &TenantId, placed: &[PlacedEntry]) -> Result<Records, Failure> {
        let entries = || placed.iter().map(|placed| &placed.entry);
        let mut keys: Vec<MessageKey> = entries().filter_map(FeedEntry::message_key).collect();
        keys.sort_unstable();
        keys.dedup();
        let report = |entry: &FeedEntry| match &entry.subject {
            Subject::Report { digest, .. } => Some((entry.message_key()?, digest.clone())),
            _ => None,
        };
        let reports: Vec<(MessageKey, Arc<str>)> = entries().filter_map(report).collect();
        let event = |entry: &FeedEntry| match entry.subject {
            Subject::Event(id) => Some(id),
            _ => None,
        };
        let events: Vec<EventId> = entries().filter_map(event).collect();
        let messages = self.messages_of(tenant_id, keys).await?;
        let mut records = Records {
            messages,
            reports: HashMap::new(),
            events: HashMap::new(),
        };
        if !reports.is_empty() {
            let found = self.ports.statuses.find_reports(&reports).await;
            records.reports = reports.into_iter().zip(found).collect();
        }
        if !events.is_empty() {
            let found = self.ports.events.find_events(tenant_id, &events).await;
            records.events = events.into_iter().zip(found).collect();
        }
        Ok(records)
    }

    /// Messages with what was reported on them, and as they were amended.
    async fn messages_of(&self, tenant_id: &TenantId, keys: Vec<MessageKey>) -> Result<MessagesByKey, StoreError> {
        let loaded = self.messages.load_all(&keys).await;
        let (mut all, mut found) = (HashMap::with_capacity(keys.len()), Vec::new());
        for (key, message) in keys.into_iter().zip(loaded) {
            match message {
                Ok(Some(message)) => found.push(message),
                Ok(None) => _ = all.insert(key, Ok(None)),
                Err(error) => _ = all.insert(key, Err(error)),
            }
        }
        merge_reports(&*self.ports.statuses, &mut found).await?;
        let amended = amended(&*self.ports.events, tenant_id, found, 1).await?;
        all.extend(
            amended
                .into_iter()
                .map(|amended| (amended.message.key(), Ok(Some(amended)))),
        );
        Ok(all)
    }
}

type MessagesByKey = HashMap<MessageKey, Result<Option<AmendedMessage>, StoreError>>;

/// The records that a page of entries names.
struct Records {
    messages: MessagesByKey,
    reports: HashMap<(MessageKey, Arc<str>), Result<Option<StatusRecord>, StoreError>>,
    events: HashMap<EventId, Result<Option<WebhookEvent>, StoreError>>,
}

impl Records {
    fn data(&mut self, entry: &FeedEntry) -> Result<EntryData, StoreError> {
        let data = match &entry.subject {
            Subject::Message(_) | Subject::Change { .. } => self.message(entry)?.map(EntryData::Message),
            Subject::Report { digest, .. } => {
                let key = entry.message_key().map(|key| (key, digest.clone()));
                let report = key.and_then(|key| self.reports.remove(&key)).unwrap_or(Ok(None))?;
                let message = self.message(entry)?;
                report.map(|report| EntryData::Report(Box::new(report), message))
            }
            Subject::Event(id) => {
                let event = self.events.remove(id).unwrap_or(Ok(None))?;
                event.map(|event| EntryData::Event(Box::new(event)))
            }
        };
        Ok(data.unwrap_or(EntryData::Gone))
    }

    fn message(&self, entry: &FeedEntry) -> Result<Option<Box<AmendedMessage>>, StoreError> {
        let found = entry.message_key().and_then(|key| self.messages.get(&key));
        Ok(found.cloned().unwrap_or(Ok(None))?.map(Box::new))
    }
}
