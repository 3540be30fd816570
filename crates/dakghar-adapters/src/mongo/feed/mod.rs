//! The feeds of tenants. Several processes write, so an entry becomes an arrival first, and gets its place when one of them
//! makes chunks of the arrivals.
//!
//! A chunk is a document under its tenant and first place, so no place is given twice. It is inserted in the transaction
//! that deletes its arrivals, so no entry is placed twice and none is lost in between.

mod announcing;
mod carrying;
mod left;
mod moving;
mod ranges;
mod writing;

use std::sync::Arc;

use async_trait::async_trait;
use bson::{Document, RawDocument, doc};
use dakghar_core::domain::feed::{Arrival, Chunk, ENTRY_BYTES};
use dakghar_core::domain::feed::{FeedBounds, Partitions, Place, PlacedEntry, place_id};
use dakghar_core::domain::ids::TenantId;
use dakghar_core::domain::page::{Listed, PageLimit, Paged};
use dakghar_core::domain::time::Timestamp;
use dakghar_core::ports::{Appended, ArrivalStore, ArrivalsWaiting, Attendant, FeedStore, LOAD_BYTES_MAX, StoreError};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::MongoStore;
use super::documents::{SCHEMA_VERSION, Unreadable, feed};
use super::indexes::BY_ID;
use super::reads::{Query, text};
use super::transactions::Aborted;

use left::whole_or_left;
use ranges::{behind, first_in, in_a_row, page_of};

pub(super) use ranges::of_tenant;
pub(super) use writing::{Keyed, Told};

/// Entries of a chunk at most, when it is looked for.
const CHUNK_ENTRIES_MAX: u64 = feed::LENGTH_MAX as u64;
/// Arrivals that are brought back in one transaction.
const MOVED_AT_ONCE: u32 = 500;
/// Feeds whose ends are looked for at the same time.
const ENDS_AT_ONCE: usize = 8;

#[async_trait]
impl FeedStore for MongoStore {
    async fn entries(
        &self,
        tenant_id: &TenantId,
        after: Place,
        limit: PageLimit,
    ) -> Result<Listed<PlacedEntry>, StoreError> {
        if limit.items == 0 {
            return Ok(Listed::empty());
        }
        // The chunk with the next place may begin before it.
        let from = Place::new(after.number().saturating_sub(CHUNK_ENTRIES_MAX));
        let mut filter = of_tenant(tenant_id);
        filter.insert(
            "_id",
            doc! { "$gte": place_id(tenant_id, from), "$lt": behind(tenant_id) },
        );
        // Also one whose last place is missing or nonsense.
        let ends_before = doc! { "$lte": i64::try_from(after.number()).unwrap_or(i64::MAX) };
        filter.insert("last", doc! { "$not": ends_before });
        // Only what a majority has: a place that was seen once never changes.
        let query = Query::new(filter, BY_ID).sort(doc! { "_id": 1 }).majority();
        let chunks = PageLimit {
            bytes: (limit.items as usize + 1).saturating_mul(ENTRY_BYTES),
            ..limit
        };
        let found = self.fetch_within(&self.feed, query, chunks, whole_or_left).await?;
        let Some(found) = in_a_row(found, after) else {
            return self.entries_left(tenant_id, after, limit).await;
        };
        let is_cut =
            found.len() >= chunks.items as usize || found.iter().map(Paged::bytes).sum::<usize>() >= chunks.bytes;
        Ok(page_of(found, after, limit, is_cut))
    }

    async fn ends(&self, tenants: &[TenantId]) -> Result<Vec<Place>, StoreError> {
        let ends = stream::iter(tenants.to_vec()).map(|tenant_id| async move { self.end(&tenant_id).await });
        ends.buffered(ENDS_AT_ONCE).try_collect().await
    }

    async fn bounds(&self, tenant_id: &TenantId) -> Result<FeedBounds, StoreError> {
        let last = match self.end(tenant_id).await {
            Err(StoreError::Unreadable(_)) => self.end_left(tenant_id).await?,
            end => end?,
        };
        let query = Query::new(of_tenant(tenant_id), BY_ID)
            .sort(doc! { "_id": 1 })
            .limit(1)
            .fields(doc! { "_id": 1 })
            .majority();
        let first = self
            .fetch_readable(&self.feed, query, |raw| text(raw, "feed chunk", "_id"))
            .await?;
        let first = first.first().and_then(|id| first_in(id));
        Ok(FeedBounds {
            first: first.unwrap_or(last.plus(1)),
            last,
        })
    }
}

#[async_trait]
impl ArrivalStore for MongoStore {
    async fn arrivals(&self, of: Partitions, limit: u32) -> Result<Vec<Arrival>, StoreError> {
        self.settle_forgotten(of).await;
        let mut settled = waiting(of);
        settled.insert("saveId", doc! { "$exists": false });
        let query = Query::new(settled, BY_ID).sort(doc! { "_id": 1 }).limit(limit);
        let id = |raw: &RawDocument| raw.get_str("_id").ok().map(Arc::<str>::from);
        let (found, _) = self
            .fetch_each_within(&self.feed_arrivals, query, LOAD_BYTES_MAX, id, feed::decode_arrival)
            .await?;
        let (mut arrivals, mut unreadable) = (Vec::with_capacity(found.len()), Vec::new());
        for (id, arrival) in found {
            match arrival {
                Ok(arrival) => arrivals.push(arrival),
                Err(_) => unreadable.push(id),
            }
        }
        if !unreadable.is_empty()
            && let Err(error) = self.put_aside(&unreadable).await
        {
            tracing::warn!(arrivals = unreadable.len(), %error, "entries that cannot be read could not be put aside yet");
        }
        arrivals.sort_unstable_by(|one, other| one.id.cmp(&other.id));
        Ok(arrivals)
    }

