//! The feeds of tenants, and what has no place in them yet.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use dakghar_core::domain::feed::{Announced, Arrival, Chunk, FeedEnd, FeedEnds, SaveTrace, Verdict};
use dakghar_core::domain::page::{Listed, PageLimit};
use dakghar_core::domain::{FeedBounds, FeedEntry, MessageId, Partitions, Place, PlacedEntry, TenantId, Timestamp};
use dakghar_core::ports::{Appended, ArrivalStore, ArrivalsWaiting, Attendant, FeedStore, Save, Saved, StoreError};

use tokio::sync::Notify;

use super::{MemoryStore, State, page_of};

/// All feeds.
#[derive(Default)]
pub(super) struct Feeds {
    /// True if entries get their places later.
    pub(super) has_arrivals: bool,
    placed: BTreeMap<(TenantId, Place), FeedEntry>,
    arrivals: BTreeMap<Arc<str>, Arrival>,
    aside: BTreeSet<Arc<str>>,
    /// Arrivals whose save is not known to be done.
    announced: BTreeSet<Arc<str>>,
    /// The announced saves that messages carry.
    carried: BTreeSet<(MessageId, Arc<str>)>,
    arrived: u64,
    attendants: BTreeMap<Arc<str>, u64>,
    /// Which feeds have grown.
    pub(super) news: FeedEnds,
    pub(super) has_news: Arc<Notify>,
    has_arrived: Arc<Notify>,
}

impl Feeds {
    /// Takes an entry that became durable.
    pub(super) fn tell(&mut self, entry: FeedEntry) {
        if !self.has_arrivals {
            return self.append(entry.tenant_id, entry);
        }
        self.arrive(entry);
    }

    fn arrive(&mut self, entry: FeedEntry) -> Arc<str> {
        self.arrived += 1;
        let id: Arc<str> = format!("{:016x}", self.arrived).into();
        let arrival = Arrival {
            id: id.clone(),
            tenant_id: entry.tenant_id,
            entries: vec![entry],
        };
        self.arrivals.insert(id.clone(), arrival);
        self.has_arrived.notify_one();
        id
    }

    fn append(&mut self, tenant_id: TenantId, entry: FeedEntry) {
        let place = self.end(tenant_id).plus(1);
        self.placed.insert((tenant_id, place), entry);
        self.news.note(FeedEnd { tenant_id, last: place });
        self.has_news.notify_one();
    }

    fn end(&self, tenant_id: TenantId) -> Place {
        let mut places = self
            .placed
            .range((tenant_id, Place::START)..=(tenant_id, Place::new(u64::MAX)));
        places.next_back().map_or(Place::START, |((_, place), _)| *place)
    }

    fn of_tenant(&self, tenant_id: TenantId, after: Place) -> impl Iterator<Item = PlacedEntry> {
        let behind = (tenant_id, after.plus(1))..=(tenant_id, Place::new(u64::MAX));
        self.placed.range(behind).map(|((_, place), entry)| PlacedEntry {
            place: *place,
            entry: entry.clone(),
        })
    }

    fn bounds(&self, tenant_id: TenantId) -> FeedBounds {
        let last = self.end(tenant_id);
        let first = self.of_tenant(tenant_id, Place::START).next();
        FeedBounds {
            first: first.map_or(last.plus(1), |first| first.place),
            last,
        }
    }

    /// Everything of a tenant, also what has no place yet.
    pub(super) fn erase(&mut self, tenant_id: &TenantId) {
        self.placed.retain(|(of, _), _| of != tenant_id);
        self.arrivals.retain(|_, arrival| arrival.tenant_id != *tenant_id);
    }

    /// What a tenant has and is older, but the last entry: it tells where the feed goes on. Returns how many.
    pub(super) fn erase_aged(&mut self, tenant_id: TenantId, before: Timestamp, limit: u32) -> u64 {
        let mut old = Vec::new();
        for placed in self.of_tenant(tenant_id, Place::START) {
            if placed.entry.at >= before || placed.place == self.end(tenant_id) {
                break;
            }
            old.push(placed.place);
        }
        old.truncate(limit as usize);
        for place in &old {
            self.placed.remove(&(tenant_id, *place));
        }
        old.len() as u64
    }

