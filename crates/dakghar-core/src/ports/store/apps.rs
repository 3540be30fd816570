//! Apps at Meta.

use async_trait::async_trait;

use super::{Saved, StoreError};
use crate::domain::ids::AppId;
use crate::domain::meta_app::MetaApp;

/// Apps of this installation, of which there are a few.
#[async_trait]
pub trait AppStore: Send + Sync {
    /// Stores a new app (`version` 0). Returns `Stale` if there is one of this id.
    async fn insert_app(&self, app: &MetaApp) -> Result<Saved, StoreError>;

    /// Saves a whole app, if `app.version` is still the stored one.
    async fn save_app(&self, app: &MetaApp) -> Result<Saved, StoreError>;

    /// Returns one app.
    async fn find_app(&self, id: &AppId) -> Result<Option<MetaApp>, StoreError>;

    /// Returns all apps, in the order of the ids. Unlike elsewhere, one that cannot be read is not left out but an error
    /// in its place: it may have signed what nobody else did.
    async fn apps(&self) -> Result<Vec<Result<MetaApp, StoreError>>, StoreError>;

    /// Deletes an app. Returns false if there was none of this id.
    async fn remove_app(&self, id: &AppId) -> Result<bool, StoreError>;
}