    async fn arrived(&self) {
        self.arrived.notified().await;
    }

    async fn append(&self, chunks: &[Chunk], arrivals: &[Arc<str>]) -> Result<Appended, StoreError> {
        let documents = chunks.iter().map(feed::encode_chunk).collect::<Result<Vec<_>, _>>()?;
        let ids: Vec<&str> = arrivals.iter().map(AsRef::as_ref).collect();
        let steps = async {
            let mut session = self.begin().await?;
            self.insert_within(&mut session, &self.feed, &documents).await?;
            let placed = doc! { "_id": { "$in": ids } };
            self.delete_within(&mut session, &self.feed_arrivals, placed, arrivals.len())
                .await?;
            self.commit(&mut session).await
        };
        match self.within_write_timeout(steps).await {
            Ok(()) => Ok(Appended::Done),
            Err(Aborted::Duplicate | Aborted::Conflict) => Ok(Appended::Conflict),
            Err(aborted) => Err(aborted.into_store_error()),
        }
    }

    async fn put_aside(&self, arrivals: &[Arc<str>]) -> Result<(), StoreError> {
        self.move_all(&self.feed_arrivals, &self.feed_aside, arrivals).await
    }

    async fn bring_back(&self) -> Result<u64, StoreError> {
        let mut count = 0;
        loop {
            let query = Query::new(doc! {}, BY_ID)
                .sort(doc! { "_id": 1 })
                .limit(MOVED_AT_ONCE)
                .fields(doc! { "_id": 1 });
            let ids = self
                .fetch_readable(&self.feed_aside, query, |raw| text(raw, "feed arrival", "_id"))
                .await?;
            let ids: Vec<Arc<str>> = ids.into_iter().map(Into::into).collect();
            if ids.is_empty() {
                return Ok(count);
            }
            self.move_all(&self.feed_aside, &self.feed_arrivals, &ids).await?;
            count += ids.len() as u64;
        }
    }

    async fn waiting(&self) -> Result<ArrivalsWaiting, StoreError> {
        let query = Query::new(waiting(Partitions::ALL), BY_ID)
            .sort(doc! { "_id": 1 })
            .limit(1)
            .fields(doc! { "_id": 1 });
        let oldest = self
            .fetch_readable(&self.feed_arrivals, query, |raw| text(raw, "feed arrival", "_id"))
            .await?;
        let limit = self.options.read_timeout;
        let count = self.feed_aside.estimated_document_count().max_time(limit);
        let aside = self.bounded(limit, async { count.await }).await;
        Ok(ArrivalsWaiting {
            oldest: oldest.first().and_then(|id| made_at(id)),
            aside: aside.map_err(|failure| failure.to_store_error())?,
        })
    }

    async fn attend(&self, name: &str) -> Result<Vec<Attendant>, StoreError> {
        let update = doc! { "$inc": { "beats": 1_i64 }, "$set": { "schemaVersion": SCHEMA_VERSION } };
        let beat = self
            .feed_attendants
            .update_one(doc! { "_id": name }, update)
            .upsert(true);
        let beaten = self.bounded(self.options.write_timeout, async { beat.await }).await;
        beaten.map_err(|failure| failure.to_store_error())?;
        let read = |raw: &RawDocument| {
            let name = text(raw, "feed attendant", "_id")?;
            let beats = raw.get_i64("beats").ok().and_then(|beats| u64::try_from(beats).ok());
            Ok(Attendant {
                beats: beats.ok_or_else(|| Unreadable::field("feed attendant", &name, "beats"))?,
                name: name.into(),
            })
        };
        self.fetch_readable(&self.feed_attendants, Query::new(doc! {}, BY_ID), read)
            .await
    }

    async fn leave(&self, names: &[Arc<str>]) -> Result<(), StoreError> {
        let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
        self.delete_by_ids(&self.feed_attendants, doc! { "_id": { "$in": names } })
            .await?;
        Ok(())
    }
}

impl MongoStore {
    /// The last place that a tenant's feed has.
    async fn end(&self, tenant_id: &TenantId) -> Result<Place, StoreError> {
        let query = Query::new(of_tenant(tenant_id), BY_ID)
            .newest_first()
            .limit(1)
            .fields(doc! { "_id": 1, "last": 1 })
            .majority();
        match self.fetch(&self.feed, query, feed::decode_last).await?.first() {
            None => Ok(Place::START),
            Some(Some(last)) => Ok(*last),
            Some(None) => {
                // It tells of the chunk. Taking it for the end could give a place twice.
                self.end_left(tenant_id).await?;
                Err(StoreError::Unreadable(format!("the last feed chunk of {tenant_id}")))
            }
        }
    }
}

/// The arrivals of partitions.
fn waiting(of: Partitions) -> Document {
    // Only texts: what another program has put in with an id of another type is nobody's.
    let mut filter = doc! { "_id": { "$gte": "" } };
    if of != Partitions::ALL {
        let partitions: Vec<i64> = of.iter().map(i64::from).collect();
        filter.insert("partition", doc! { "$in": partitions });
    }
    filter
}

/// When an arrival was made, by its id.
fn made_at(id: &str) -> Option<Timestamp> {
    let millis = i64::from_str_radix(id.get(..12)?, 16).ok()?;
    Some(Timestamp::from_millis(millis))
}
