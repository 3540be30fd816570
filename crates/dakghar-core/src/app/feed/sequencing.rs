//! Gives places to entries, where several processes write and none can know its place by itself.
//!
//! A step reads what arrived, puts it in order and appends it to the feeds of its tenants, in one transaction that also
//! takes the arrivals away. What has no place yet is always all that is among the arrivals: an entry that becomes visible
//! late is found by the next step, however late. Nothing that a process knows is trusted: a chunk that does not begin at
//! the end of its feed, or an arrival that is gone, undoes the whole transaction. So two processes that take themselves for
//! the owner of a partition cost each other time, and nothing else.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest;
use parking_lot::Mutex;

use crate::app::failure::Failure;
use crate::app::feed::watching::Watching;
use crate::domain::TenantId;
use crate::domain::feed::{Arrival, Chunk, FeedEnd, FeedEntry, Partitions, Place};
use crate::episode::Episode;
use crate::metrics::Metrics;
use crate::ports::{Appended, ArrivalStore, ArrivalsWaiting, Attendant, Clock, FeedStore, Ports, StoreError};

/// Arrivals that are read in a step.
const ARRIVALS_MAX: u32 = 500;
/// Entries in one chunk: a page reads few chunks, and none is large.
const CHUNK_ENTRIES_MAX: usize = 250;
/// Tenants whose ends are remembered. Above that, all are forgotten.
const ENDS_MAX: usize = 10_000;
/// The wait between two signs that a process is there.
const ATTEND_EVERY: Duration = Duration::from_secs(1);
/// A process that was not seen to say that it is there for so long owns nothing.
const GONE_AFTER: Duration = Duration::from_secs(5);
/// A process that begins beside others hands out nothing until they know it. That takes three of their signs, each up to a look
/// late, and what delivers there follows within a second.
const NEWCOMER_WAIT: Duration = Duration::from_secs(4);
/// An entry that waits so long for its place is late.
const LATE: Duration = Duration::from_secs(10);
/// After so long it is forgotten.
const FORGOTTEN_AFTER: Duration = Duration::from_mins(10);
/// The wait between two looks for what arrived, of which no sign came.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// The same while signs of other processes do not come through.
const LOOK_WITHOUT_NEWS: Duration = Duration::from_millis(50);
/// The rest after a step, for each entry that it placed: what comes meanwhile shares the next transaction. So little waits
/// little, and much costs no more transactions than at [`REST_MAX`].
const REST_PER_ENTRY: Duration = Duration::from_millis(1);
/// The longest rest.
const REST_MAX: Duration = Duration::from_millis(50);

/// What a step did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sequenced {
    /// Entries that have their place now.
    pub placed: u64,
    /// True if another step is to follow at once.
    pub has_more: bool,
}

impl Sequenced {
    /// Returns the rest until the next step.
    pub fn rest(&self) -> Duration {
        if self.has_more {
            return Duration::ZERO;
        }
        let placed = u32::try_from(self.placed).unwrap_or(u32::MAX);
        REST_PER_ENTRY.saturating_mul(placed).min(REST_MAX)
    }
}

/// Gives places to entries.
pub struct Sequencing {
    /// `None` where the store does it by itself.
    arrivals: Option<Arc<dyn ArrivalStore>>,
    feed: Arc<dyn FeedStore>,
    watching: Arc<Watching>,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    name: Arc<str>,
    state: Mutex<State>,
    late: Episode,
}

#[derive(Default)]
struct State {
    owned: Partitions,
    /// When it first said that it is there.
    attends_since: Option<Duration>,
    /// When it is to say again that it is there, by the time since this machine was started.
    attends_at: Duration,
    /// The ends of feeds as they were last seen. They may be wrong.
    ends: HashMap<TenantId, Place>,
    seen: HashMap<Arc<str>, Seen>,
}

/// How a process was seen.
#[derive(Clone, Copy)]
struct Seen {
    beats: u64,
    /// Since when it has this many beats, by the time since this machine was started.
    since: Duration,
    /// True once its beats were seen to change: before, it may be long gone.
    is_known: bool,
}

impl Sequencing {
    pub(in crate::app) fn new(ports: &Ports, watching: Arc<Watching>, name: &str) -> Self {
        Self {
            arrivals: ports.arrivals.clone(),
            feed: ports.feed.clone(),
            watching,
            clock: ports.clock.clone(),
            metrics: ports.metrics.clone(),
            name: name.into(),
            state: Mutex::default(),
            late: Episode::default(),
        }
    }

    /// True if there is something to do here. Where the store gives places itself, there never is.
    pub const fn is_needed(&self) -> bool {
        self.arrivals.is_some()
    }

    /// Returns the partitions whose entries this process hands out. Where the store gives places itself, there is one
    /// process.
    pub fn owned(&self) -> Partitions {
        if !self.is_needed() {
            return Partitions::ALL;
        }
        let now = self.clock.uptime();
        let state = self.state.lock();
        let is_new = |since| now.saturating_sub(since) < NEWCOMER_WAIT;
        if !state.seen.is_empty() && state.attends_since.is_none_or(is_new) {
            return Partitions::default();
        }
        state.owned
    }