    /// All entries in the order of tenants and places.
    pub(super) fn all(&self) -> impl Iterator<Item = PlacedEntry> {
        self.placed.iter().map(|((_, place), entry)| PlacedEntry {
            place: *place,
            entry: entry.clone(),
        })
    }

    /// Leaves only those of which `is_left` says so.
    pub(super) fn retain(&mut self, is_left: impl Fn(PlacedEntry) -> bool) {
        self.placed.retain(|(_, place), entry| {
            is_left(PlacedEntry {
                place: *place,
                entry: entry.clone(),
            })
        });
    }

    /// Puts an entry at the place that it had in another store.
    pub(super) fn put(&mut self, placed: PlacedEntry) {
        let tenant_id = placed.entry.tenant_id;
        self.placed.insert((tenant_id, placed.place), placed.entry);
    }
}

impl State {
    /// The arrivals that wait, the oldest first.
    fn waiting(&self) -> impl Iterator<Item = &Arrival> {
        let arrivals = self.feeds.arrivals.values();
        arrivals.filter(|arrival| !self.feeds.aside.contains(&arrival.id))
    }

    /// The arrivals that may be placed.
    fn settled(&self) -> impl Iterator<Item = &Arrival> {
        self.waiting()
            .filter(|arrival| !self.feeds.announced.contains(&arrival.id))
    }

    /// The save that an arrival announces, and what its message shows of it.
    fn announced(&self, id: &Arc<str>) -> Option<(Announced, Option<SaveTrace>)> {
        let arrival = self
            .feeds
            .announced
            .get(id)
            .and_then(|id| self.feeds.arrivals.get(id))?;
        let announced = Announced::of(&arrival.entries[0])?;
        let message = self.messages.get(&announced.message_id);
        let trace = message.map(|message| SaveTrace {
            version: Some(message.delivery.version),
            is_carried: self.feeds.carried.contains(&(announced.message_id, id.clone())),
        });
        Some((announced, trace))
    }
}

impl MemoryStore {
    /// The processes that give places, as far as they said so and did not leave.
    pub fn attendants(&self) -> Vec<Arc<str>> {
        self.state.lock().feeds.attendants.keys().cloned().collect()
    }
}

/// A save in three writes, as a store makes it that has no transaction around it.
impl MemoryStore {
    /// The first write: what a save tells, as an arrival that has no place yet. `None` if it tells nothing, or if this store
    /// gives places at once.
    pub fn announce(&self, save: &Save) -> Option<Arc<str>> {
        let mut state = self.state.lock();
        let entry = save.entry.clone().filter(|_| state.feeds.has_arrivals)?;
        let id = state.feeds.arrive(entry);
        state.feeds.announced.insert(id.clone());
        Some(id)
    }

    /// The second write: saves the message, which carries the save from then on.
    pub fn save_announced(&self, save: &Save, id: &Arc<str>) -> Saved {
        let quiet = Save {
            entry: None,
            ..save.clone()
        };
        let mut state = self.state.lock();
        let saved = state.save(&quiet);
        if saved == Saved::Done {
            state.feeds.carried.insert((save.key.message_id, id.clone()));
        }
        saved
    }

    /// The third write: the entry is true, or tells of nothing. Changes nothing if somebody was faster.
    pub fn settle(&self, id: &Arc<str>, is_saved: bool) {
        let feeds = &mut self.state.lock().feeds;
        if feeds.announced.remove(id) && !is_saved {
            feeds.arrivals.remove(id);
        }
    }

    /// What is announced in these partitions.
    pub fn announced(&self, of: Partitions) -> Vec<Arc<str>> {
        let state = self.state.lock();
        let announced = state
            .waiting()
            .filter(|arrival| of.has_tenant(&arrival.tenant_id) && state.feeds.announced.contains(&arrival.id));
        announced.map(|arrival| arrival.id.clone()).collect()
    }

