//! Apps at Meta. There are a few, so no index but that of their ids is needed.

use async_trait::async_trait;
use bson::doc;
use dakghar_core::domain::ids::AppId;
use dakghar_core::domain::meta_app::MetaApp;
use dakghar_core::ports::{AppStore, Saved, StoreError};

use super::MongoStore;
use super::documents::{Unreadable, meta_app};
use super::indexes::BY_ID;
use super::reads::{Query, told};

#[async_trait]
impl AppStore for MongoStore {
    async fn insert_app(&self, app: &MetaApp) -> Result<Saved, StoreError> {
        let document = meta_app::encode(app, app.version)?;
        let find = self.find_app(&app.id);
        self.insert_one(&self.apps, document, find, |stored| stored == app)
            .await
    }

    async fn save_app(&self, app: &MetaApp) -> Result<Saved, StoreError> {
        let document = meta_app::encode(app, app.version + 1)?;
        // A save whose answer is lost is not looked up: whoever asked for it asks again, and finds it done.
        self.replace_version(&self.apps, app.id.as_str(), app.version, document)
            .await
    }

    async fn find_app(&self, id: &AppId) -> Result<Option<MetaApp>, StoreError> {
        let query = Query::new(doc! { "_id": id.as_str() }, BY_ID).majority();
        self.fetch_one(&self.apps, query, meta_app::decode).await
    }

    async fn apps(&self) -> Result<Vec<Result<MetaApp, StoreError>>, StoreError> {
        let query = Query::new(doc! {}, BY_ID).sort(doc! { "_id": 1 }).majority();
        let found = self.fetch(&self.apps, query, meta_app::decode).await?;
        let each = found
            .into_iter()
            .map(|item| told(item).map_err(Unreadable::into_store_error));
        Ok(each.collect())
    }

    async fn remove_app(&self, id: &AppId) -> Result<bool, StoreError> {
        let remove = self.apps.delete_one(doc! { "_id": id.as_str() });
        let removed = self.bounded(self.options.write_timeout, async { remove.await }).await;
        let removed = removed.map_err(|failure| failure.to_store_error())?;
        Ok(removed.deleted_count > 0)
    }
}
