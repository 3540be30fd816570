//! Reading past chunks that cannot be read: each of their places gets an entry that says so, so that nobody takes them for
//! erased, or passes them over without knowing. It costs two queries more than reading does otherwise.

use bson::{RawDocument, doc};
use dakghar_core::domain::feed::{Chunk, FeedEntry, Place, PlacedEntry, place_id};
use dakghar_core::domain::ids::TenantId;
use dakghar_core::domain::page::{Listed, PageLimit, Paged};
use dakghar_core::ports::StoreError;

use super::ranges::{behind, first_in, of_tenant, page_of};
use crate::mongo::MongoStore;
use crate::mongo::documents::Unreadable;
use crate::mongo::documents::feed::{self, LeftOfChunk};
use crate::mongo::indexes::BY_ID;
use crate::mongo::reads::{Query, text};

/// Chunks beyond those of the page: the first one may end before it.
const MORE: u32 = 1;

impl MongoStore {
    /// As [`FeedStore::entries`](dakghar_core::ports::FeedStore::entries), where chunks cannot be read, or are not there.
    pub(super) async fn entries_left(
        &self,
        tenant_id: &TenantId,
        after: Place,
        limit: PageLimit,
    ) -> Result<Listed<PlacedEntry>, StoreError> {
        // The last chunk that begins before the page. Nothing but the ids is trusted.
        let mut before = of_tenant(tenant_id);
        let own = before.get_document_mut("_id").expect("it has one");
        own.insert("$lte", place_id(tenant_id, after.plus(1)));
        let before = Query::new(before, BY_ID).newest_first();
        let from = match self.first_id(before).await? {
            Some(id) => id,
            None => place_id(tenant_id, after.plus(1)),
        };
        let on = doc! { "_id": { "$gte": from, "$lt": behind(tenant_id) } };
        let query = Query::new(on, BY_ID).sort(doc! { "_id": 1 }).majority();
        let chunks = PageLimit {
            items: limit.items.saturating_add(MORE),
            ..limit
        };
        let found = self.fetch_within(&self.feed, query, chunks, whole_or_left).await?;
        let is_cut =
            found.len() >= chunks.items as usize || found.iter().map(Paged::bytes).sum::<usize>() >= chunks.bytes;
        let chunks = self.with_lengths(tenant_id, found).await?;
        Ok(page_of(chunks, after, limit, is_cut))
    }

    /// The last place that is seen of a feed whose end cannot be read: it may have had more.
    pub(super) async fn end_left(&self, tenant_id: &TenantId) -> Result<Place, StoreError> {
        let query = Query::new(of_tenant(tenant_id), BY_ID).newest_first().majority();
        let found = self.fetch_one(&self.feed, query, whole_or_left).await?;
        Ok(found.map_or(Place::START, |left| left.chunk.last()))
    }

    /// The chunks with as many places as they had: one whose length cannot be read ends where the next one begins.
    async fn with_lengths(&self, tenant_id: &TenantId, found: Vec<LeftOfChunk>) -> Result<Vec<Chunk>, StoreError> {
        let firsts: Vec<Place> = found.iter().map(|left| left.chunk.first).collect();
        let mut chunks = Vec::with_capacity(found.len());
        for (
            index,
            LeftOfChunk {
                mut chunk,
                is_length_known,
                ..
            },
        ) in found.into_iter().enumerate()
        {
            if !is_length_known {
                let next = match firsts.get(index + 1) {
                    Some(next) => Some(*next),
                    None => self.first_behind(tenant_id, chunk.first).await?,
                };
                if let Some(next) = next {
                    set_end(&mut chunk, next);
                }
            }
            chunks.push(chunk);
        }
        Ok(chunks)
    }

    /// Where the chunk begins that follows one with this first place.
    async fn first_behind(&self, tenant_id: &TenantId, first: Place) -> Result<Option<Place>, StoreError> {
        let on = doc! { "_id": { "$gt": place_id(tenant_id, first), "$lt": behind(tenant_id) } };
        let next = Query::new(on, BY_ID).sort(doc! { "_id": 1 });
        Ok(self.first_id(next).await?.and_then(|id| first_in(&id)))
    }

    async fn first_id(&self, query: Query) -> Result<Option<String>, StoreError> {
        let query = query.fields(doc! { "_id": 1 }).majority();
        self.fetch_one(&self.feed, query, |raw| text(raw, "feed chunk", "_id"))
            .await
    }
}

/// A chunk, or what is left of it, which is told of.
pub(super) fn whole_or_left(raw: &RawDocument) -> Result<LeftOfChunk, Unreadable> {
    match feed::decode_chunk(raw) {
        Ok(chunk) => Ok(LeftOfChunk {
            chunk,
            is_whole: true,
            is_length_known: true,
        }),
        Err(unreadable) => {
            unreadable.tell();
            feed::decode_left(raw).ok_or(unreadable)
        }
    }
}

/// Brings a chunk to the length with which it ends before `next`. A gap longer than a chunk can be was erased, or is another
/// fault.
fn set_end(chunk: &mut Chunk, next: Place) {
    let length = next.number().saturating_sub(chunk.first.number());
    let length = usize::try_from(length).unwrap_or(usize::MAX).min(feed::LENGTH_MAX);
    let at = chunk.entries.last().map(|entry| entry.at);
    chunk.entries.truncate(length);
    while chunk.entries.len() < length {
        let place = chunk.last().plus(1);
        chunk.entries.push(FeedEntry::unreadable(chunk.tenant_id, place, at));
    }
}