    /// What became of an announced save; `None` if it is settled.
    pub fn verdict(&self, id: &Arc<str>) -> Option<Verdict> {
        let (announced, trace) = self.state.lock().announced(id)?;
        Some(announced.verdict(trace))
    }

    /// Makes an announced save that is still on its way come too late.
    pub fn raise_version(&self, id: &Arc<str>) {
        let mut state = self.state.lock();
        let Some((announced, trace)) = state.announced(id) else {
            return;
        };
        if announced.verdict(trace) == Verdict::Open
            && let Some(message) = state.messages.get_mut(&announced.message_id)
        {
            message.delivery.version += 1;
        }
    }
}

#[async_trait]
impl FeedStore for MemoryStore {
    async fn entries(
        &self,
        tenant_id: &TenantId,
        after: Place,
        limit: PageLimit,
    ) -> Result<Listed<PlacedEntry>, StoreError> {
        self.with(|state| page_of(state.feeds.of_tenant(*tenant_id, after), limit))
    }

    async fn ends(&self, tenants: &[TenantId]) -> Result<Vec<Place>, StoreError> {
        self.with(|state| {
            let end = |tenant_id: &TenantId| state.feeds.end(*tenant_id);
            tenants.iter().map(end).collect()
        })
    }

    async fn bounds(&self, tenant_id: &TenantId) -> Result<FeedBounds, StoreError> {
        self.with(|state| state.feeds.bounds(*tenant_id))
    }
}

#[async_trait]
impl ArrivalStore for MemoryStore {
    async fn arrivals(&self, of: Partitions, limit: u32) -> Result<Vec<Arrival>, StoreError> {
        self.with(|state| {
            let settled = state.settled().filter(|arrival| of.has_tenant(&arrival.tenant_id));
            settled.take(limit as usize).cloned().collect()
        })
    }

    async fn arrived(&self) {
        let arrived = self.state.lock().feeds.has_arrived.clone();
        arrived.notified().await;
    }

    async fn append(&self, chunks: &[Chunk], arrivals: &[Arc<str>]) -> Result<Appended, StoreError> {
        self.with(|state| {
            let feeds = &mut state.feeds;
            let mut ends: BTreeMap<TenantId, Place> = BTreeMap::new();
            for chunk in chunks {
                let end = ends
                    .entry(chunk.tenant_id)
                    .or_insert_with(|| feeds.end(chunk.tenant_id));
                if chunk.first != end.plus(1) {
                    return Appended::Conflict;
                }
                *end = chunk.last();
            }
            if !arrivals.iter().all(|id| feeds.arrivals.contains_key(id)) {
                return Appended::Conflict;
            }
            for id in arrivals {
                feeds.arrivals.remove(id);
            }
            for chunk in chunks {
                for entry in &chunk.entries {
                    feeds.append(chunk.tenant_id, entry.clone());
                }
            }
            Appended::Done
        })
    }

    async fn put_aside(&self, arrivals: &[Arc<str>]) -> Result<(), StoreError> {
        self.with(|state| state.feeds.aside.extend(arrivals.iter().cloned()))
    }

    async fn bring_back(&self) -> Result<u64, StoreError> {
        self.with(|state| std::mem::take(&mut state.feeds.aside).len() as u64)
    }

    async fn waiting(&self) -> Result<ArrivalsWaiting, StoreError> {
        self.with(|state| ArrivalsWaiting {
            oldest: state.waiting().next().map(|arrival| arrival.entries[0].at),
            aside: state.feeds.aside.len() as u64,
        })
    }

    async fn attend(&self, name: &str) -> Result<Vec<Attendant>, StoreError> {
        self.with(|state| {
            *state.feeds.attendants.entry(name.into()).or_default() += 1;
            let attendant = |(name, beats): (&Arc<str>, &u64)| Attendant {
                name: name.clone(),
                beats: *beats,
            };
            state.feeds.attendants.iter().map(attendant).collect()
        })
    }

    async fn leave(&self, names: &[Arc<str>]) -> Result<(), StoreError> {
        self.with(|state| state.feeds.attendants.retain(|name, _| !names.contains(name)))
    }
}
