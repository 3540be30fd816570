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

use parking_lot::Mutex;

use crate::app::failure::Failure;
use crate::app::feed::just_placed::JustPlaced;
use crate::app::feed::owning::Owning;
use crate::app::feed::stuck::StuckFeeds;
use crate::app::feed::watching::Watching;
use crate::domain::TenantId;
use crate::domain::feed::{Arrival, Chunk, FeedEnd, FeedEntry, PARTITIONS, Partitions, Place};
use crate::episode::Episode;
use crate::metrics::Metrics;
use crate::ports::{Appended, ArrivalStore, ArrivalsWaiting, Clock, FeedStore, Ports, StoreError};

/// Arrivals that are read in a step.
const ARRIVALS_MAX: u32 = 500;
/// Entries in one chunk: a page reads few chunks, and none is large.
const CHUNK_ENTRIES_MAX: usize = 250;
/// Tenants whose ends are remembered. Above that, all are forgotten.
const ENDS_MAX: usize = 10_000;
/// An entry that waits so long for its place is late.
const LATE: Duration = Duration::from_secs(10);

/// The wait between two looks for what arrived, of which no sign came.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// The same while signs of other processes do not come through.
const LOOK_WITHOUT_NEWS: Duration = Duration::from_millis(50);
/// The rest after a step, for each entry that it placed: what comes meanwhile shares the next transaction. So little waits
/// little, and much costs no more transactions than at [`REST_MAX`]. A store that takes its time for a step is busy, and has
/// half of that time for others.
const REST_PER_ENTRY: Duration = Duration::from_micros(250);
/// The longest rest.
const REST_MAX: Duration = Duration::from_millis(50);

/// What a step did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sequenced {
    /// Entries that have their place now.
    pub placed: u64,
    /// True if another step is to follow at once.
    pub has_more: bool,
    /// The time that it took.
    pub took: Duration,
}

impl Sequenced {
    /// Returns the rest until the next step.
    pub fn rest(&self) -> Duration {
        if self.has_more {
            return Duration::ZERO;
        }
        let placed = u32::try_from(self.placed).unwrap_or(u32::MAX);
        REST_PER_ENTRY.saturating_mul(placed).max(self.took / 2).min(REST_MAX)
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
    owning: Owning,
    /// The ends of feeds as they were last seen. They may be wrong.
    ends: Mutex<HashMap<TenantId, Place>>,
    just_placed: Arc<JustPlaced>,
    stuck: StuckFeeds,
    late: Episode,
}

impl Sequencing {
    pub(in crate::app) fn new(ports: &Ports, watching: Arc<Watching>, name: &str) -> Self {
        Self {
            arrivals: ports.arrivals.clone(),
            feed: ports.feed.clone(),
            watching,
            clock: ports.clock.clone(),
            metrics: ports.metrics.clone(),
            owning: Owning::new(ports.clock.clone(), name),
            ends: Mutex::default(),
            just_placed: Arc::default(),
            stuck: StuckFeeds::default(),
            late: Episode::default(),
        }
    }

    /// Entries that were placed here lately.
    pub(in crate::app) const fn just_placed(&self) -> &Arc<JustPlaced> {
        &self.just_placed
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
        self.owning.handed_out()
    }

