//! Keys of operators. There are a few, so no index but that of their ids is needed.

use async_trait::async_trait;
use bson::doc;
use dakghar_core::domain::ids::ApiKeyId;
use dakghar_core::domain::operator_key::OperatorKey;
use dakghar_core::domain::time::Timestamp;
use dakghar_core::ports::{OperatorStore, Saved, StoreError};

use super::MongoStore;
use super::documents::{date, operator_key};
use super::indexes::BY_ID;
use super::reads::Query;

#[async_trait]
impl OperatorStore for MongoStore {
    async fn insert_operator_key(&self, key: &OperatorKey) -> Result<Saved, StoreError> {
        let document = operator_key::encode(key, key.version)?;
        let find = self.find_operator_key(&key.key.id);
        self.insert_one(&self.operators, document, find, |stored| stored == key)
            .await
    }

    async fn save_operator_key(&self, key: &OperatorKey) -> Result<Saved, StoreError> {
        let document = operator_key::encode(key, key.version + 1)?;
        // A save whose answer is lost is not looked up: the secret before it is valid still, and whoever asked asks again.
        self.replace_version(&self.operators, &key.key.id.to_string(), key.version, document)
            .await
    }

    async fn find_operator_key(&self, id: &ApiKeyId) -> Result<Option<OperatorKey>, StoreError> {
        let query = Query::new(doc! { "_id": id.to_string() }, BY_ID).majority();
        self.fetch_one(&self.operators, query, operator_key::decode).await
    }

    async fn operator_keys(&self) -> Result<Vec<OperatorKey>, StoreError> {
        let query = Query::new(doc! {}, BY_ID).sort(doc! { "_id": 1 }).majority();
        self.fetch_readable(&self.operators, query, operator_key::decode).await
    }

    async fn remove_operator_key(&self, id: &ApiKeyId) -> Result<bool, StoreError> {
        let remove = self.operators.delete_one(doc! { "_id": id.to_string() });
        let removed = self.bounded(self.options.write_timeout, async { remove.await }).await;
        let removed = removed.map_err(|failure| failure.to_store_error())?;
        Ok(removed.deleted_count > 0)
    }

    async fn note_operator_use(&self, id: &ApiKeyId, at: Timestamp) -> Result<(), StoreError> {
        let later = doc! { "$max": { "usedAt": date(at) } };
        let note = self.operators.update_one(doc! { "_id": id.to_string() }, later);
        let noted = self.bounded(self.options.write_timeout, async { note.await }).await;
        noted.map(drop).map_err(|failure| failure.to_store_error())
    }
}
