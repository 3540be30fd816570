//! The state of the database.

use async_trait::async_trait;
use bson::{RawDocumentBuf, doc};
use dakghar_core::ports::{StoreError, StoreHealth};

use super::MongoStore;
use super::collections::HEALTH;

#[async_trait]
impl StoreHealth for MongoStore {
    /// Every index is there, no migration into the store is under way, and a write reaches a majority.
    async fn ping(&self) -> Result<(), StoreError> {
        self.promises.look().await?;
        self.refuse_half_an_installation().await?;
        let health = self.database.collection::<RawDocumentBuf>(HEALTH);
        let write = health
            .update_one(doc! { "_id": "write" }, doc! { "$currentDate": { "at": true } })
            .upsert(true);
        match self.bounded(self.options.write_timeout, async { write.await }).await {
            Ok(_) => Ok(()),
            // Two processes created the document at the same time; the other one's write is as good a proof.
            Err(failure) if failure.is_duplicate_key() => Ok(()),
            Err(failure) => Err(failure.to_store_error()),
        }
    }

    fn may_claim(&self) -> Result<(), StoreError> {
        self.promises.hold()
    }
}
