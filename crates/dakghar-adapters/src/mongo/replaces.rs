//! Documents that are replaced whole, under optimistic versioning.

use bson::{RawDocumentBuf, doc};
use dakghar_core::ports::{Saved, StoreError};
use mongodb::Collection;

use super::MongoStore;
use super::documents::counter;

impl MongoStore {
    /// Replaces the document of this id if its version is still the one that was read. A replacement whose answer is lost is
    /// an error, and may have happened.
    pub(super) async fn replace_version(
        &self,
        collection: &Collection<RawDocumentBuf>,
        id: &str,
        version: u64,
        document: RawDocumentBuf,
    ) -> Result<Saved, StoreError> {
        let replace = collection.replace_one(doc! { "_id": id, "version": counter(version) }, document);
        let replaced = self.bounded(self.options.write_timeout, async { replace.await }).await;
        match replaced.map_err(|failure| failure.to_store_error())?.matched_count {
            0 => Ok(Saved::Stale),
            _ => Ok(Saved::Done),
        }
    }
}
