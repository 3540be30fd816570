//! Reads a feed: a page of entries, each with the record that it names.

use std::collections::HashMap;
use std::sync::Arc;

use crate::app::amended::amended;
use crate::app::failure::Failure;
use crate::app::messages::{Messages, merge_reports};
use crate::domain::feed::{ENTRY_BYTES, EntryFilter, FeedEntry, Place, PlacedEntry, Subject};
use crate::domain::message::{Message, StatusRecord};
use crate::domain::page::{Listed, PageLimit, Paged as _};
use crate::domain::{AmendedMessage, ErrorCode, EventId, MessageKey, PhoneNumberId, Problem, TenantId, WebhookEvent};
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
    /// It is there and cannot be read, or the entry itself cannot; until somebody mends it.
    Unreadable,
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

impl FeedItem {
    /// Returns about as many bytes as it has in memory.
    pub fn bytes(&self) -> usize {
        let of_message = |amended: &AmendedMessage| amended.message.bytes();
        let of_data = match &self.data {
            EntryData::Message(message) => of_message(message),
            EntryData::Report(report, message) => report.bytes() + message.as_deref().map_or(0, of_message),
            EntryData::Event(event) => event.bytes(),
            EntryData::Gone | EntryData::Unreadable => 0,
        };
        ENTRY_BYTES + of_data
    }

    /// Returns the message that it is about, if it is about one.
    pub fn message(&self) -> Option<&Message> {
        match &self.data {
            EntryData::Message(amended) => Some(&amended.message),
            EntryData::Report(_, amended) => amended.as_ref().map(|amended| &amended.message),
            EntryData::Event(_) | EntryData::Gone | EntryData::Unreadable => None,
        }
    }

    /// Returns the business number that it is about, if it is about one: its own, or that of its message.
    pub fn phone_number_id(&self) -> Option<&PhoneNumberId> {
        let of_message = || self.message().map(|message| &message.accepted.phone_number_id);
        self.entry.phone_number_id.as_ref().or_else(of_message)
    }
}

/// A page of a feed, the earliest entry first.
#[derive(Clone, Debug)]
pub struct FeedPage {
    /// The entries.
    pub items: Vec<FeedItem>,
    /// What the next page begins behind. Everything before it was looked at.
    pub next: Place,
    /// True if there was nothing behind `next` when it was read. False says nothing.
    pub is_at_end: bool,
}

/// Reads of entries for one page, while none of them is wanted.
const READS_MAX: u32 = 10;
/// Entries in each of them.
const READ_ENTRIES: u32 = 200;

/// Reads feeds.
pub(in crate::app) struct FeedReading {
    ports: Ports,
    messages: Messages,
}

impl FeedReading {
    pub(in crate::app) const fn new(ports: Ports, messages: Messages) -> Self {
        Self { ports, messages }
    }

    /// Returns the entries behind `after` that the filter wants; without a place, from the earliest on that is there. The
    /// page may be empty though more follow: its reads are bounded, whatever the filter leaves out.
    pub(in crate::app) async fn page(
        &self,
        tenant_id: &TenantId,
        after: Option<Place>,
        limit: u32,
        filter: &EntryFilter,
    ) -> Result<FeedPage, Failure> {
        let mut page = self.first_read(tenant_id, after, limit, filter).await?;
        for _ in 1..READS_MAX {
            if !page.items.is_empty() || page.is_at_end {
                break;
            }
            page = self.read(tenant_id, page.next, limit, filter).await?;
        }
        Ok(page)
    }

    /// Reads behind a place that a client named, which may be none of the feed.
    async fn first_read(
        &self,
        tenant_id: &TenantId,
        after: Option<Place>,
        limit: u32,
        filter: &EntryFilter,
    ) -> Result<FeedPage, Failure> {
        let from = match after {
            Some(after) => after,
            None => self.ports.feed.bounds(tenant_id).await?.first.before(),
        };
        let listed = self
            .ports
            .feed
            .entries(tenant_id, from, entries_of(limit, filter))
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
        self.wanted(tenant_id, from, listed, limit, filter).await
    }

    async fn read(
        &self,
        tenant_id: &TenantId,
        from: Place,
        limit: u32,
        filter: &EntryFilter,
    ) -> Result<FeedPage, Failure> {
        let entries = self.ports.feed.entries(tenant_id, from, entries_of(limit, filter));
        let listed = entries.await?;
        self.wanted(tenant_id, from, listed, limit, filter).await
    }

    /// Makes a page of entries that were read behind `from`.
    async fn wanted(
        &self,
        tenant_id: &TenantId,
        from: Place,
        listed: Listed<PlacedEntry>,
        limit: u32,
        filter: &EntryFilter,
    ) -> Result<FeedPage, Failure> {
        let last = listed.items.last().map_or(from, |last| last.place);
        let is_all = listed.next.is_none();
        let mut placed = listed.items;
        placed.retain(|placed| filter.matches_kind(&placed.entry.kind));
        let is_cut = placed.len() > limit as usize;
        placed.truncate(limit as usize);
        let asked = placed.len();
        let mut items = self.with_records(tenant_id, placed).await?;
        // What is behind the last one of these was not looked at.
        let is_short = is_cut || items.len() < asked;
        let next = items.last().filter(|_| is_short).map_or(last, |last| last.place);
        items.retain(|item| filter.matches(&item.entry.kind, item.phone_number_id()));
        Ok(FeedPage {
            items,
            next,
            is_at_end: is_all && !is_short,
        })
    }

    /// Puts entries together with their records. Ends before the first whose record one call has no bytes for.
    pub(in crate::app) async fn with_records(
        &self,
        tenant_id: &TenantId,
        placed: Vec<PlacedEntry>,
    ) -> Result<Vec<FeedItem>, Failure> {
        let mut records = self.records(tenant_id, &placed).await?;
        let mut items = Vec::with_capacity(placed.len());
        for placed in placed {
            let data = match records.data(&placed.entry) {
                Err(StoreError::NotReadYet) if !items.is_empty() => break,
                // Those of other entries took all the bytes; one alone is always read.
                Err(StoreError::NotReadYet) => {
                    let mut own = self.records(tenant_id, std::slice::from_ref(&placed)).await?;
                    own.data(&placed.entry)
                }
                data => data,
            };
            let data = match data {
                Err(StoreError::Unreadable(_)) => EntryData::Unreadable,
                data => data?,
            };
            let PlacedEntry { place, entry } = placed;
            items.push(FeedItem { place, entry, data });
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

/// The entries that are read for a page: those that are left out must be read as well.
const fn entries_of(limit: u32, filter: &EntryFilter) -> PageLimit {
    if filter.is_everything() || limit > READ_ENTRIES {
        PageLimit::items(limit)
    } else {
        PageLimit::items(READ_ENTRIES)
    }
}

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
            Subject::Unreadable(_) => Some(EntryData::Unreadable),
        };
        Ok(data.unwrap_or(EntryData::Gone))
    }

    fn message(&self, entry: &FeedEntry) -> Result<Option<Box<AmendedMessage>>, StoreError> {
        let found = entry.message_key().and_then(|key| self.messages.get(&key));
        Ok(found.cloned().unwrap_or(Ok(None))?.map(Box::new))
    }
}
