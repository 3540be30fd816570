//! Deleting documents by their ids.

use bson::{Document, RawDocumentBuf};
use dakghar_core::ports::StoreError;
use mongodb::Collection;
use mongodb::options::Hint;

use super::MongoStore;
use super::indexes::BY_ID;

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
}