    /// Waits for entries that arrive in this process, and says so to those who give places. To be called again and again, by
    /// one task of every process.
    pub async fn tell_arrivals(&self) {
        let Some(arrivals) = &self.arrivals else { return };
        arrivals.arrived().await;
        let owns_all = self.state.lock().owned == Partitions::ALL;
        self.watching.tell_arrived(!owns_all);
    }

    /// Waits until entries may have arrived. Who comes back before [`Self::look_wait`] knows that there was a sign.
    pub async fn arrived(&self) {
        self.watching.arrived().await;
    }

    /// Returns the longest wait between two steps: signs may be lost.
    pub fn look_wait(&self) -> Duration {
        if self.watching.hears() {
            LOOK_EVERY
        } else {
            LOOK_WITHOUT_NEWS
        }
    }

    /// Says that this process is there, once a second, and finds out which partitions it owns.
    async fn attend(&self, arrivals: &dyn ArrivalStore) -> Result<Partitions, StoreError> {
        let now = self.clock.uptime();
        {
            let mut state = self.state.lock();
            if now < state.attends_at {
                return Ok(state.owned);
            }
            state.attends_since.get_or_insert(now);
            state.attends_at = now + ATTEND_EVERY;
        }
        let attendants = arrivals.attend(&self.name).await?;
        let (owned, gone) = self.look_around(&attendants);
        if !gone.is_empty() {
            arrivals.leave(&gone).await?;
        }
        Ok(owned)
    }

    /// Tells the others that this process owns nothing any more.
    pub async fn leave(&self) -> Result<(), Failure> {
        self.state.lock().owned = Partitions::default();
        let Some(arrivals) = &self.arrivals else { return Ok(()) };
        Ok(arrivals.leave(std::slice::from_ref(&self.name)).await?)
    }

    fn look_around(&self, attendants: &[Attendant]) -> (Partitions, Vec<Arc<str>>) {
        let now = self.clock.uptime();
        let mut state = self.state.lock();
        state
            .seen
            .retain(|name, _| attendants.iter().any(|attendant| attendant.name == *name));
        let mut present = vec![self.name.clone()];
        let mut gone = Vec::new();
        for Attendant { name, beats } in attendants.iter().filter(|attendant| attendant.name != self.name) {
            let seen = state.seen.entry(name.clone()).or_insert(Seen {
                beats: *beats,
                since: now,
                is_known: false,
            });
            if seen.beats != *beats {
                *seen = Seen {
                    beats: *beats,
                    since: now,
                    is_known: true,
                };
            }
            let silent = now.saturating_sub(seen.since);
            if seen.is_known && silent < GONE_AFTER {
                present.push(name.clone());
            } else if silent >= FORGOTTEN_AFTER {
                gone.push(name.clone());
            }
        }
        state.owned = Partitions::of(|partition| owner_of(partition, &present) == Some(&self.name));
        (state.owned, gone)
    }

    /// Gives places to some of what arrived in the partitions that this process owns.
    pub async fn step(&self) -> Result<Sequenced, Failure> {
        let Some(store) = &self.arrivals else {
            return Ok(Sequenced::default());
        };
        let owned = self.attend(&**store).await?;
        if owned == Partitions::default() {
            return Ok(Sequenced::default());
        }
        let arrived = store.arrivals(owned, ARRIVALS_MAX).await?;
        if arrived.is_empty() {
            return Ok(Sequenced::default());
        }
        let has_more = arrived.len() >= ARRIVALS_MAX as usize;
        match self.place(&**store, &arrived).await {
            Ok(Some(placed)) => Ok(Sequenced { placed, has_more }),
            // Whoever was in the way may still be.
            Ok(None) => Ok(Sequenced::default()),
            Err(error) if is_of_one(&error) => self.place_apart(&**store, arrived).await,
            Err(error) => Err(error.into()),
        }
    }