    /// Waits for entries that arrive in this process, and says so to those who give places. To be called again and again, by
    /// one task of every process.
    pub async fn tell_arrivals(&self) {
        let Some(arrivals) = &self.arrivals else { return };
        arrivals.arrived().await;
        let owns_all = self.owning.owned() == Partitions::ALL;
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

    /// Tells the others that this process owns nothing any more. To be called when nothing is handed out here any more, and
    /// after the last step: a step that ends later would say that it is there.
    pub async fn leave(&self) -> Result<(), Failure> {
        let Some(arrivals) = &self.arrivals else { return Ok(()) };
        Ok(self.owning.leave(&**arrivals).await?)
    }

    /// Gives places to some of what arrived in the partitions that this process owns.
    pub async fn step(&self) -> Result<Sequenced, Failure> {
        let begun = self.clock.uptime();
        let sequenced = self.place_arrived().await?;
        let took = self.clock.uptime().saturating_sub(begun);
        Ok(Sequenced { took, ..sequenced })
    }

    async fn place_arrived(&self) -> Result<Sequenced, Failure> {
        let Some(store) = &self.arrivals else {
            return Ok(Sequenced::default());
        };
        let handed_out = self.owning.handed_out();
        let owned = self.owning.attend(&**store).await?;
        if self.owning.handed_out() != handed_out {
            self.watching.miss_endpoints();
        }
        if owned == Partitions::default() {
            return Ok(Sequenced::default());
        }
        let arrived = store.arrivals(owned, ARRIVALS_MAX).await?;
        if arrived.is_empty() {
            return Ok(Sequenced::default());
        }
        let has_more = arrived.len() >= ARRIVALS_MAX as usize;
        let (stuck, arrived): (Vec<Arrival>, Vec<Arrival>) =
            (arrived.into_iter()).partition(|arrival| self.stuck.has(&arrival.tenant_id));
        if !stuck.is_empty() {
            // The others are not to be placed one by one because of them.
            let placed = self.place_apart(&**store, stuck).await?.placed;
            if arrived.is_empty() {
                return Ok(Sequenced {
                    placed,
                    has_more,
                    ..Sequenced::default()
                });
            }
        }
        match self.place(&**store, &arrived).await {
            Ok(Some(placed)) => Ok(Sequenced {
                placed,
                has_more,
                ..Sequenced::default()
            }),
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
            has_more: true,
            ..Sequenced::default()
        };
        for (tenant_id, arrived) in by_tenant {
            match self.place_or_tell(store, tenant_id, &arrived).await? {
                Some(placed) => sequenced.placed += placed,
                None => store.put_aside(&ids_of(&arrived)).await?,
            }
        }
        Ok(sequenced)
    }

    /// Places arrivals of one tenant. `None` if they cannot be placed: the log says so once, and when it is over.
    async fn place_or_tell(
        &self,
        store: &dyn ArrivalStore,
        tenant_id: TenantId,
        arrived: &[Arrival],
    ) -> Result<Option<u64>, Failure> {
        match self.place(store, arrived).await {
            Ok(None) => Ok(Some(0)),
            Ok(Some(placed)) => {
                if let Some(tries) = self.stuck.end(&tenant_id) {
                    tracing::info!(%tenant_id, tries, "entries of a feed are placed again; dakghar feed retry brings back what was put aside");
                }
                Ok(Some(placed))
            }
            Err(error) if is_of_one(&error) => {
                if self.stuck.note(tenant_id) {
                    tracing::error!(%tenant_id, %error, "entries of a feed cannot be placed and are put aside until it is mended");
                }
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
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
        let appended = store.append(&chunks, &ids_of(arrived)).await;
        if appended == Ok(Appended::Done) {
            let ends = new_ends.iter().map(|end| (end.tenant_id, end.last));
            self.ends.lock().extend(ends);
            self.metrics.feed_placed.inc_by(placed);
            self.just_placed.note(chunks);
            // Should the process die before, those who wait look by themselves after a while.
            self.watching.tell(&new_ends);
            return Ok(Some(placed));
        }
        // What was known is wrong, or may be.
        let mut known = self.ends.lock();
        for end in new_ends {
            known.remove(&end.tenant_id);
        }
        appended.map(|_| None)
    }

    async fn ends_of(&self, tenants: impl Iterator<Item = &TenantId>) -> Result<HashMap<TenantId, Place>, StoreError> {
        let mut ends = HashMap::new();
        let mut unknown = Vec::new();
        {
            let mut known = self.ends.lock();
            if known.len() >= ENDS_MAX {
                known.clear();
            }
            for tenant_id in tenants {
                match known.get(tenant_id) {
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
            // Its one process gives every place.
            self.metrics.feed_partitions.set(PARTITIONS.into());
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
        self.metrics.feed_partitions.set(self.owning.owned().count().into());
        Ok(waiting)
    }
}

/// True if the error concerns one tenant's entries, and not the store.
const fn is_of_one(error: &StoreError) -> bool {
    matches!(error, StoreError::Corrupt(_) | StoreError::Unreadable(_))
}

fn ids_of(arrived: &[Arrival]) -> Vec<Arc<str>> {
    arrived.iter().map(|arrival| arrival.id.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn little_waits_little_and_a_flood_shares_its_transactions() {
        let after = |placed, has_more, took| {
            let took = Duration::from_millis(took);
            let done = Sequenced { placed, has_more, took };
            done.rest().as_millis()
        };
        let rest = |placed| after(placed, false, 0);
        assert_eq!([rest(0), rest(12), rest(u64::MAX)], [0, 3, 50]);
        assert_eq!(after(500, true, 40), 0, "a full step is followed by the next");
        assert_eq!(
            [after(12, false, 40), after(0, false, 4_000)],
            [20, 50],
            "the store is busy"
        );
    }
}
