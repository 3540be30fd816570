//! Deleting documents by their ids, and portions of documents.

use bson::{Bson, Document, RawDocumentBuf, doc};
use dakghar_core::ports::StoreError;
use mongodb::Collection;
use mongodb::options::Hint;

use super::MongoStore;
use super::indexes::BY_ID;
use super::reads::{Query, any_id};

impl MongoStore {
    /// Deletes what the filter, which names ids, matches; returns how many.
    pub(super) async fn delete_by_ids(
        &self,
        collection: &Collection<RawDocumentBuf>,
        filter: Document,
    ) -> Result<u64, StoreError> {
        let delete = collection.delete_many(filter).hint(Hint::Name(BY_ID.to_owned()));
        let deleted = self.bounded(self.options.write_timeout, async { delete.await }).await;
        deleted
            .map(|deleted| deleted.deleted_count)
            .map_err(|failure| failure.to_store_error())
    }

    /// Deletes up to `limit` of what the filter matches, found through the index of this name; returns how many.
    pub(super) async fn erase_from(
        &self,
        collection: &Collection<RawDocumentBuf>,
        index: &'static str,
        owned: Document,
        limit: u32,
    ) -> Result<u64, StoreError> {
        let query = Query::new(owned.clone(), index).limit(limit).fields(doc! { "_id": 1 });
        let ids: Vec<Bson> = self
            .fetch(collection, query, any_id)
            .await?
            .into_iter()
            .flatten()
            .collect();
        if ids.is_empty() {
            return Ok(0);
        }
        let mut filter = owned;
        filter.insert("_id", doc! { "$in": ids });
        self.delete_by_ids(collection, filter).await
    }
}