    /// Places each tenant's arrivals alone, because one of them cannot be placed. Puts aside what cannot.
    async fn place_apart(&self, store: &dyn ArrivalStore, arrived: Vec<Arrival>) -> Result<Sequenced, Failure> {
        let mut by_tenant: BTreeMap<TenantId, Vec<Arrival>> = BTreeMap::new();
        for arrival in arrived {
            by_tenant.entry(arrival.tenant_id).or_default().push(arrival);
        }
        let mut sequenced = Sequenced {
            placed: 0,
            has_more: true,
        };
        for (tenant_id, arrived) in by_tenant {
            match self.place(store, &arrived).await {
                Ok(placed) => sequenced.placed += placed.unwrap_or_default(),
                Err(error) if is_of_one(&error) => {
                    let ids: Vec<Arc<str>> = arrived.iter().map(|arrival| arrival.id.clone()).collect();
                    tracing::error!(%tenant_id, arrivals = ids.len(), %error, "entries of a feed cannot be placed and are put aside");
                    store.put_aside(&ids).await?;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(sequenced)
    }

    /// Appends arrivals to their feeds, all or none. `None` if another process was faster.
    async fn place(&self, store: &dyn ArrivalStore, arrived: &[Arrival]) -> Result<Option<u64>, StoreError> {
        let mut by_tenant: BTreeMap<TenantId, Vec<FeedEntry>> = BTreeMap::new();
        for arrival in arrived {
            by_tenant
                .entry(arrival.tenant_id)
                .or_default()
                .extend(arrival.entries.iter().cloned());
        }
        let ends = self.ends_of(by_tenant.keys()).await?;
        let mut chunks = Vec::with_capacity(by_tenant.len());
        let mut new_ends = Vec::with_capacity(by_tenant.len());
        let mut placed = 0;
        for (tenant_id, entries) in by_tenant {
            let mut end = ends.get(&tenant_id).copied().unwrap_or_default();
            placed += entries.len() as u64;
            for entries in entries.chunks(CHUNK_ENTRIES_MAX) {
                let chunk = Chunk {
                    tenant_id,
                    first: end.plus(1),
                    entries: entries.to_vec(),
                };
                end = chunk.last();
                chunks.push(chunk);
            }
            new_ends.push(FeedEnd { tenant_id, last: end });
        }
        let ids: Vec<Arc<str>> = arrived.iter().map(|arrival| arrival.id.clone()).collect();
        let appended = store.append(&chunks, &ids).await;
        if appended == Ok(Appended::Done) {
            let ends = new_ends.iter().map(|end| (end.tenant_id, end.last));
            self.state.lock().ends.extend(ends);
            self.metrics.feed_placed.inc_by(placed);
            // Should the process die before, those who wait look by themselves after a while.
            self.watching.tell(&new_ends);
            return Ok(Some(placed));
        }
        // What was known is wrong, or may be.
        let mut state = self.state.lock();
        for end in new_ends {
            state.ends.remove(&end.tenant_id);
        }
        appended.map(|_| None)
    }

    async fn ends_of(&self, tenants: impl Iterator<Item = &TenantId>) -> Result<HashMap<TenantId, Place>, StoreError> {
        let mut ends = HashMap::new();
        let mut unknown = Vec::new();
        {
            let mut state = self.state.lock();
            if state.ends.len() >= ENDS_MAX {
                state.ends.clear();
            }
            for tenant_id in tenants {
                match state.ends.get(tenant_id) {
                    Some(end) => _ = ends.insert(*tenant_id, *end),
                    None => unknown.push(*tenant_id),
                }
            }
        }
        if !unknown.is_empty() {
            ends.extend(unknown.iter().copied().zip(self.feed.ends(&unknown).await?));
        }
        Ok(ends)
    }

    /// Tells in the log when entries begin to wait too long for their places, and when they do not any more.
    fn tell(&self, waiting: ArrivalsWaiting) {
        let now = self.clock.now();
        if waiting.oldest.is_some_and(|oldest| now.since(oldest) >= LATE) {
            if self.late.note() {
                tracing::warn!(
                    "entries of feeds wait for their places: no worker of this installation gives them, or none is fast enough"
                );
            }
        } else if self.late.end().is_some() {
            tracing::info!("entries of feeds have their places again");
        }
    }

    /// Brings back what was put aside. Returns how many arrivals.
    pub async fn bring_back(&self) -> Result<u64, Failure> {
        let Some(arrivals) = &self.arrivals else { return Ok(0) };
        Ok(arrivals.bring_back().await?)
    }

    /// Looks how long the oldest entry has waited for its place, and shows it as metrics.
    pub async fn look(&self) -> Result<ArrivalsWaiting, Failure> {
        let Some(arrivals) = &self.arrivals else {
            return Ok(ArrivalsWaiting::default());
        };
        let waiting = arrivals.waiting().await?;
        self.tell(waiting);
        let age = waiting.oldest.map(|oldest| self.clock.now().since(oldest));
        let seconds = age.map_or(0, |age| age.as_secs().try_into().unwrap_or(i64::MAX));
        self.metrics.feed_unplaced_age.set(seconds);
        self.metrics
            .feed_aside
            .set(waiting.aside.try_into().unwrap_or(i64::MAX));
        let owned = self.state.lock().owned.count();
        self.metrics.feed_partitions.set(owned.into());
        Ok(waiting)
    }
}

/// True if the error concerns one tenant's entries, and not the store.
const fn is_of_one(error: &StoreError) -> bool {
    matches!(error, StoreError::Corrupt(_) | StoreError::Unreadable(_))
}

/// The owner of a partition among those present: the one whose digest of both is the greatest. Whoever comes or goes moves
/// only the partitions that become theirs, or were.
fn owner_of(partition: u32, present: &[Arc<str>]) -> Option<&Arc<str>> {
    let weight = |name: &&Arc<str>| {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(&partition.to_be_bytes());
        context.update(name.as_bytes());
        context.finish().as_ref().to_vec()
    };
    present.iter().max_by_key(weight)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn little_waits_little_and_a_flood_shares_its_transactions() {
        let rest = |placed, has_more| Sequenced { placed, has_more }.rest().as_millis();
        assert_eq!([rest(0, false), rest(3, false), rest(u64::MAX, false)], [0, 3, 50]);
        assert_eq!(rest(500, true), 0, "a full step is followed by the next");
    }
}
